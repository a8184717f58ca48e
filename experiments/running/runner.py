"""Brings a study up to date: runs what is missing, tunes before it confirms, concludes, draws the report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from eval import general_text
from experiments.analysis.conclude import Concluded, conclude
from experiments.design.conditions import CellSpec
from experiments.design.planning import edits
from experiments.design.planning.plan import check
from experiments.design.study import StudySpec
from experiments.design.study_state import CellState, StudyState
from experiments.running.board import Board
from experiments.running.executors.base import Executor
from experiments.running.executors.local import Local
from experiments.running.executors.process import log_tail
from experiments.running.job import Job
from toolkit.errors import UserError
from toolkit.events import Ended, Event, Started
from toolkit.models import locate
from toolkit.records import Failure
from toolkit.records.files import write_text
from toolkit.records.folders import Root, step_of


class Work(NamedTuple):
    """A study whose runs have been made."""

    state: StudyState
    cells: list[CellSpec]
    errors: dict[str, str]
    """Run id -> what went wrong."""


def bring_up_to_date(
    study: StudySpec,
    root: Path,
    board: Board,
    *,
    execute: Executor | None = None,
    retry_failed: bool = False,
) -> Concluded:
    """Run what is missing and conclude. Finished work is never repeated; killed work goes on.

    A run that has failed before is left alone unless ``retry_failed``.
    """
    work = run_cells(study, root, board, execute=execute, retry_failed=retry_failed)
    return conclude(work.state, work.cells, work.errors)


def run_cells(
    study: StudySpec,
    root: Path,
    board: Board,
    *,
    execute: Executor | None = None,
    retry_failed: bool = False,
) -> Work:
    """Do the same without concluding: no result is looked at."""
    # What can be refused is refused before anything runs: unknown metrics, folders that can't be written.
    check(study)
    write_text(Root(root).runs / ".gitignore", "*\n")
    for model in study.base_models:
        locate.check(model)
    if study.evaluate.general:
        general_text.check(study.evaluate.general)
    execute = execute or Local()
    study_state = StudyState(study, root)
    prepare_data(study_state, board)
    if edit := edits.describe_edit(study_state, study_state.cells()):
        board.line(edit)
    if not study_state.root.results(study.name).conclusions.is_file():  # else it is theirs
        edits.write_study(study_state)
    board.count_anew()
    errors: dict[str, str] = {}
    cells: list[CellSpec] = []
    known: set[str] = set()
    # Finished runs decide the next ones: a wider grid, the next round of a search, the confirming runs.
    while new := [cell for cell in study_state.cells(errors) if cell.key not in known]:
        board.expect(len(cells) + len(new) + study_state.more_to_come([*cells, *new], errors))
        errors |= _execute(study_state, new, board, execute, retry_failed, len(cells))
        cells += new
        known |= {cell.key for cell in new}
    # a method that always diverged has no more
    board.expect(len(cells) + study_state.more_to_come(cells, errors))
    # what another command finished meanwhile may have changed a choice: what is chosen now counts
    chosen = {cell.key for cell in study_state.cells(errors)}
    return Work(study_state, [cell for cell in cells if cell.key in chosen], errors)


def prepare_data(study_state: StudyState, board: Board) -> None:
    """Prepare the study's data, with its progress on the board, and read what others trained on."""
    listener = board.listener("preparing data")
    study_state.prepare(listener)
    for dataset in study_state.study.dataset:  # what cannot be read is refused before anything runs
        study_state.training_data(dataset, listener)
    study_state.check_templates()
    board.close("preparing data")


def run_probes(study_state: StudyState, probes: Sequence[CellSpec], board: Board) -> None:
    """Run the short runs that show what a study will cost. Raises UserError if one fails."""
    board.expect(len(probes))
    errors = _execute(study_state, probes, board, Local(1), True, 0)
    if errors:
        raise UserError(f"a probe failed: {next(iter(errors.values()))}")


