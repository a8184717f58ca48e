"""Verifying a study: whole records pass, and every kind of change is named."""

from __future__ import annotations

import json
import shutil

import pytest
from safetensors.torch import load_file, save_file

from experiments.analysis.conclude import read
from experiments.analysis.verify import verify, verify_run
from experiments.cli import main
from experiments.sharing.export import export
from experiments.sharing.incoming.importing import import_archive
from experiments.sharing.merge import merge
from figures.report.page import build
from toolkit.records import hashes


@pytest.fixture
def copy(done, tmp_path):
    """A root of the test's own, and the run id of its LoRA cell."""
    shutil.copytree(done[0], tmp_path / "root")
    return tmp_path / "root", next(c for c in done[1].cells if c.method == "lora-r16")


def change(path, edit):
    """Rewrite a JSON file with ``edit`` applied to its value, as somebody who changes its hash too."""
    value = json.loads(path.read_text())
    edit(value)
    path.write_text(json.dumps(value))
    hashes.seal(path.parent, [path])


def test_a_study_as_it_was_concluded_has_no_problem(done):
    """3 runs, 3 evaluations, 9 verdicts, and every metric of each evaluation computed again."""
    root, conclusions, _ = done
    found = verify(conclusions, root)
    assert found.problems == ()
    assert (found.runs, found.evaluations, found.verdicts, found.without_hashes) == (3, 3, 9, 0)
    assert found.values > 30


def test_a_changed_value_is_named_with_what_its_statistics_give(copy):
    """Bits per byte of LoRA set to 0.5: one problem, in its evaluation's file."""
    root, cell = copy
    path = root / "runs" / cell.run_id / f"eval-{cell.eval_digest}.json"
    change(path, lambda value: value["metrics"]["bits_per_byte"].update(value=0.5))
    (problem,) = verify(read(root, "small"), root).problems
    assert problem.where == str(path)
    assert problem.what.startswith("bits_per_byte is 0.5, and its statistics give ")


def test_a_changed_digit_of_the_report_or_of_merged_weights_is_named(copy):
    """One byte each, after the report was drawn and the adapter merged."""
    root, cell = copy
    page, merged = root / "results/small/report/report.md", root / "runs" / cell.run_id / "merged"
    build(root / "results/small", root)
    merge(cell.run_id, root)
    (weights,) = merged.glob("*.safetensors")
    for file, check in (
        (page, lambda: verify(read(root, "small"), root)),
        (weights, lambda: verify_run(cell.run_id, root)),
    ):
        assert check().problems == ()
        content = file.read_bytes()
        file.write_bytes(content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])
        (problem,) = check().problems
        assert (problem.where, problem.what) == (str(file), hashes.CHANGED)
        file.write_bytes(content)


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
    hashes.seal(outcomes.parent, [outcomes])
    full = next(root.glob("runs/tiny.full.*/run.json"))
    change(full, lambda value: value["spec"].update(learning_rate=7.0))
    with pytest.raises(SystemExit) as ended:
        main(["verify", "small", "--root", str(root), "--json"])
    assert ended.value.code == 1
    problems = json.loads(capsys.readouterr().out)["problems"]
    assert any("line 6" in problem["what"] for problem in problems)
    assert any("the spec has the id" in problem["what"] for problem in problems)


def test_every_file_of_a_run_and_of_the_results_is_known_by_its_hash(copy):
    """One byte of each changed, one after the other: the problem names it. Logs and locks have none."""
    root, cell = copy
    for folder in (root / "runs" / cell.run_id, root / "results/small"):
        files = [p for p in folder.rglob("*") if p.is_file() and "report" not in p.parts]
        files = [
            p for p in files if p.name not in (hashes.FILE, hashes.LOCK, ".lock", "log.txt", "study.log")
        ]
        assert len(files) >= 3
        for path in files:
            whole = path.read_bytes()
            path.write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
            assert hashes.problems(folder) == {path.relative_to(folder).as_posix(): hashes.CHANGED}
            path.write_bytes(whole)


