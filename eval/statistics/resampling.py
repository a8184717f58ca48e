"""Bootstrap and randomisation over documents, as matrix products of weights and additive statistics."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from eval.metrics.base import Floats, Metric
from eval.statistics.crossed import CONFIDENCE, Spread

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


class Studentised(NamedTuple):
    """Bootstrap draws of (value - observed value) / its own standard error: Efron's bootstrap-t."""

    error: float
    """Standard error of the observed value, by the delta method."""
    draws: Floats

    def interval(self, value: float, confidence: float = CONFIDENCE) -> tuple[float, float]:
        """Return the interval: each side by the quantile of the other tail, which corrects bias."""
        low, high = np.quantile(self.draws, [(1 - confidence) / 2, (1 + confidence) / 2])
        return value - float(high) * self.error, value - float(low) * self.error

    def p(self, value: float) -> float:
        """Return the two-sided p-value of no difference: the level whose interval just excludes zero."""
        if self.error == 0:
            return 1.0
        observed = value / self.error
        further = min(int((self.draws >= observed).sum()), int((self.draws <= observed).sum()))
        return min(1.0, 2 * (1 + further) / (1 + len(self.draws)))


def studentised(
    metric: Metric, sides: tuple[Floats, ...], *, draws: int = DRAWS, seed: int = 0
) -> Studentised | None:
    """Bootstrap-t over documents of a metric of statistics ``[N, k]``, or of a difference of two sides.

    Each draw is divided by a standard error of its own (Efron and Tibshirani, 1993, section 12.5), from the
    statistics' second moments and the metric's slopes at that draw, so that it follows the skewness of ratios
    and of texts whose length varies a lot, and the bias of BLEU at few texts. None if the metric is undefined
    on more than one draw in a hundred.
    """
    together = np.hstack(sides)
    documents, width = together.shape
    rows, columns = np.triu_indices(width)
    twice = np.where(rows == columns, 1.0, 2.0)
    table = np.hstack([together, together[:, rows] * together[:, columns] * twice])
    value, error = _studentise(metric, table.sum(axis=0)[None], width, len(sides), documents)
    if documents < 2 or not np.isfinite(error[0]):
        return None
    if error[0] == 0:
        return Studentised(0.0, np.zeros(draws))
    scaled = []
    for block, size in _blocks(documents, draws):
        sums = _resample_weights(documents, size, seed, block) @ table
        values, errors = _studentise(metric, sums, width, len(sides), documents)
        scaled.append((values - value[0]) / np.maximum(errors, 1e-3 * error[0]))
    drawn = np.concatenate(scaled)
    defined = drawn[np.isfinite(drawn)]
    return Studentised(float(error[0]), defined) if len(defined) >= 0.99 * len(drawn) else None


def one_seed_interval(
    drawn: Studentised | None, value: float, centre: float, error: Spread, confidence: float = CONFIDENCE
) -> tuple[float, float] | None:
    """Return the bootstrap-t's interval, or Student's where that is wider; None without draws.

    Three documents resample to too little.
    """
    if drawn is None:
        return None
    half = error.quantile(confidence)
    low, high = drawn.interval(value, confidence)
    return min(low, centre - half), max(high, centre + half)


def _studentise(metric: Metric, sums: Floats, width: int, sides: int, n: int) -> tuple[Floats, Floats]:
    """Value and standard error from sums ``[draws, width + width (width + 1) / 2]`` of a draw's documents."""
    first, second = sums[:, :width], sums[:, width:]
    each = width // sides
    steps = np.abs(first).mean(axis=0) / n + 1e-12  # about one document's worth
    values = np.zeros(len(sums))
    slopes = np.zeros_like(first)
    for side in range(sides):
        sign, here = (1.0, -1.0)[side], slice(side * each, (side + 1) * each)
        own = first[:, here]
        values += sign * metric.aggregate(own)
        for column in range(each):
            up, down = own.copy(), own.copy()
            up[:, column] += steps[here][column]
            down[:, column] = np.maximum(
                down[:, column] - steps[here][column], np.minimum(own[:, column], 0.0)
            )
            rise = metric.aggregate(up) - metric.aggregate(down)
            slopes[:, side * each + column] = sign * rise / (up[:, column] - down[:, column])
    rows, columns = np.triu_indices(width)
    squares = np.einsum("dk,dk,dk->d", slopes[:, rows], slopes[:, columns], second)
    linear = np.einsum("dk,dk->d", slopes, first)
    variance = n / (n - 1) * np.maximum(0.0, squares - linear**2 / n) if n > 1 else np.full(len(sums), np.nan)
    return values, np.sqrt(variance)


def randomisation(
    metric: Metric, method: Floats, baseline: Floats, *, draws: int = DRAWS, seed: int = 0
) -> float | None:
    """Two-sided p-value of approximate randomisation: each document's outcomes exchanged or not.

    ``(1 + draws at least as far apart) / (1 + draws)``, as Noreen (1989) counts it; sacreBLEU counts only
    those that are farther apart. None where the metric is undefined on either side.
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
