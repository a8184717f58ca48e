"""The learning rate at which a response is lowest, between the rates tried; and the ratio of two."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from eval.statistics.crossed import CONFIDENCE, student


class Located(NamedTuple):
    """A positive number on a log scale with its 95 % interval; None where it is not known."""

    value: float | None
    low: float | None
    high: float | None


def lowest(scores: Mapping[float, float]) -> float | None:
    """The rate at which a parabola in log rate, through the best rate and its two neighbours, is lowest.

    ``scores``: rate -> validation loss, not finite where the run diverged. None where the best is the first
    or last rate, or a neighbour diverged: then the optimum is not bracketed. The wings are left out because
    far from its optimum a loss rises faster on the high side than any parabola.
    """
    rates = sorted(scores)
    best = min(rates, key=lambda rate: (not math.isfinite(scores[rate]), scores[rate]), default=None)
    if best is None or best in (rates[0], rates[-1]):
        return None
    place = rates.index(best)
    x = [math.log(rate) for rate in rates[place - 1 : place + 2]]
    y = [scores[rate] for rate in rates[place - 1 : place + 2]]
    if not all(math.isfinite(value) for value in y):
        return None
    left, right = (y[1] - y[0]) / (x[1] - x[0]), (y[2] - y[1]) / (x[2] - x[1])
    curvature = (right - left) / (x[2] - x[0])
    if curvature <= 0:
        return best
    return math.exp((x[0] + x[1]) / 2 - left / (2 * curvature))


def located(values: Sequence[float]) -> Located:
    """Geometric mean of positive values, one a seed, with Student's interval of their logarithms.

    One value has no interval.
    """
    n = len(values)
    if n == 0:
        return Located(None, None, None)
    logs = [math.log(value) for value in values]
    mean = sum(logs) / n
    if n == 1:
        return Located(math.exp(mean), None, None)
    error = math.sqrt(sum((value - mean) ** 2 for value in logs) / (n - 1) / n)
    half = student(n - 1, (1 + CONFIDENCE) / 2) * error
    return Located(math.exp(mean), math.exp(mean - half), math.exp(mean + half))
