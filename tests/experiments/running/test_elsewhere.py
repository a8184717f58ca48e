"""A study that takes in what was trained elsewhere, beside what it trains."""

from __future__ import annotations

import json

import pytest

from experiments.design import study
from experiments.design.study_state import StudyState
from figures.report.page import build
from tests.experiments.small import run
from toolkit.errors import UserError
from toolkit.records import EvaluationRecord, Outcome, RunRecord, read_lines


@pytest.fixture(scope="module")
def taken_in(done, tiny_gpt2, tmp_path_factory):
    """The small study again, with the adapter and the model that it trained as two more methods.

    The adapter's training data is given: two of the six test recipes as texts, one with another title.
    """
    root, before, _ = done
    texts = [outcome.reference for outcome in _outcomes(root, before)[:2]]
    theirs = tmp_path_factory.mktemp("theirs") / "train.jsonl"
    changed = texts[1].replace("RECIPE: ", "RECIPE: Another ")
    theirs.write_text("".join(json.dumps({"text": text}) + "\n" for text in (texts[0], changed, "")), "utf-8")
    trained = {cell.method: root / "runs" / cell.run_id / "artifact" for cell in before.cells}
    conclusions, _ = run(
        root,
        tiny_gpt2,
        "with-theirs",
        f"methods.adapter-again={{adapter: '{trained['lora-r16']}', trained_by: peft by hand, "
        f"trained_on: '{theirs}'}}",
        f"methods.model-again={{checkpoint: '{trained['full']}'}}",
    )
    return root, {cell.method: cell for cell in conclusions.cells}, conclusions


def _outcomes(root, conclusions):
    """The outcomes of any evaluated run."""
    cell = next(cell for cell in conclusions.cells if cell.eval_digest)
    return read_lines(root / "runs" / cell.run_id / f"eval-{cell.eval_digest}.jsonl", Outcome)


def test_test_documents_in_the_given_training_data_are_counted_and_flagged(taken_in):
    """Two of six. The model has none given, which the audit reports. No record of a run names the file."""
    root, cells, conclusions = taken_in
    trained = conclusions.data["wikibooks"].trained_on
    assert list(trained) == ["adapter-again"]
    counts = trained["adapter-again"]
    assert (counts.documents, counts.refused, counts.copies, counts.exact) == (2, 1, 2, 2)
    (finding,) = (finding for finding in conclusions.audit if finding.check == "training data")
    assert (finding.status, finding.methods) == ("flagged", ("adapter-again",))
    assert finding.text.startswith(
        "2 of 6 test documents have a copy or near-copy in the 2 documents that adapter-again was trained on"
    )
    (unknown,) = (one.text for one in conclusions.audit if "no `trained_on`" in one.text)
    assert unknown.startswith("model-again: ")
    record = (root / "runs" / cells["adapter-again"].run_id / "run.json").read_text(encoding="utf-8")
    assert "trained_on" not in record
    page = build(root / "results" / "with-theirs", root).read_text(encoding="utf-8")
    assert "training data of adapter-again" in page


def test_the_study_as_it_was_run_names_a_file_that_nothing_reads_by_itself(taken_in, tiny_gpt2):
    """`study.yaml`, maybe imported, is compared with an edited study: its training data stays shut."""
    root, _, _ = taken_in
    written = root / "results" / "with-theirs" / "study.yaml"
    before = study.load(str(written), ["methods.adapter-again.trained_on=/nowhere/at/all"])
    cells = StudyState(before, root).prepare().cells()
    assert "adapter-again" in {cell.method for cell in cells}
    arm = f"{{adapter: '{before.methods['adapter-again'].method.adapter}', trained_on: /nowhere/at/all}}"
    with pytest.raises(UserError, match="^method again: trained_on: no file or folder /nowhere/at/all$"):
        run(root, tiny_gpt2, "with-theirs", f"methods.again={arm}")


@pytest.mark.parametrize(("method", "again"), [("lora-r16", "adapter-again"), ("full", "model-again")])
def test_our_own_weights_taken_in_again_score_the_same_to_the_bit(taken_in, method, again):
    """Every likelihood and every generated text of the six held-out recipes; every metric."""
    root, cells, _ = taken_in
    first, second = (
        root / "runs" / cells[name].run_id / f"eval-{cells[name].eval_digest}" for name in (method, again)
    )
    ours, theirs = (read_lines(stem.with_suffix(".jsonl"), Outcome) for stem in (first, second))
    assert len(ours) >= 6
    assert ours == theirs
    ours_, theirs_ = (EvaluationRecord.read(stem.with_suffix(".json")).metrics for stem in (first, second))
    assert ours_ == theirs_


def test_it_is_labelled_and_what_is_unknown_is_none(taken_in):
    """The audit names both, with the words of who trained it; no cost of training, no rate, not tuned."""
    root, cells, conclusions = taken_in
    texts = [finding.text for finding in conclusions.audit if finding.check == "trained elsewhere"]
    assert len(texts) == 2
    assert texts[0].startswith("adapter-again: trained elsewhere, not tuned here (peft by hand)")
    assert texts[1].startswith("model-again: trained elsewhere, not tuned here (how: unknown)")
    assert "refused" not in {finding.status for finding in conclusions.audit}
    for name in ("adapter-again", "model-again"):
        cell, record = cells[name], RunRecord.read(root / "runs" / cells[name].run_id / "run.json")
        assert (cell.learning_rate, cell.tuned, cell.status) == (None, False, "finished")
        assert record.costs.train_seconds is record.costs.steps is record.data is None
    assert {c.method for c in conclusions.comparisons if c.baseline == "full"} >= {
        "adapter-again",
        "lora-r16",
    }


def test_the_report_and_the_resolved_study_hold_it(taken_in):
    """The report is written with its figures, and `study.yaml` loads as the same study."""
    root, _, conclusions = taken_in
    page = build(root / "results" / "with-theirs", root)
    assert "trained elsewhere, not tuned here" in page.read_text(encoding="utf-8")
    again = study.load(str(root / "results" / "with-theirs" / "study.yaml"))
    assert again.elsewhere == ["adapter-again", "model-again"]


def test_a_folder_that_does_not_fit_fails_its_cell_alone(done, tiny_gpt2, tiny_llama):
    """A Llama's folder as a checkpoint of the GPT-2: refused in a line. A folder that is missing: at once."""
    root, _, _ = done
    conclusions, said = run(root, tiny_gpt2, "misfit", f"methods.other={{checkpoint: '{tiny_llama}'}}")
    assert {cell.method: cell.status for cell in conclusions.cells} == {
        "base": "finished",
        "full": "finished",
        "lora-r16": "finished",
        "other": "failed",
    }
    assert "the checkpoint is no tiny" in said
    with pytest.raises(UserError, match="method other: no adapter_config.json in folder"):
        run(root, tiny_gpt2, "misfit", "methods.other={adapter: ./nowhere}")
