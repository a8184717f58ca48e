"""Our evaluations as Every Eval Ever: the schema's fields, and the same numbers when they are read again."""

from __future__ import annotations

import json

import pytest

from eval.foreign.sources.every_eval_ever import read
from experiments.cli import main
from experiments.sharing.every_eval_ever import _reference, export_every_eval_ever
from toolkit.data.conversations.turns import Dialogue, Turn, to_text
from toolkit.records import EvaluationRecord, Generation, Outcome, read_lines
from toolkit.specs import Conversation

REQUIRED = {  # of instance_level_eval.schema.json 0.2.1, which allows these and the optional ones
    "schema_version": str, "evaluation_id": str, "model_id": str, "evaluation_name": str, "sample_id": str,
    "interaction_type": str, "input": dict, "output": dict, "answer_attribution": list, "evaluation": dict,
}  # fmt: skip
OPTIONAL = {"sample_hash", "messages", "token_usage", "performance", "error", "metadata"}


def test_every_line_has_the_schemas_fields_and_reads_back_as_the_same_share(done, tmp_path):
    """3 runs x 6 documents; stop rate over 6 documents is the mean of their scores, as the record states."""
    root, conclusions, _ = done
    target = tmp_path / "small.jsonl"
    written = export_every_eval_ever(conclusions, root, target)
    lines = [json.loads(line) for line in target.read_text().splitlines()]
    assert len(lines) == written > 3 * 6 * 5
    for line in lines:
        assert REQUIRED.keys() <= line.keys() <= REQUIRED.keys() | OPTIONAL
        assert all(isinstance(line[name], kind) for name, kind in REQUIRED.items())
        assert isinstance(line["evaluation"]["score"], float)
        assert isinstance(line["evaluation"]["is_correct"], bool)
        assert all(isinstance(value, str) for value in line["metadata"].values())
    cell = next(cell for cell in conclusions.cells if cell.method == "lora-r16")
    record = EvaluationRecord.read(root / "runs" / cell.run_id / f"eval-{cell.eval_digest}.json")
    stops = [
        s for s in read(target) if s.task == "wikibooks/stop_rate" and s.model == f"bakeoff/{cell.run_id}"
    ]
    assert [len(one.items) for one in stops] == [6]
    scores = [
        line["evaluation"]["score"]
        for line in lines
        if line["evaluation_name"] == "wikibooks/stop_rate" and line["model_id"] == f"bakeoff/{cell.run_id}"
    ]
    assert sum(scores) / 6 == pytest.approx(record.metrics["stop_rate"].value)
    assert str(root) not in target.read_text()
    document = records_of(root, cell)[0].reference
    texts = [line for line in lines if line["metadata"]["title"] == document.split("\n")[0][8:]]
    of_texts = [line["input"] for line in texts if line["output"]["raw"]]
    assert of_texts
    assert all(given["raw"] + given["reference"][0] == document for given in of_texts)
    assert all(line["input"] == {"raw": "", "reference": [document]} for line in texts
               if not line["output"]["raw"])  # fmt: skip


def records_of(root, cell):
    """The outcomes of a cell."""
    return read_lines(root / "runs" / cell.run_id / f"eval-{cell.eval_digest}.jsonl", Outcome)


def test_the_reference_of_an_answer_is_the_answer():
    """And not how bakeoff stores a conversation; of a likelihood, all that was said."""
    stored = to_text(Dialogue((Turn("user", "What is botany?"), Turn("assistant", "Plants"))))
    outcome = Outcome(document_id="d", title="What is botany?", reference=stored, generations=())
    text = Generation(prompt_mode="prompt", decoding="d", prompt="…", text="Flowers", tokens=1, ended="limit")
    form = Conversation(name="chat")
    assert _reference(outcome, text, form) == "Plants"
    assert _reference(outcome, None, form) == "What is botany?\nPlants"
    assert _reference(outcome, text, None) == stored


def test_overrides_are_refused_instead_of_ignored(tmp_path, capsys):
    """One line names the override, and the command that concludes with it."""
    target = tmp_path / "x.jsonl"
    with pytest.raises(SystemExit) as ended:
        main(["export", "small", "seeds=[0]", "--as", "every-eval-ever", "--to", str(target)])
    assert ended.value.code == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "`seeds=[0]` has no effect with --as every-eval-ever" in said
    assert "bakeoff run small 'seeds=[0]'" in said
    assert not target.exists()


def test_the_command_writes_it_where_it_is_told(done, tmp_path, capsys):
    """`bakeoff export small --as every-eval-ever`: exit 0, and the number of lines."""
    with pytest.raises(SystemExit) as ended:
        main(["export", "small", "--as", "every-eval-ever", "--to", str(tmp_path / "x.jsonl"), "--root",
              str(done[0]), "--json"])  # fmt: skip
    assert ended.value.code == 0
    said = json.loads(capsys.readouterr().out)
    assert said["lines"] == len((tmp_path / "x.jsonl").read_text().splitlines())
