"""Which finished runs a study no longer asks for, since its file was last run: they are named, and kept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from experiments.design.grid import Grid, Planned
from experiments.design.study import StudySpec
from toolkit import config
from toolkit.errors import UserError
from toolkit.records.files import write_text

NAMED = 3
"""So many runs are named one by one."""


def resolved(results: Path) -> Path:
    """`study.yaml` in a study's results: what its file said when it was last run, written out."""
    return results / "study.yaml"


def left_behind(grid: Grid, results: Path, cells: Sequence[Planned]) -> list[Planned]:
    """Finished runs of the study as it was last run that are none of ``cells``, and will not become one.

    Empty where the study is new or as it was. Raises UserError where the old file can't be read.
    """
    path = resolved(results)
    if not path.is_file():
        return []
    before = config.validate(StudySpec, config.read_yaml(path), str(path))
    if before == grid.study:
        return []
    old = Grid(before, grid.root)
    now = {cell.run.run_id for cell in cells}
    waiting = {(cell.setting.condition, cell.method) for cell in grid.to_come(cells)}
    return [
        cell
        for cell in old.cells()
        if cell.run.run_id not in now
        and old.record(cell) is not None
        and not (cell.phase == "confirm" and (cell.setting.condition, cell.method) in waiting)
    ]


def note(grid: Grid, results: Path, cells: Sequence[Planned]) -> str | None:
    """One line about runs that an edit has left behind; None where there are none."""
    try:
        gone = left_behind(grid, results, cells)
    except UserError as error:
        return f"what {resolved(results)} held before can't be told: {error}"
    if not gone:
        return None
    names = "; ".join(_words(cell) for cell in gone[:NAMED])
    more = f" and {len(gone) - NAMED} more" if len(gone) > NAMED else ""
    count = (
        "1 finished run no longer belongs"
        if len(gone) == 1
        else f"{len(gone)} finished runs no longer belong"
    )
    return f"the study was edited: {count} to it ({names}{more}). They stay in {grid.root / 'runs'}"


def keep(grid: Grid, results: Path) -> None:
    """Write down what the study asks for now."""
    write_text(resolved(results), config.dump_yaml(grid.study.model_dump(mode="json")))


def _words(cell: Planned) -> str:
    rate = "" if cell.run.learning_rate is None else f" at {cell.run.learning_rate:g}"
    return f"{cell.model.name} {cell.method}{rate}, seed {cell.run.seed}"