def _execute(
    study_state: StudyState,
    cells: Sequence[CellSpec],
    board: Board,
    execute: Executor,
    retry_failed: bool,
    before: int,
) -> dict[str, str]:
    """Run the cells that are to be run; run id -> what went wrong, now or before."""
    numbered = list(enumerate(cells, start=before + 1))
    states = {number: study_state.state(cell) for number, cell in numbered}
    todo = [
        (number, cell)
        for number, cell in numbered
        if states[number] not in (CellState.DONE, CellState.FAILED)
        or (retry_failed and states[number] == CellState.FAILED)
    ]
    old = [cell for number, cell in numbered if states[number] == CellState.FAILED]
    left_alone = [] if retry_failed else old
    errors = {cell.run.run_id: failure.error for cell in left_alone if (failure := study_state.failure(cell))}
    there = sum(state == CellState.DONE for state in states.values())
    board.skip(there, len(left_alone))
    if there:
        board.line(f"{there} of {len(cells)} {_what(cells)} runs are there already")
    if left_alone:
        what = f"{len(left_alone)} of {len(cells)} {_what(cells)} runs"
        board.line(f"{what} failed before and are left alone; --retry-failed tries them again")
    jobs = jobs_of(study_state, [cell for _, cell in todo])
    whole: set[int] = set()

    def listener(index: int, event: Event) -> None:
        number, cell = todo[index]
        key = str(number)
        if isinstance(event, Started):
            board.begin(key, number, cell.label, event.node)
        elif isinstance(event, Ended):
            if event.error and study_state.state(cell) == CellState.DONE:  # killed when all was on disk
                whole.add(index)
                event = Ended()
            elif event.error:
                _note(study_state, cell, event.error, board)
            board.end(key, event.error)
        else:
            board.event(key, event)

    try:
        ended = execute(jobs, listener)
    except KeyboardInterrupt:
        _tell_what_is_kept(study_state, todo, board)
        raise
    for index, ((_, cell), error) in enumerate(zip(todo, ended, strict=True)):
        if error and index not in whole:  # of a base, perhaps on one of several data sets
            errors[cell.run.run_id] = error
    return errors


def jobs_of(study_state: StudyState, cells: Sequence[CellSpec]) -> list[Job]:
    """What workers are told to bring the cells up to date."""
    return [
        Job(
            root=str(study_state.root.path.resolve()),
            run=cell.run,
            dataset=cell.dataset,
            data=study_state.evaluated_with(cell),
            evaluate=None if cell.phase == "tune" else study_state.study.evaluate,
            report_to=study_state.study.report_to,
        )
        for cell in cells
    ]


def _note(study_state: StudyState, cell: CellSpec, error: str, board: Board) -> None:
    """Record a failure. Where even that can't be written, the run is simply tried again next time."""
    folder = study_state.root.run(cell.run.run_id)
    tuning = cell.phase == "tune"
    found = Failure(
        run_id=cell.run.run_id,
        error=error,
        evaluate=None if tuning else study_state.study.evaluate,
        evaluation=None if tuning else study_state.evaluation_of(cell),
        log=log_tail(folder),
    )
    try:
        found.write(folder.failure)
    except UserError as problem:
        board.line(f"the failure could not be recorded: {problem}")


def _tell_what_is_kept(study_state: StudyState, todo: Sequence[tuple[int, CellSpec]], board: Board) -> None:
    board.line("stopped")
    for number, cell in todo:
        folder = study_state.root.run(cell.run.run_id)
        if str(number) not in board.running:
            continue
        if folder.record.is_file():
            kept = "is trained; its evaluation starts again"
        elif folder.last_checkpoint:
            kept = f"resumes from step {step_of(folder.last_checkpoint)}"
        else:
            kept = "had no checkpoint yet; it starts again"
        board.line(f"run {number} · {cell.label}: {kept}")


def _what(cells: Sequence[CellSpec]) -> str:
    phases = {cell.phase for cell in cells}
    words = {"base": "base", "tune": "tuning", "confirm": "confirming"}
    return " and ".join(word for phase, word in words.items() if phase in phases)
