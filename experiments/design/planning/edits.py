"""Which finished runs a study no longer includes since its file was last run: they are named, and stay."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.design.conditions import CellSpec
from experiments.design.spec import StudySpec
from experiments.design.study import load, written_out
from experiments.design.study_state import StudyState
from toolkit.errors import UserError
from toolkit.records import Conclusions, hashes

NAMED = 3
"""At most this many runs are named one by one."""


def no_longer_included(study_state: StudyState, cells: Sequence[CellSpec]) -> list[CellSpec]:
    """Finished runs of the study as it was last run that are none of ``cells``, and will not become one.

    Empty if the study is new, unchanged or imported: whose data and bases an imported file names would be
    opened to tell. Raises UserError if the old file can't be read.
    """
    folder = study_state.root.results(study_state.study.name)
    if not folder.study.is_file() or folder.imported.is_file():
        return []
    before = load(str(folder.study))
    if before == study_state.study:
        return []
    old = StudyState(before, study_state.root.path).prepare()
    now = {cell.run.run_id for cell in cells}
    undecided = {(cell.condition, cell.method) for cell in study_state.undecided_cells(cells)}
    # A search that is not over may ask again for rates beyond the grid, and confirm what is confirmed.
    trained_alike = _training(before) == _training(study_state.study)
    searched_alike = {
        name
        for name, entry in study_state.study.methods.items()
        if before.methods.get(name) == entry and before.search == study_state.study.search
    }
    return [
        cell
        for cell in old.cells()
        if cell.run.run_id not in now
        and old.record(cell) is not None
        and not (
            trained_alike
            and (cell.condition, cell.method) in undecided
            and (cell.phase == "confirm" or cell.method in searched_alike)
        )
    ]


def _training(study: StudySpec) -> tuple[object, ...]:
    """What is the same in all runs of a study: if it is another, so is each of them."""
    data = study.data.model_dump(exclude={"train", "further_test"})
    return data, study.train.model_dump(exclude={"epochs", "processes", "distributed"}), study.tuning_seeds


def with_other_files(study_state: StudyState, cells: Sequence[CellSpec]) -> int:
    """Return how many trained runs the study concluded on, if none of them is one of ``cells``; else 0.

    A run's identity holds the content of its data and of its base: other files in the same place are other
    runs, all of them, though the study's file is as it was. Raises UserError for damaged conclusions.
    """
    path = study_state.root.results(study_state.study.name).conclusions
    if not path.is_file():
        return 0
    concluded = {cell.run_id for cell in Conclusions.read(path).cells if not cell.is_base}
    return 0 if concluded & {cell.run.run_id for cell in cells} else len(concluded)


def describe_edit(study_state: StudyState, cells: Sequence[CellSpec]) -> str | None:
    """One line about finished runs that an edit has excluded; None if there are none."""
    try:
        excluded = no_longer_included(study_state, cells)
        replaced = 0 if excluded else with_other_files(study_state, cells)
    except UserError as error:
        return f"the study as it was last run can't be read: {error}"
    if replaced:
        return (
            f"the data or the base model is not as it was last run: none of the {replaced} trained runs that "
            f"the study concluded on belongs to it any more. They stay in {study_state.root.runs}"
        )
    if not excluded:
        return None
    names = "; ".join(cell.label for cell in excluded[:NAMED])
    more = f" and {len(excluded) - NAMED} more" if len(excluded) > NAMED else ""
    count = (
        "1 finished run no longer belongs"
        if len(excluded) == 1
        else f"{len(excluded)} finished runs no longer belong"
    )
    return (
        f"the study is not as it was last run: {count} to it ({names}{more}). "
        f"They stay in {study_state.root.runs}"
    )


def write_study(study_state: StudyState) -> None:
    """Write the study, names resolved, to `study.yaml` in its results; that file runs as it is."""
    folder = study_state.root.results(study_state.study.name)
    hashes.write_sealed(folder.study, written_out(study_state.study).encode())
    folder.imported.unlink(missing_ok=True)  # it is ours now
