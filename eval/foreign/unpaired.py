"""Two results of which only one number per run is known: seeds or trials are compared, not items."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from eval.statistics.crossed import CONFIDENCE


class Unpaired(NamedTuple):
    """A difference of two independent values, with its 95 % interval and two-sided p-value."""

    difference: float
    low: float
    high: float
    p: float


def welch(ours: Sequence[float], theirs: Sequence[float]) -> Unpaired:
    """Welch's (1947) t of two groups of seeds, at least two each."""
    from scipy import stats

    difference = float(np.mean(ours) - np.mean(theirs))
    if len(set(ours)) == len(set(theirs)) == 1:
        return _without_error(difference)
    result = stats.ttest_ind(ours, theirs, equal_var=False)
    interval = result.confidence_interval(CONFIDENCE)
    return Unpaired(difference, float(interval.low), float(interval.high), float(result.pvalue))


def shares(ours: float, our_trials: int, theirs: float, their_trials: int) -> Unpaired:
    """Two independent shares: the z-test with unpooled standard errors that lm-evaluation-harness uses.

    Its standard error of a mean has n - 1 below: sqrt(p (1 - p) / (n - 1)).
    """
    from scipy import stats

    errors = [np.sqrt(p * (1 - p) / (n - 1)) for p, n in ((ours, our_trials), (theirs, their_trials))]
    error = float(np.hypot(*errors))
    difference = ours - theirs
    if error == 0:
        return _without_error(difference)
    half = float(stats.norm.ppf((1 + CONFIDENCE) / 2)) * error
    return Unpaired(
        difference, difference - half, difference + half, float(2 * stats.norm.sf(abs(difference) / error))
    )


def _without_error(difference: float) -> Unpaired:
    return Unpaired(difference, difference, difference, 1.0 if difference == 0 else 0.0)
