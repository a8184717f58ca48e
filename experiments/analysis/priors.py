"""What the seeds of a study's methods say of each other's seed variance, for its comparisons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

from eval.metrics import Metric
from eval.metrics.base import Floats
from eval.statistics.crossed import SeedPrior
from eval.statistics.observations import Rows, complete, differences, stack
from eval.statistics.variance_components import seed_priors, seed_ratio
from toolkit.records import Condition
from toolkit.specs import BASE

Side = tuple[Condition, str]  # condition, method
Statistics = Mapping[Side, Mapping[int, Mapping[str, Rows]]]  # side -> seed -> metric -> rows


def seed_priors_of(
    statistics: Statistics, pairs: Sequence[Side], against: str, metrics: Sequence[Metric]
) -> dict[tuple[Condition, str, str], SeedPrior]:
    """Return what the seeds of a condition's methods say of each other: (condition, method, metric) -> prior.

    Of methods that have the baseline's seeds, at least two; a condition with fewer than three such methods
    has none. The pairs of all its methods say what is usual on a metric.
    """
    priors: dict[tuple[Condition, str, str], SeedPrior] = {}
    for condition in dict.fromkeys(condition for condition, _ in pairs):
        seeds = set(statistics[condition, against])
        sides = [side for side in statistics if side[0] == condition and set(statistics[side]) == seeds]
        methods = [against, *(method for _, method in sides if method not in (against, BASE))]
        if len(seeds) < 2 or len(methods) < 3:
            continue
        own, every = [], []
        for item in metrics:
            tables = [
                stack([rows[item.name] for _, rows in sorted(statistics[condition, method].items())])
                for method in methods
            ]
            ratios = {
                (first, second): _ratio(item, tables[second], tables[first])
                for first, second in combinations(range(len(methods)), 2)
            }
            own.append([ratios[0, place] for place in range(1, len(methods))])
            every.append(list(ratios.values()))
        for item, of_metric in zip(metrics, seed_priors(own, every, len(seeds)), strict=True):
            for method, prior in zip(methods[1:], of_metric, strict=True):
                if prior is not None:
                    priors[condition, method, item.name] = prior
    return priors


def _ratio(item: Metric, ours: Floats, theirs: Floats) -> float | None:
    """Return how much more seeds vary than chance at each document, of a pair of methods."""
    (first, second), _ = complete(item, ours, theirs)
    return seed_ratio(differences(item, first, second)) if first.shape[1] > 1 else None
