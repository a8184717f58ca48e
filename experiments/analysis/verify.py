"""`bakeoff verify`: whether a study's records are whole, belong together, and give its verdicts."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from eval.metrics import all_metrics
from eval.metrics.base import number
from eval.statistics.crossed import ALPHA
from eval.statistics.observations import complete, stack
from eval.statistics.verdicts import with_holm
from experiments.analysis.comparisons import comparisons
from experiments.analysis.statistics import statistics_of
from experiments.design import study as studies
from toolkit.errors import UserError
from toolkit.records import Cell, Comparison, Conclusions, RunRecord, StudyRecords
from toolkit.records.folders import Root

TOLERANCE = 1e-9
"""Relative, of a metric's value: it is the same arithmetic again. Intervals get a thousand times as much."""


class Problem(NamedTuple):
    """Something that does not hold."""

    where: str
    """A file under the root folder."""
    what: str


class Verified(NamedTuple):
    """What was checked, and what does not hold."""

    study: str
    runs: int
    evaluations: int
    values: int
    """Metric values that were computed again from the statistics."""
    verdicts: int
    """Comparisons that were computed again from the statistics."""
    problems: tuple[Problem, ...]


def verify(conclusions: Conclusions, root: Path) -> Verified:
    """Check every record of a concluded study, and compute its values and verdicts again.

    A run's id must follow from its spec, an evaluation must be of its run, outcomes and statistics must be of
    the same documents, each metric must be what its statistics add up to, and each comparison what the
    statistics of both sides give. Whatever does not hold is a problem, never an exception.
    """
    folders = Root(root)
    problems: list[Problem] = []
    sound: list[Cell] = []
    counts = {"evaluations": 0, "values": 0}
    for cell in {cell.run_id: cell for cell in conclusions.cells if cell.status != "failed"}.values():
        found = list(_guarded(folders.run(cell.run_id).path, partial(_run, cell, folders)))
        if not found and cell.eval_digest is not None:
            values, wrong = _evaluation(cell, folders)
            counts["evaluations"] += 1
            counts["values"] += values
            found += wrong
        problems += found
        sound += [] if found else [cell]
    ids = {cell.run_id for cell in sound}
    records = StudyRecords.read([cell for cell in conclusions.cells if cell.run_id in ids], folders)
    verdicts = 0
    if not problems:
        verdicts, wrong = _verdicts(conclusions, records, folders)
        problems += wrong
    return Verified(
        study=conclusions.study,
        runs=len({cell.run_id for cell in conclusions.cells if cell.status != "failed"}),
        **counts,
        verdicts=verdicts,
        problems=tuple(problems),
    )


def _guarded(path: Path, check: Callable[[], Iterator[Problem]]) -> Iterator[Problem]:
    """Yield what a check yields; a record that cannot be read is a problem too."""
    try:
        yield from check()
    except UserError as error:
        yield Problem(str(path), str(error))


def _run(cell: Cell, root: Root) -> Iterator[Problem]:
    folder = root.run(cell.run_id)
    record = RunRecord.read(folder.record)
    if not record.run_id == record.spec.run_id == cell.run_id:
        what = f"the spec has the id {record.spec.run_id}, and the folder is {cell.run_id}"
        yield Problem(str(folder.record), what)
    records = StudyRecords.read([cell], root)
    records.steps(cell)  # a damaged line is a UserError
    if cell.eval_digest is None:
        return
    evaluation = records.evaluations[cell.run_id]
    path = folder.evaluation(cell.eval_digest)
    if evaluation.run != record:
        yield Problem(str(path), "it is of another run than run.json")
    if evaluation.digest != cell.eval_digest:
        yield Problem(str(path), f"it has the digest {evaluation.digest}")
    asked = [outcome.document_id for outcome in records.outcomes(cell)]
    if asked != [row.document_id for row in records.statistics(cell)]:
        yield Problem(str(folder.statistics(cell.eval_digest)), "not of the documents of the outcomes")


def _evaluation(cell: Cell, root: Root) -> tuple[int, list[Problem]]:
    """Compute the headline setting's metrics again; return how many, and those that differ."""
    records = StudyRecords.read([cell], root)
    evaluation, rows = records.evaluations[cell.run_id], records.statistics(cell)
    path = root.run(cell.run_id).evaluation(evaluation.digest)
    known = {name: metric for name, metric in all_metrics().items() if name in evaluation.metrics}
    problems = []
    for name, metric in known.items():
        (whole,), _ = complete(metric, stack([[row.metrics.get(name) for row in rows]]))
        value = number(float(metric.aggregate(whole.sum(axis=1))[0])) if whole.shape[1] else None
        stated = evaluation.metrics[name].value
        if not _close(value, stated, TOLERANCE):
            problems.append(Problem(str(path), f"{name} is {stated}, and its statistics give {value}"))
    return len(known), problems


def _verdicts(conclusions: Conclusions, records: StudyRecords, root: Root) -> tuple[int, list[Problem]]:
    """Compare the study's comparisons with those that its statistics give now."""
    folder = root.results(conclusions.study)
    path = str(folder / "comparisons.json")
    try:
        study = studies.load(str(folder / "study.yaml"))
        looks, metrics = conclusions.sequential, study.headline_metrics()
        level = looks.now.level if looks else ALPHA
        again = with_holm(comparisons(study, statistics_of(records), metrics, conclusions.audit, level=level))
    except UserError as error:
        return 0, [Problem(path, f"cannot be computed again: {error}")]
    by_key = {_key(comparison): comparison for comparison in again}
    problems = []
    for stated in conclusions.comparisons:
        now = by_key.get(_key(stated))
        label = f"{stated.method} against {stated.baseline} on {stated.metric}"
        if now is None:
            problems.append(Problem(path, f"{label}: its records give no such comparison"))
        elif now.verdict != stated.verdict:
            problems.append(Problem(path, f"{label} is {stated.verdict}, and its records give {now.verdict}"))
        elif not all(
            _close(getattr(now, name), getattr(stated, name), 1000 * TOLERANCE)
            for name in ("difference", "low", "high", "p_holm")
        ):
            problems.append(Problem(path, f"{label}: its numbers are not those that its records give"))
    return len(conclusions.comparisons), problems


def _key(comparison: Comparison) -> tuple[object, ...]:
    return comparison.condition, comparison.method, comparison.baseline, comparison.metric


def _close(one: float | None, other: float | None, tolerance: float) -> bool:
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=tolerance, abs_tol=tolerance)
