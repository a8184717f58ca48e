"""Two results of which only one number per run is known: seeds or trials are compared, not items."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from eval.statistics.crossed import CONFIDENCE
from eval.statistics.estimates import wilson


class Unpaired(NamedTuple):
    """A difference of two independent values, with its 95 % interval and two-sided p-value.

    Without an interval and p-value if no error can be estimated.
    """

    difference: float
    low: float | None
    high: float | None
    p: float | None


def welch(ours: Sequence[float], theirs: Sequence[float]) -> Unpaired:
    """Welch's (1947) t of two groups of seeds, at least two each; no interval if none differs in either."""
    from scipy import stats

    difference = float(np.mean(ours) - np.mean(theirs))
    largest = max(map(abs, (*ours, *theirs)))
    if max(np.ptp(ours), np.ptp(theirs)) <= 1e-12 * largest:
        return Unpaired(difference, None, None, None)
    result = stats.ttest_ind(ours, theirs, equal_var=False)
    interval = result.confidence_interval(CONFIDENCE)
    return Unpaired(difference, float(interval.low), float(interval.high), float(result.pvalue))


def shares(ours: float, our_trials: int, theirs: float, their_trials: int) -> Unpaired:
    """Two independent shares: Newcombe's (1998, method 10) interval from Wilson's, and Fisher's exact test.

    Neither takes 0 of n for certain, as the unpooled z-test that lm-evaluation-harness uses does.
    """
    from scipy import stats

    passed = round(ours * our_trials), round(theirs * their_trials)
    table = [[passed[0], our_trials - passed[0]], [passed[1], their_trials - passed[1]]]
    (low, high), (their_low, their_high) = wilson(passed[0], our_trials), wilson(passed[1], their_trials)
    difference = ours - theirs
    return Unpaired(
        difference,
        difference - float(np.hypot(ours - low, their_high - theirs)),
        difference + float(np.hypot(high - ours, theirs - their_low)),
        float(stats.fisher_exact(np.array(table)).pvalue),
    )
