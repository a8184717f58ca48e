"""A study's records are found by run and evaluation: one run may be evaluated on several data sets."""

from __future__ import annotations

from pathlib import Path

from tests.figures.made_up import evaluation, run_record
from toolkit.records import Cell, StudyRecords
from toolkit.records.folders import Root


def cell(run_id: str, dataset: str, digest: str | None) -> Cell:
    """The untouched base on a data set."""
    return Cell(
        base_model="base", dataset=dataset, method="base", learning_rate=None, seed=0, tuned=False,
        phase="base", run_id=run_id, eval_digest=digest, status="finished",
    )  # fmt: skip


def test_one_run_on_two_data_sets_has_an_evaluation_on_each(tmp_path: Path) -> None:
    """The base scored on splits `aaaa` and `bbbb`: two evaluations; without a digest, none."""
    run = run_record("base", 0, None, "CPU")
    root = Root(tmp_path)
    folder = root.run(run.run_id)
    for digest in ("a", "b"):
        made = evaluation(run, "base", 0, test=4 * digest)
        made.model_copy(update={"digest": digest}).write(folder.evaluation(digest))
    cells = [cell(run.run_id, "one", "a"), cell(run.run_id, "two", "b"), cell(run.run_id, "three", None)]
    records = StudyRecords.read(cells, root)
    assert {key: one.test for key, one in records.evaluations.items()} == {
        (run.run_id, "a"): "aaaa",
        (run.run_id, "b"): "bbbb",
    }
    assert records.runs == {run.run_id: run}
