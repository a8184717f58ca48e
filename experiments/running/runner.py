"""Brings a study up to date: runs what is missing, tunes before it confirms, concludes, draws the report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from eval import general_text
from eval.harness import contexts_of, evaluation_digest, is_current
from eval.metrics import unavailable
from experiments.analysis.conclude import conclude, headline_metrics, results_folder
from experiments.design import edits
from experiments.design.grid import Grid, Planned
from experiments.design.study import StudySpec
from experiments.running.board import Board
from experiments.running.executors import Executor
from experiments.running.executors.local import Local
from experiments.running.executors.process import log_tail
from experiments.running.job import Job
from toolkit.errors import UserError
from toolkit.events import Ended, Event, Started
from toolkit.models import locate
from toolkit.records import Conclusions, Failure
from toolkit.records.files import write_text
from toolkit.records.folders import RunFolder

State = Literal["done", "failed", "to do", "to evaluate", "to measure"]


def bring_up_to_date(
    study: StudySpec,
    root: Path,
    board: Board,
    *,
    execute: Executor | None = None,
    retry_failed: bool = False,
) -> Conclusions:
    """Run what is missing and conclude. Finished work is never repeated; killed work goes on.

    A run that has failed before is left alone unless ``retry_failed``.
    """
    headline_metrics(study)  # an unknown metric is told before anything runs
    write_text(
        root / "runs" / ".gitignore", "*\n"
    )  # a folder that can't be written is told before anything runs
    for model in study.base_models:
        locate.check(model)
    if study.evaluate.general:
        general_text.check(study.evaluate.general)
    execute = execute or Local()
    grid = Grid(study, root)
    results = results_folder(root, study.name)
    if left_behind := edits.note(grid, results, grid.cells()):
        board.say(left_behind)
    edits.keep(grid, results)
    for said in unavailable().values():
        board.say(said)
    errors: dict[str, str] = {}
    planned: list[Planned] = []
    known: set[str] = set()
    # What has run decides what is next: a wider grid, the next round of a search, the confirming runs.
    while new := [cell for cell in grid.cells() if _key(cell) not in known]:
        total = len(planned) + len(new) + grid.waiting([*planned, *new])
        board.plan(total)
        errors |= _execute(grid, new, board, execute, retry_failed, len(planned))
        grid.lost |= errors.keys()
        planned += new
        known |= {_key(cell) for cell in new}
    return conclude(grid, planned, errors)


def _key(cell: Planned) -> str:
    """What a cell is: one run may be tried in a search and confirm under another condition."""
    return f"{cell.run.run_id} {cell.phase} {cell.setting.condition}"


def run_probes(grid: Grid, probes: Sequence[Planned], board: Board) -> None:
    """Run the short runs that tell what a study will cost. Raises UserError where one fails."""
    board.plan(len(probes))
    errors = _execute(grid, probes, board, Local(1), True, 0)
    if errors:
        raise UserError(f"a probe failed: {next(iter(errors.values()))}")


def state(grid: Grid, cell: Planned) -> State:
    """Whether a cell is done, has failed, or what is left of it.

    A trained run is *to evaluate*; one that has been asked already, but not measured by every metric that
    there is now, is *to measure*, which is arithmetic.
    """
    folder = RunFolder(grid.root, cell.run.run_id)
    record = grid.record(cell)
    left: State = "to do"
    if record is not None:
        if cell.phase == "tune" or record.status == "diverged":
            return "done"
        form = cell.dataset.format
        test = grid.prepared(cell.dataset, cell.setting.data).fingerprints["test"]
        digest = evaluation_digest(grid.study.evaluate, test, form)
        if is_current(folder, digest, contexts_of(grid.study.evaluate, form)):
            return "done"
        left = "to measure" if folder.outcomes(digest).is_file() else "to evaluate"
    return "failed" if failure(grid, cell) else left


def failure(grid: Grid, cell: Planned) -> Failure | None:
    """Why a cell could not be brought up to date, where that was tried; for a cell that is not done."""
    folder = RunFolder(grid.root, cell.run.run_id)
    if not folder.failure.is_file():
        return None
    found = Failure.read(folder.failure)
    trained = folder.record.is_file()  # then it was the evaluation that failed
    return None if trained and found.evaluate != grid.study.evaluate else found


def _execute(
    grid: Grid,
    cells: Sequence[Planned],
    board: Board,
    execute: Executor,
    retry_failed: bool,
    before: int,
) -> dict[str, str]:
    """Run the cells that are to be run; run id -> what went wrong, now or before."""
    numbered = list(enumerate(cells, start=before + 1))
    states = {number: state(grid, cell) for number, cell in numbered}
    todo = [
        (number, cell)
        for number, cell in numbered
        if states[number] not in ("done", "failed") or (retry_failed and states[number] == "failed")
    ]
    old = [cell for number, cell in numbered if states[number] == "failed"]
    errors = {cell.run.run_id: found.error for cell in old if (found := failure(grid, cell))}
    there = sum(found == "done" for found in states.values())
    board.found(there, 0 if retry_failed else len(old))
    if there:
        board.say(f"{there} of {len(cells)} {_what(cells)} runs are there already")
    if old and not retry_failed:
        what = f"{len(old)} of {len(cells)} {_what(cells)} runs"
        board.say(f"{what} failed before and are left alone; --retry-failed tries them again")
    jobs = jobs_of(grid, [cell for _, cell in todo])

    def listener(index: int, event: Event) -> None:
        number, cell = todo[index]
        key = str(number)
        if isinstance(event, Started):
            board.begin(key, number, _words(cell), event.node)
        elif isinstance(event, Ended):
            if event.error:
                _note(grid, jobs[index], event.error, board)
            board.end(key, event.error)
        else:
            board.event(key, event)

    try:
        ended = execute(jobs, listener)
    except KeyboardInterrupt:
        _tell_what_is_kept(grid, todo, board)
        raise
    for (_, cell), error in zip(todo, ended, strict=True):
        errors.pop(cell.run.run_id, None)
        if error:
            errors[cell.run.run_id] = error
    return errors


def jobs_of(grid: Grid, cells: Sequence[Planned]) -> list[Job]:
    """What workers are told to bring the cells up to date."""
    return [
        Job(
            root=str(grid.root.resolve()),
            run=cell.run,
            dataset=cell.dataset,
            data=cell.setting.data,
            evaluate=None if cell.phase == "tune" else grid.study.evaluate,
            report_to=grid.study.report_to,
        )
        for cell in cells
    ]


def _note(grid: Grid, job: Job, error: str, board: Board) -> None:
    """Record a failure. Where even that can't be written, the run is simply tried again next time."""
    folder = RunFolder(grid.root, job.run.run_id)
    found = Failure(run_id=job.run.run_id, error=error, evaluate=job.evaluate, log=log_tail(folder))
    try:
        found.write(folder.failure)
    except UserError as problem:
        board.say(f"the failure could not be recorded: {problem}")


def _tell_what_is_kept(grid: Grid, todo: Sequence[tuple[int, Planned]], board: Board) -> None:
    board.say("stopped")
    for number, cell in todo:
        folder = RunFolder(grid.root, cell.run.run_id)
        if str(number) not in board.running:
            continue
        if folder.record.is_file():
            kept = "is trained; its evaluation starts again"
        elif folder.last_checkpoint:
            kept = f"goes on from step {folder.last_checkpoint.name.rpartition('-')[2]}"
        else:
            kept = "had no checkpoint yet; it starts again"
        board.say(f"run {number} · {_words(cell)}: {kept}")


def _words(cell: Planned) -> str:
    rate = "" if cell.run.learning_rate is None else f" at {cell.run.learning_rate:g}"
    return f"{cell.model.name} {cell.method}{rate}, seed {cell.run.seed}"


def _what(cells: Sequence[Planned]) -> str:
    phases = {cell.phase for cell in cells}
    words = {"anchor": "anchor", "tune": "tuning", "confirm": "confirming"}
    return " and ".join(word for phase, word in words.items() if phase in phases)
