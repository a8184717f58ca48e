"""Verifying a study: whole records pass, and every kind of change is named."""

from __future__ import annotations

import json
import shutil

import pytest

from experiments.analysis.conclude import read
from experiments.analysis.verify import verify
from experiments.cli import main


@pytest.fixture
def copy(done, tmp_path):
    """A root of the test's own, and the run id of its LoRA cell."""
    shutil.copytree(done[0], tmp_path / "root")
    return tmp_path / "root", next(c for c in done[1].cells if c.method == "lora-r16")


def change(path, edit):
    """Rewrite a JSON file with ``edit`` applied to its value."""
    value = json.loads(path.read_text())
    edit(value)
    path.write_text(json.dumps(value))


def test_a_study_as_it_was_concluded_has_no_problem(done):
    """3 runs, 3 evaluations, 9 verdicts, and every metric of each evaluation computed again."""
    root, conclusions, _ = done
    found = verify(conclusions, root)
    assert found.problems == ()
    assert (found.runs, found.evaluations, found.verdicts) == (3, 3, 9)
    assert found.values > 30


def test_a_changed_value_is_named_with_what_its_statistics_give(copy):
    """Bits per byte of LoRA set to 0.5: one problem, in its evaluation's file."""
    root, cell = copy
    path = root / "runs" / cell.run_id / f"eval-{cell.eval_digest}.json"
    change(path, lambda value: value["metrics"]["bits_per_byte"].update(value=0.5))
    (problem,) = verify(read(root, "small"), root).problems
    assert problem.where == str(path)
    assert problem.what.startswith("bits_per_byte is 0.5, and its statistics give ")


def test_a_changed_verdict_is_named(copy):
    """The first comparison turned into *better*: the records give what it was."""
    root, _ = copy
    before = read(root, "small").comparisons[0]
    verdict = "worse" if before.verdict == "better" else "better"
    change(root / "results/small/comparisons.json", lambda v: v["comparisons"][0].update(verdict=verdict))
    (problem,) = verify(read(root, "small"), root).problems
    assert problem.what.endswith(f"is {verdict}, and its records give {before.verdict}")


def test_a_damaged_or_swapped_record_is_named_and_the_command_fails(copy, capsys):
    """A line of the outcomes cut in two, and a run whose spec is another's: two problems, exit 1."""
    root, cell = copy
    outcomes = root / "runs" / cell.run_id / f"eval-{cell.eval_digest}.jsonl"
    outcomes.write_text(outcomes.read_text()[:-40])
    full = next(root.glob("runs/tiny.full.*/run.json"))
    change(full, lambda value: value["spec"].update(learning_rate=7.0))
    with pytest.raises(SystemExit) as ended:
        main(["verify", "small", "--root", str(root), "--json"])
    assert ended.value.code == 1
    problems = json.loads(capsys.readouterr().out)["problems"]
    assert any("line 6" in problem["what"] for problem in problems)
    assert any("the spec has the id" in problem["what"] for problem in problems)
