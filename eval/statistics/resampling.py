"""Bootstrap and randomisation over documents, as matrix products of weights and additive statistics."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from eval.metrics.base import Floats, Metric
from eval.statistics.crossed import CONFIDENCE, student

DRAWS = 10_000
BLOCK = 2_500_000
"""Weights held at a time: 20 MB."""


def _blocks(documents: int, draws: int) -> Iterator[tuple[int, int]]:
    rows = max(1, BLOCK // documents)
    for number, start in enumerate(range(0, draws, rows)):
        yield number, min(rows, draws - start)


@lru_cache(maxsize=4)
def _resample_weights(documents: int, rows: int, seed: int, block: int) -> Floats:
    """How often each document is drawn: ``[rows, documents]``, each row summing to `documents`."""
    draw = np.random.default_rng([seed, block, 0])
    drawn = draw.integers(0, documents, size=(rows, documents), dtype=np.int64)
    drawn += np.arange(rows, dtype=np.int64)[:, None] * documents
    counts = np.bincount(drawn.ravel(), minlength=rows * documents)
    return counts.reshape(rows, documents).astype(np.float64)


@lru_cache(maxsize=4)
def _swap_weights(documents: int, rows: int, seed: int, block: int) -> Floats:
    """Whether each document's two outcomes are exchanged: ``[rows, documents]`` of 0 and 1."""
    draw = np.random.default_rng([seed, block, 1])
    return draw.integers(0, 2, size=(rows, documents), dtype=np.int8).astype(np.float64)


def bootstrap(
    metric: Metric, sides: tuple[Floats, ...], *, draws: int = DRAWS, seed: int = 0
) -> tuple[Floats, ...]:
    """The metric of each side ``[N, k]`` on the same resampled documents: each ``[draws]``."""
    documents = sides[0].shape[0]
    together = np.hstack(sides)
    found: list[list[Floats]] = [[] for _ in sides]
    for block, rows in _blocks(documents, draws):
        # one product for all sides: what it costs is reading the weights
        sums = _resample_weights(documents, rows, seed, block) @ together
        for values, part in zip(found, np.split(sums, len(sides), axis=1), strict=True):
            values.append(metric.aggregate(part))
    return tuple(np.concatenate(values) for values in found)


def percentiles(values: Floats, documents: int) -> tuple[float, float] | None:
    """The expanded percentile interval: percentiles moved outwards as Student's t is wider than the normal.

    (Hesterberg, 2015: a plain percentile interval is too narrow by sqrt((n - 1) / n) and by z for t.)
    None where the metric is undefined on more than one draw in a hundred.
    """
    from scipy.special import ndtr

    defined = values[np.isfinite(values)]
    if documents < 2 or len(defined) < 0.99 * len(values):
        return None
    bound = student(documents - 1, (1 + CONFIDENCE) / 2)
    tail = float(ndtr(-bound * np.sqrt(documents / (documents - 1))))
    low, high = np.quantile(defined, [tail, 1 - tail])
    return float(low), float(high)


def randomisation(
    metric: Metric, method: Floats, baseline: Floats, *, draws: int = DRAWS, seed: int = 0
) -> float | None:
    """Two-sided p-value of approximate randomisation: each document's outcomes exchanged or not.

    ``(1 + draws at least as far apart) / (1 + draws)``, as Noreen (1989) and sacreBLEU count it. None where
    the metric is undefined on either side.
    """
    totals = method.sum(axis=0), baseline.sum(axis=0)
    observed = abs(float(metric.aggregate(totals[0]) - metric.aggregate(totals[1])))
    if not np.isfinite(observed):
        return None
    apart = method - baseline
    further = 0
    slack = 1e-9 * max(1.0, observed)  # the same difference, summed in another order, is as far apart
    for block, rows in _blocks(len(method), draws):
        moved = _swap_weights(len(method), rows, seed, block) @ apart
        gaps = metric.aggregate(totals[0] - moved) - metric.aggregate(totals[1] + moved)
        further += int((np.abs(np.nan_to_num(gaps, nan=np.inf)) >= observed - slack).sum())
    return (1 + further) / (1 + draws)
