"""The value of a metric with its interval, and that of a share."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np

from eval.metrics.base import Floats, Metric, number
from eval.statistics.crossed import CONFIDENCE, influence, spread
from eval.statistics.observations import complete, repeated, with_both, without_error
from eval.statistics.resampling import one_seed_interval, studentised
from eval.statistics.verdicts import speaks_about
from toolkit.records import SpeaksAbout

INTERVAL_DRAWS = 4_000
"""Bootstrap draws of an interval without a p-value."""


class Interval(NamedTuple):
    """A value with its 95 % interval, and what the interval speaks about."""

    value: float | None
    low: float | None
    high: float | None
    speaks_about: SpeaksAbout


def estimate(
    metric: Metric, statistics: Floats, *, clusters: Sequence[Hashable] | None = None, seed: int = 0
) -> Interval:
    """Return the metric with its 95 % interval, from statistics ``[seeds, documents, k]`` (nan: undefined).

    The value is the mean of the seeds' values. One seed: Wilson's interval for a share of documents, else
    the bootstrap-t over documents; several: seeds and documents crossed, both random, about the jackknife's
    bias-corrected value, both within the metric's bounds. ``clusters``: one label per document, whose
    documents are not independent; a share then gets two clusters added that passed and two that failed. No
    interval with one document, if all documents have the same value, so that no error can be estimated, or
    if the metric is of the whole set or says that it rests on too little, as BLEU with few matches.
    """
    clusters = repeated(clusters, statistics)
    (whole,), _ = complete(metric, statistics, clusters=clusters)
    seeds, documents = whole.shape[:2]
    about = speaks_about(seeds)
    share = metric.binary and clusters is None
    if not documents:
        return Interval(None, None, None, about)
    sums = whole.sum(axis=1)
    by_seed = metric.aggregate(sums)
    value = number(by_seed.mean())
    alone = documents < 2 and not share
    if value is None or alone or metric.of_set or metric.unsupported(sums):
        return Interval(value, None, None, about)
    if seeds == 1 and share:
        low, high = wilson(float(whole[0, :, 0].sum()), documents)
        return Interval(value, low, high, about)
    values = whole[:, :, 0] if share else influence(metric, whole)
    values = with_both(values) if metric.binary else values
    if not np.isfinite(values).all():
        return Interval(value, None, None, about)
    error, centre = spread(values), float(values.mean())
    if without_error(error, [by_seed]):
        return Interval(value, None, None, about)
    if seeds == 1:
        drawn = studentised(metric, (whole[0],), draws=INTERVAL_DRAWS, seed=seed)
        ends = one_seed_interval(drawn, value, centre, error)
        if ends is None:
            return Interval(value, None, None, about)
    else:
        half = error.quantile(CONFIDENCE)
        ends = min(centre - half, value), max(centre + half, value)
    lowest, highest = metric.bounds
    return Interval(value, max(ends[0], lowest), min(ends[1], highest), about)


def wilson(passed: float, documents: float) -> tuple[float, float]:
    """Wilson's 95 % score interval of a share: 0 of 16 gives (0, 0.194)."""
    from scipy.stats import binomtest

    interval = binomtest(round(passed), round(documents)).proportion_ci(CONFIDENCE, method="wilson")
    return float(interval.low), float(interval.high)