def test_a_digit_that_fits_the_schema_is_named_and_no_verdict_is_computed(copy):
    """Bits per byte of the run's record raised by a digit, as bit rot or an editor might: one problem."""
    root, cell = copy
    path = root / "runs" / cell.run_id / "run.json"
    text = path.read_text()
    path.write_text(text.replace('"validation_bits_per_byte": ', '"validation_bits_per_byte": 1', 1))
    found = verify(read(root, "small"), root)
    assert found.problems == ((str(path), hashes.CHANGED),)
    assert found.verdicts == 0


def test_records_of_an_earlier_version_are_read_and_counted(copy):
    """Without hashes.json nothing is wrong, and 3 runs are said to have none."""
    root, _ = copy
    for path in root.rglob(hashes.FILE):
        path.unlink()
    found = verify(read(root, "small"), root)
    assert (found.problems, found.without_hashes) == ((), 3)


def test_a_run_is_verified_by_its_id(copy, capsys):
    """1 run, 1 evaluation; 4 of its 6 documents scored again by the saved adapter: as they were, exit 0."""
    root, cell = copy
    assert (verify_run(cell.run_id, root).runs, verify_run(cell.run_id, root).evaluations) == (1, 1)
    with pytest.raises(SystemExit) as ended:
        main(["verify", cell.run_id, "--root", str(root), "--json"])
    assert ended.value.code == 0
    value = json.loads(capsys.readouterr().out)
    assert (value["run"], value["documents_scored"], value["problems"]) == (cell.run_id, 4, [])


def test_a_study_is_verified_with_documents_of_every_method(copy, capsys):
    """4 documents of full fine-tuning and 4 of LoRA, scored again; none if none are wanted."""
    root, _ = copy
    for wanted in (4, 0):
        with pytest.raises(SystemExit) as ended:
            main(["verify", "small", "--root", str(root), "--documents", str(wanted), "--json"])
        assert ended.value.code == 0
        value = json.loads(capsys.readouterr().out)
        assert (value["study"], value["documents_scored"], value["problems"]) == ("small", 2 * wanted, [])
        assert value["verdicts"] > 0


def test_outcomes_that_the_saved_model_does_not_give_are_named(copy, capsys):
    """A likelihood of one document raised by 50 nats, hash and all: the model gives another, exit 1."""
    root, cell = copy
    path = root / "runs" / cell.run_id / f"eval-{cell.eval_digest}.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    first = min(range(6), key=lambda index: lines[index]["document_id"])
    lines[first]["likelihood"]["stop"]["nll"] += 50
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    hashes.seal(path.parent, [path])
    with pytest.raises(SystemExit) as ended:
        main(["verify", cell.run_id, "--root", str(root)])
    assert ended.value.code == 1
    said = capsys.readouterr().out
    assert f"document {lines[first]['document_id']} has " in said
    assert "and the saved model gives" in said


def test_a_study_names_outcomes_that_a_saved_model_does_not_give(copy, capsys):
    """The weights of the first LoRA run exchanged, hash and all: they do not give its likelihoods."""
    root, cell = copy
    folder = root / "runs" / cell.run_id
    path = folder / "artifact" / "adapter_model.safetensors"
    weights = load_file(path)
    save_file({name: value + 0.5 for name, value in weights.items()}, path)
    hashes.seal(folder, [path])
    with pytest.raises(SystemExit) as ended:
        main(["verify", "small", "--root", str(root)])
    assert ended.value.code == 1
    said = capsys.readouterr().out
    assert said.count("and the saved model gives") == 4
    assert "full" not in said


def test_an_imported_study_is_verified_by_its_records(done, tmp_path, capsys):
    """Its base is in no catalog here: no document is scored, with the reason, and the records are sound."""
    export("small", (), done[0], tmp_path / "small.bakeoff.zip")
    import_archive(tmp_path / "small.bakeoff.zip", tmp_path / "here")
    with pytest.raises(SystemExit) as ended:
        main(["verify", "small", "--root", str(tmp_path / "here"), "--json"])
    said = capsys.readouterr()
    value = json.loads(said.out)
    assert (ended.value.code, value["documents_scored"], value["problems"]) == (0, 0, [])
    assert value["verdicts"] > 0
    assert said.err.count("no document scored again: ") == 2
    assert "not in this machine's catalog" in said.err
