"""One base on two data sets is one run with two evaluations: a failure of one is not lost with the other."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from experiments.design import study
from experiments.design.study_state import CellState, StudyState
from experiments.running import worker
from experiments.running.board import Board
from experiments.running.runner import _execute, jobs_of
from tests.experiments.design.grids import finish
from tests.experiments.small import asked
from toolkit.events import Ended, Started, ignore
from toolkit.records import Failure


@pytest.fixture
def study_state(tmp_path, tiny_gpt2):
    """The bases of a study on German and on Danish recipes."""
    both = ["dataset=[wikibooks-de, wikibooks-da]", "data.max_characters=2000", "methods={full: 1e-4}"]
    overrides = asked(tiny_gpt2, "two", *both)
    return StudyState(study.load("quickstart", overrides), tmp_path).prepare()


def bases(study_state):
    """The base's cells, on either data set: one run."""
    german, danish = (cell for cell in study_state.cells() if cell.phase == "base")
    assert german.run.run_id == danish.run.run_id
    return german, danish


def first_fails(jobs, listener):
    """Run two jobs, of which the first has no memory."""
    errors = ["no memory", None]
    for index, error in enumerate(errors):
        listener(index, Started())
        listener(index, Ended(error=error))
    assert len(jobs) == 2
    return errors


def test_a_failure_on_one_data_set_is_kept_if_the_other_succeeds(study_state):
    """German fails, Danish does not: the run is among those with errors, now and at the next command."""
    cells = bases(study_state)
    finish(study_state, cells[0], 1.2)
    board = Board(Console(file=io.StringIO()))
    wrong = {cells[0].run.run_id: "no memory"}
    assert _execute(study_state, cells, board, first_fails, False, 0) == wrong
    assert [study_state.state(cell) for cell in cells] == [CellState.FAILED, CellState.TO_EVALUATE]
    assert _execute(study_state, cells, board, lambda jobs, _: [None] * len(jobs), False, 0) == wrong
    assert _execute(study_state, cells, board, lambda jobs, _: [None] * len(jobs), True, 0) == {}


def test_a_worker_removes_the_failure_that_it_has_made_up_for_and_no_other(study_state, monkeypatch):
    """The Danish evaluation succeeds and leaves the German failure; the German one removes it.

    So does any if the failure names no evaluation, as older records do.
    """
    german, danish = bases(study_state)
    finish(study_state, german, 1.2)
    monkeypatch.setattr("eval.harness.evaluate", lambda *_, **__: None)
    folder = study_state.root.run(german.run.run_id)
    for evaluation, cell, stays in (
        (study_state.evaluation_of(german), danish, True),
        (study_state.evaluation_of(german), german, False),
        (None, danish, False),
    ):
        failure = Failure(
            run_id=german.run.run_id, error="no memory", evaluate=study_state.study.evaluate,
            evaluation=evaluation, log=(),
        )  # fmt: skip
        failure.write(folder.failure)
        (job,) = jobs_of(study_state, [cell])
        worker.work(job, ignore)
        assert folder.failure.is_file() is stays
