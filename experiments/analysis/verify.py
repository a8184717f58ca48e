"""`bakeoff verify`: whether a study's or a run's records are as written, and give its numbers."""

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
from toolkit.records import (
    Comparison,
    Conclusions,
    EvaluationRecord,
    Outcome,
    RunRecord,
    Step,
    StudyRecords,
    hashes,
    read_lines,
    read_statistics,
)
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

    name: str
    """Of the study or run."""
    runs: int
    evaluations: int
    values: int
    """Metric values that were computed again from the statistics."""
    verdicts: int
    """Comparisons that were computed again from the statistics."""
    without_hashes: int
    """Runs without `hashes.json`, made before there was one: a change that fits the schema is not seen."""
    problems: tuple[Problem, ...]


def verify(conclusions: Conclusions, root: Path) -> Verified:
    """Check every record of a concluded study, and compute its values and verdicts again.

    Every file must be as it was written, a run's id must follow from its spec, an evaluation must be of its
    run, outcomes and statistics must be of the same documents, each metric must be what its statistics add up
    to, and each comparison what the statistics of both sides give. Whatever does not hold is a problem, never
    an exception.
    """
    folders = Root(root)
    digests: dict[str, set[str]] = {}  # a base has an evaluation on each data set, a tuning run has none
    for cell in conclusions.cells:
        if cell.status != "failed":
            digests.setdefault(cell.run_id, set()).update([cell.eval_digest] if cell.eval_digest else [])
    checked = [
        _checked(run_id, digest, folders)
        for run_id, own in digests.items()
        for digest in sorted(own) or (None,)
    ]
    problems = list(_hashes(folders.results(conclusions.study).path))
    problems += dict.fromkeys(problem for one in checked for problem in one.problems)
    verdicts = 0
    if not problems:
        records = StudyRecords.read(conclusions.cells, folders)
        verdicts, wrong = _verdicts(conclusions, records, folders)
        problems += wrong
    return _together(conclusions.study, checked, problems, verdicts)


def verify_run(run_id: str, root: Path) -> Verified:
    """Check one run and every evaluation of it in the same way; it has no verdicts."""
    folders = Root(root)
    folder = folders.run(run_id)
    digests = folder.digests()
    checked = [_checked(run_id, digest, folders) for digest in digests or (None,)]
    problems = dict.fromkeys(problem for one in checked for problem in one.problems)
    return _together(run_id, checked, list(problems), 0)


def _together(name: str, checked: list[Verified], problems: list[Problem], verdicts: int) -> Verified:
    return Verified(
        name=name,
        runs=len({one.name for one in checked}),
        evaluations=sum(one.evaluations for one in checked),
        values=sum(one.values for one in checked),
        verdicts=verdicts,
        without_hashes=len({one.name for one in checked if one.without_hashes}),
        problems=tuple(problems),
    )


def _checked(run_id: str, digest: str | None, root: Root) -> Verified:
    """Check a run and one of its evaluations; an evaluation's values only if its files are sound."""
    folder = root.run(run_id)
    problems = list(_guarded(folder.path, partial(_run, run_id, digest, root)))
    values = 0
    if digest is not None and not problems:
        values, problems = _evaluation(run_id, digest, root)
    return Verified(
        name=run_id,
        runs=1,
        evaluations=0 if digest is None else 1,
        values=values,
        verdicts=0,
        without_hashes=0 if (folder.path / hashes.FILE).is_file() else 1,
        problems=tuple(problems),
    )


def _hashes(folder: Path) -> Iterator[Problem]:
    """Yield each file in ``folder`` that is missing or not as it was written."""
    for name, problem in (hashes.problems(folder) or {}).items():
        yield Problem(str(folder / name), problem)


def _guarded(path: Path, check: Callable[[], Iterator[Problem]]) -> Iterator[Problem]:
    """Yield what a check yields; a record that cannot be read is a problem too."""
    try:
        yield from check()
    except UserError as error:
        yield Problem(str(path), str(error))


def _run(run_id: str, digest: str | None, root: Root) -> Iterator[Problem]:
    folder = root.run(run_id)
    if changed := list(_hashes(folder.path)):
        yield from changed
        return
    record = RunRecord.read(folder.record)
    if not record.run_id == record.spec.run_id == run_id:
        what = f"the spec has the id {record.spec.run_id}, and the folder is {run_id}"
        yield Problem(str(folder.record), what)
    if folder.steps.is_file():
        read_lines(folder.steps, Step)  # a damaged line is a UserError
    if digest is None:
        return
    path = folder.evaluation(digest)
    evaluation = EvaluationRecord.read(path)
    if not evaluation.is_of(record):
        remedy = f"delete the files of {digest} and `bakeoff run` of its study makes them anew"
        yield Problem(str(path), f"it is of another run than run.json; {remedy}")
    if evaluation.digest != digest:
        yield Problem(str(path), f"it has the digest {evaluation.digest}")
    documents = [outcome.document_id for outcome in read_lines(folder.outcomes(digest), Outcome)]
    if documents != [row.document_id for row in read_statistics(folder, digest)]:
        yield Problem(str(folder.statistics(digest)), "not of the documents of the outcomes")


def _evaluation(run_id: str, digest: str, root: Root) -> tuple[int, list[Problem]]:
    """Compute the headline setting's metrics again; return how many, and those that differ."""
    folder = root.run(run_id)
    path = folder.evaluation(digest)
    evaluation, rows = EvaluationRecord.read(path), read_statistics(folder, digest)
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
    path = str(folder.conclusions)
    try:
        study = studies.load(str(folder.study))
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
