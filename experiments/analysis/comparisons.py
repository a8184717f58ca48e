"""A study's estimates and comparisons, from the statistics that its outcomes hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from eval.audit import refused
from eval.metrics import Metric, all_metrics
from eval.statistics import compare as stats
from experiments.design.study import StudySpec
from toolkit.errors import UserError
from toolkit.records import Comparison, Condition, Estimate, Finding, StudyRecords
from toolkit.specs import BASE

Side = tuple[Condition, str]  # condition, method
Rows = dict[str, list[tuple[float, ...] | None]]  # metric -> statistics of each document
Statistics = dict[Side, dict[int, Rows]]  # side -> seed -> rows


def statistics_of(records: StudyRecords) -> Statistics:
    """Return every side's per-document statistics, seeds in ascending order.

    Raises UserError if runs of one condition were evaluated on different documents: documents are paired by
    their index.
    """
    statistics: Statistics = {}
    documents: dict[Condition, list[str]] = {}
    for cell in sorted(records.evaluated, key=lambda c: c.seed):
        rows = records.statistics(cell)
        ids = [row.document_id for row in rows]
        if documents.setdefault(cell.condition, ids) != ids:
            raise UserError(
                f"{cell.run_id} was evaluated on other documents than other runs of its condition: delete "
                f"eval-{cell.eval_digest}.* in its folder and run again"
            )
        by_metric = {name: [row.metrics.get(name) for row in rows] for name in all_metrics()}
        statistics.setdefault((cell.condition, cell.method), {})[cell.seed] = by_metric
    return statistics


def estimates(statistics: Statistics) -> list[Estimate]:
    """Every method on every metric, with its interval over seeds and documents."""
    result = []
    for (condition, method), seeds in statistics.items():
        for name, item in all_metrics().items():
            table = stats.stack([rows[name] for rows in seeds.values()])
            found = stats.estimate(item, table)
            result.append(
                Estimate(
                    **condition._asdict(),
                    method=method,
                    metric=name,
                    value=found.value,
                    low=found.low,
                    high=found.high,
                    seeds=len(seeds),
                    documents=int((~np.isnan(table).any(axis=(0, 2))).sum()),
                    speaks_about=found.speaks_about,
                    unit=item.unit,
                    label=item.label,
                )
            )
    return result


def comparisons(
    study: StudySpec, statistics: Statistics, headline: Sequence[Metric], findings: Sequence[Finding]
) -> list[Comparison]:
    """Every method against the baseline, then every method against the untouched base."""
    asked = [
        (condition, method, against, item)
        for against in (study.baseline, BASE)
        for condition, method in statistics
        if method not in (against, BASE) and (condition, against) in statistics
        for item in headline
    ]
    margins = {item.name: study.margins.get(item.name, item.margin) for item in headline}
    found = [
        compare(statistics, findings, *one, margins[one[-1].name], seeds=study.seeds, tests=len(asked))
        for one in asked
    ]
    return [one for one in found if one is not None]


def compare(
    statistics: Statistics,
    findings: Sequence[Finding],
    condition: Condition,
    method: str,
    against: str,
    item: Metric,
    margin: float | None,
    *,
    seeds: Sequence[int],
    tests: int,
) -> Comparison | None:
    """Two methods on a metric, refused where the audit says so; None where one of them is not there."""
    ours, theirs = statistics.get((condition, method)), statistics.get((condition, against))
    if ours is None or theirs is None:
        return None
    why = refused(findings, condition, {method, against})
    for name, side in ((method, ours), (against, theirs)):
        if name != BASE and (lost := sorted(set(seeds) - side.keys())):
            why = f"{name} has no evaluated run of seed {', '.join(map(str, lost))}"
    shared = {
        **condition._asdict(),
        "method": method,
        "baseline": against,
        "metric": item.name,
        "direction": item.direction,
        "unit": item.unit,
        "label": item.label,
    }
    return _refusal(shared, why) if why else _comparison(shared, item, margin, ours, theirs, tests)


def _comparison(
    shared: dict[str, Any],
    item: Metric,
    margin: float | None,
    ours: dict[int, Rows],
    theirs: dict[int, Rows],
    tests: int,
) -> Comparison:
    found = stats.compare(
        item,
        stats.stack([rows[item.name] for rows in ours.values()]),
        stats.stack([rows[item.name] for rows in theirs.values()]),
        margin=margin,
        tests=tests,
    )
    excluded = f"{found.excluded} documents without a value on one side" if found.excluded else None
    return Comparison(
        **shared,
        difference=found.difference,
        low=found.low,
        high=found.high,
        p=found.p,
        p_holm=None,
        margin=found.margin,
        verdict=found.verdict,
        speaks_about=found.speaks_about,
        unseeded=found.unseeded,
        seeds=found.seeds,
        documents=found.documents,
        smallest_detectable=found.smallest_detectable,
        needed_documents=found.needed_documents,
        needed_seeds=found.needed_seeds,
        reason=found.reason or excluded,
    )


def _refusal(shared: dict[str, Any], why: str) -> Comparison:
    empty = dict.fromkeys(("difference", "low", "high", "p", "p_holm", "margin"))
    return Comparison(
        **shared, **empty, verdict="refused", speaks_about=None, seeds=0, documents=0, reason=why
    )


def with_holm(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """The verdicts again, by the p-values corrected over all comparisons of the study."""
    corrected = stats.holm([c.p for c in comparisons])
    result = []
    for c, p in zip(comparisons, corrected, strict=True):
        again = (
            c.verdict
            if c.verdict == "refused"
            else stats.verdict(c.low, c.high, p, margin=c.margin, direction=c.direction)
        )
        update: dict[str, Any] = {"p_holm": p, "verdict": again}
        if again != "undecided":
            update |= {"needed_documents": None, "needed_seeds": None}
        result.append(c.model_copy(update=update))
    return result
