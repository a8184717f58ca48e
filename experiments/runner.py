"""Brings a study up to date: runs what is missing, tunes before it confirms, concludes, draws the report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from eval import general
from eval.harness import contexts_of, evaluation_digest, is_current
from eval.metrics import not_offered
from experiments import edited, executors
from experiments.conclude import conclude, headline_metrics, results_folder
from experiments.grid import Grid, Planned
from experiments.progress import Board
from experiments.study import StudySpec
from experiments.worker import Job
from toolkit import config, weights
from toolkit.errors import UserError
from toolkit.records import Conclusions
from toolkit.store import RunFolder, write_text


def bring_up_to_date(study: StudySpec, root: Path, board: Board, *, at_once: int = 1) -> Conclusions:
    """Run what is missing and conclude. Finished work is never repeated; killed work goes on."""
    headline_metrics(study)  # an unknown metric is told before anything runs
    write_text(
        root / "runs" / ".gitignore", "*\n"
    )  # a folder that can't be written is told before anything runs
    for model in study.base_models:
        weights.check(model)
    if study.evaluate.general:
        general.check(study.evaluate.general)
    for said in not_offered().values():
        board.say(said)
    grid = Grid(study, root)
    results = results_folder(root, study.name)
    if left_behind := edited.note(grid, results, grid.cells()):
        board.say(left_behind)
    edited.keep(grid, results)
    errors: dict[str, str] = {}
    planned: list[Planned] = []
    known: set[str] = set()
    # What has run decides what is next: a wider grid, the next round of a search, the confirming runs.
    while new := [cell for cell in grid.cells() if _key(cell) not in known]:
        total = len(planned) + len(new) + grid.waiting([*planned, *new])
        errors |= _execute(grid, new, board, at_once, len(planned), total)
        grid.lost |= errors.keys()
        planned += new
        known |= {_key(cell) for cell in new}
    return conclude(grid, planned, errors)


def _key(cell: Planned) -> str:
    """What a cell is: one run may be tried in a search and confirm under another condition."""
    return f"{cell.run.run_id} {cell.phase} {cell.setting.condition}"


def run_probes(grid: Grid, probes: Sequence[Planned], board: Board) -> None:
    """Run the short runs that tell what a study will cost. Raises UserError where one fails."""
    errors = _execute(grid, probes, board, 1, 0, len(probes))
    if errors:
        raise UserError(f"a probe failed: {next(iter(errors.values()))}")


def state(grid: Grid, cell: Planned) -> str:
    """Whether a cell is done or still to do."""
    return "done" if is_done(grid, cell) else "to do"


def is_done(grid: Grid, cell: Planned) -> bool:
    """Whether nothing is left to do for a cell."""
    folder = RunFolder(grid.root, cell.run.run_id)
    record = grid.record(cell)
    if record is None:
        return False
    if cell.phase == "tune" or record.status == "diverged":
        return True
    form = config.form(cell.dataset.format)
    test = grid.prepared(cell.dataset, cell.setting.data).fingerprints["test"]
    digest = evaluation_digest(grid.study.evaluate, test, form)
    return is_current(folder, digest, contexts_of(grid.study.evaluate, form))


def _execute(
    grid: Grid, cells: Sequence[Planned], board: Board, at_once: int, before: int, total: int
) -> dict[str, str]:
    """Run the cells that are not done; run id -> what went wrong."""
    todo = [(number, cell) for number, cell in enumerate(cells, start=before + 1) if not is_done(grid, cell)]
    if len(cells) > len(todo):
        board.say(f"{len(cells) - len(todo)} of {len(cells)} {_what(cells)} runs are there already")
    jobs = [
        Job(
            root=str(grid.root),
            run=cell.run,
            dataset=cell.dataset,
            data=cell.setting.data,
            evaluate=None if cell.phase == "tune" else grid.study.evaluate,
        )
        for _, cell in todo
    ]

    def listen(index: int, event: dict[str, object]) -> None:
        number, cell = todo[index]
        key = cell.run.run_id
        if event["event"] == "begin":
            rate = "" if cell.run.learning_rate is None else f" at {cell.run.learning_rate:g}"
            board.begin(
                key, f"run {number} of {total} · {cell.model.name} {cell.method}{rate}, seed {cell.run.seed}"
            )
        elif event["event"] == "end":
            board.end(key, f"failed: {event['error']}" if event["error"] else "done")
        else:
            board.event(key, event)

    ended = executors.local(jobs, at_once, listen)
    return {cell.run.run_id: e.error for (_, cell), e in zip(todo, ended, strict=True) if e.error}


def _what(cells: Sequence[Planned]) -> str:
    phases = {cell.phase for cell in cells}
    words = {"anchor": "anchor", "tune": "tuning", "confirm": "confirming"}
    return " and ".join(word for phase, word in words.items() if phase in phases)
