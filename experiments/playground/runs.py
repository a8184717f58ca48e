"""Which runs of a study are shown beside each other: of each method the first, all of one condition."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from experiments.sharing.trust import base_of
from toolkit.errors import UserError
from toolkit.records import Cell, Conclusions, RunRecord
from toolkit.records.folders import Root, RunFolder
from toolkit.specs import AnyFormat

Runs = dict[str, tuple[RunRecord, RunFolder]]
"""Method -> its run's record, with the base model that may be loaded for it here, and its folder."""


def first_runs(
    conclusions: Conclusions, command: str, methods: Sequence[str] = (), *, with_base: bool = False
) -> list[Cell]:
    """Return each method's first finished run that was no tuning run, of the study's first condition.

    The untouched base comes first. ``methods``: only these; and the base too ``with_base``. Raises UserError,
    in the name of ``command``, without any finished run or if one of ``methods`` has none.
    """
    finished = [cell for cell in conclusions.cells if cell.status == "finished" and cell.phase != "tune"]
    if not finished:
        raise UserError(
            f"{command}: study '{conclusions.study}' has no finished run yet; `bakeoff run` it first"
        )
    first: dict[str, Cell] = {}
    for cell in sorted(finished, key=lambda cell: not cell.is_base):
        if cell.condition == finished[0].condition:
            first.setdefault(cell.method, cell)
    if missing := [name for name in methods if name not in first]:
        raise UserError(f"{command}: '{missing[0]}' has no finished run. Finished: {', '.join(first)}")
    chosen = [cell for cell in first.values() if not methods or cell.method in methods]
    base = [cell for cell in first.values() if cell.is_base and with_base and cell not in chosen]
    return [*base, *chosen]


def loadable(
    cells: Sequence[Cell], root: Path, command: str, *, trust_remote_code: bool | None = None
) -> Runs:
    """Return what is needed to load each cell's model.

    Raises UserError if weights are on another machine, or for a base that its record may not decide to load
    (see `base_of`).
    """
    runs: Runs = {}
    for cell in cells:
        folder = Root(root).run(cell.run_id)
        if not cell.is_base:
            folder.require_artifact()
        record = RunRecord.read(folder.record)
        base = base_of(record, folder, command, trust_remote_code=trust_remote_code)
        spec = record.spec.model_copy(update={"model": base})
        runs[cell.method] = record.model_copy(update={"spec": spec}), folder
    return runs


def format_of(records: Iterable[RunRecord]) -> AnyFormat | None:
    """Return the format of the documents that the runs were trained on; None if none was trained here."""
    trained = (record.spec.dataset for record in records)
    return next((dataset.format for dataset in trained if dataset is not None), None)
