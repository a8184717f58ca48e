"""Shares of documents: Wilson's interval, McNemar's test, and documents added for what 0 of n hides."""

from __future__ import annotations

import numpy as np

from eval.metrics.base import Floats
from eval.statistics.crossed import CONFIDENCE


def wilson(passed: float, documents: float) -> tuple[float, float]:
    """Wilson's 95 % score interval of a share: 0 of 16 gives (0, 0.194)."""
    from scipy.stats import binomtest

    interval = binomtest(round(passed), round(documents)).proportion_ci(CONFIDENCE, method="wilson")
    return float(interval.low), float(interval.high)


def mcnemar(method: Floats, baseline: Floats) -> float:
    """McNemar's exact two-sided p-value from 0/1 outcomes ``[N]`` of the same documents."""
    from scipy.stats import binomtest

    gained = int(((method == 1) & (baseline == 0)).sum())
    lost = int(((method == 0) & (baseline == 1)).sum())
    return float(binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0


def with_discordant(differences: Floats) -> Floats:
    """Differences ``[S, N]`` with one document more in favour of each side.

    At one seed, the mean and variance of the result are Bonett and Price's (2012) adjusted Wald interval of
    paired shares, which keeps its coverage where few or no documents differ.
    """
    ones = np.ones((len(differences), 1))
    return np.hstack([differences, ones, -ones])


def with_both(values: Floats) -> Floats:
    """Outcomes ``[S, N]`` with two passed and two failed documents more (Agresti and Coull, 1998)."""
    ones = np.ones((len(values), 2))
    return np.hstack([values, ones, 0 * ones])
