"""A study's statistics as its runs left them, side by side, and what seeds say of each other's variance."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from eval.metrics import Metric, all_metrics
from eval.metrics.base import Floats
from eval.statistics.crossed import SeedPrior
from eval.statistics.observations import complete, differences, stack
from eval.statistics.variance_components import seed_priors, seed_ratio, uneven_methods
from toolkit.errors import UserError
from toolkit.records import Condition, DocumentStatistics, StudyRecords
from toolkit.specs import BASE

Side = tuple[Condition, str]  # condition, method
Rows = dict[str, list[tuple[float, ...] | None]]  # metric -> statistics of each document


class Statistics(dict[Side, dict[int, Rows]]):
    """Side -> seed -> rows, and which documents of a condition are not independent of each other."""

    def __init__(self) -> None:
        super().__init__()
        self.clusters: dict[Condition, list[str]] = {}
        """One label per document; only of conditions in which two documents share one."""
        self.unseeded: set[str] = set()
        """Methods that are one set of weights, trained elsewhere, or are converted from one: they have one
        run, whatever the seeds."""
        self.converted: set[str] = set()
        """Methods that are converted from another one: their seeds say nothing that its own don't."""


def statistics_of(records: StudyRecords) -> Statistics:
    """Return every side's per-document statistics, seeds in ascending order.

    Raises UserError if runs of one condition were evaluated on different documents: documents are paired by
    their index.
    """
    statistics = Statistics()
    documents: dict[Condition, list[str]] = {}
    for cell in sorted(records.evaluated, key=lambda c: c.seed):
        rows = records.statistics(cell)
        ids = [row.document_id for row in rows]
        if documents.setdefault(cell.condition, ids) != ids:
            raise UserError(
                f"{cell.run_id} was evaluated on other documents than other runs of its condition: delete "
                f"eval-{cell.eval_digest}.* in its folder and run again"
            )
        clusters = clusters_of(rows)
        if clusters is not None:
            statistics.clusters[cell.condition] = clusters
        by_metric = {name: [row.metrics.get(name) for row in rows] for name in all_metrics()}
        statistics.setdefault((cell.condition, cell.method), {})[cell.seed] = by_metric
    methods = {cell.method: records.runs[cell.run_id].spec.method for cell in records.evaluated}
    once = {name for name, method in methods.items() if method.elsewhere}
    statistics.unseeded = once | {name for name, method in methods.items() if method.convert in once}
    statistics.converted = {name for name, method in methods.items() if method.convert}
    return statistics


def clusters_of(rows: Sequence[DocumentStatistics]) -> list[str] | None:
    """Return one label per document; None if no two documents share one."""
    labels = [row.cluster for row in rows]
    return labels if len(set(labels)) < len(labels) else None


def count(table: Floats, clusters: Sequence[str] | None) -> int:
    """Return on how many documents, or clusters of documents, a metric is defined at every seed."""
    defined = ~np.isnan(table).any(axis=(0, 2))
    if clusters is None:
        return int(defined.sum())
    return len(
        {label for label, there in zip(clusters, np.atleast_1d(defined).tolist(), strict=True) if there}
    )


def unmeasured(item: Metric, seeds: Sequence[Sequence[tuple[float, ...] | None]]) -> bool:
    """Whether a metric that is not for every format has no value at all: it is left out, and is not zero."""
    for_some = type(item).defined_on is not Metric.defined_on
    return for_some and all(row is None for rows in seeds for row in rows)


def seed_priors_of(
    statistics: Statistics, pairs: Sequence[Side], against: str, metrics: Sequence[Metric]
) -> dict[tuple[Condition, str, str], SeedPrior]:
    """Return what the seeds of a condition's methods say of each other: (condition, method, metric) -> prior.

    Of trained methods that have the baseline's seeds, at least two; a condition with fewer than three such
    methods has none, and neither has a method whose seeds vary more than the others', nor any if the
    baseline's do (`uneven_methods`). The pairs of all its methods say what is usual on a metric. Chance is
    that of clusters if documents are not independent.
    """
    priors: dict[tuple[Condition, str, str], SeedPrior] = {}
    for condition in dict.fromkeys(condition for condition, _ in pairs):
        seeds = set(statistics[condition, against])
        sides = [side for side in statistics if side[0] == condition and set(statistics[side]) == seeds]
        left_out = {against, BASE, *statistics.converted}
        methods = [against, *(method for _, method in sides if method not in left_out)]
        if len(seeds) < 2 or len(methods) < 3:
            continue
        clusters = statistics.clusters.get(condition)
        own, every, values = [], [], []
        for item in metrics:
            tables = [
                stack([rows[item.name] for _, rows in sorted(statistics[condition, method].items())])
                for method in methods
            ]
            ratios = {
                (first, second): _ratio(item, tables[second], tables[first], clusters)
                for first, second in combinations(range(len(methods)), 2)
            }
            own.append([ratios[0, place] for place in range(1, len(methods))])
            every.append(list(ratios.values()))
            values.append([item.aggregate(np.nansum(table, axis=1)).tolist() for table in tables])
        uneven = {methods[place] for place in uneven_methods(values)}
        for item, of_metric in zip(metrics, seed_priors(own, every, len(seeds)), strict=True):
            for method, prior in zip(methods[1:], of_metric, strict=True):
                if prior is not None and not uneven & {method, against}:
                    priors[condition, method, item.name] = prior
    return priors


def _ratio(item: Metric, ours: Floats, theirs: Floats, clusters: Sequence[str] | None) -> float | None:
    """Return how much more seeds vary than chance at each document or cluster, of a pair of methods."""
    (first, second), _ = complete(item, ours, theirs, clusters=clusters)
    if first.shape[1] < 2:
        return None
    return seed_ratio(differences(item, first, second, share=item.binary and clusters is None))
