"""The chance that a study of paired shares at one seed decides.

What is known of a difference is in the discordant documents, those on which only one side passes. With few of
them a normal distribution promises far more power than the exact test has: their numbers are summed over.
"""

from __future__ import annotations

import numpy as np

from eval.metrics.base import Floats
from eval.statistics.crossed import ALPHA, student

EXACT = 500
"""Discordant documents expected up to which their numbers are summed over; a normal one then does."""
_DEVIATIONS = 8
"""How many standard deviations of the discordant documents' number are looked at."""


def decided(
    discordant: float,
    documents: int,
    difference: float,
    margin: float | None,
    tests: int = 1,
    *,
    level: float = ALPHA,
    directed: bool = True,
) -> float:
    """Return the chance that a study of one seed calls a true difference; see `assurance.decided`.

    ``discordant``: the share of documents on which one side alone passes; at least the difference. A call
    needs McNemar's p below the level, and Bonett and Price's interval without zero. 1 for a difference above
    1, which no study has.
    """
    from scipy.special import bdtr

    if abs(difference) > 1:
        return 1.0
    rate = min(1.0, max(discordant, abs(difference)))
    differ = _likely(documents, rate)
    gained = np.arange(differ[-1] + 1, dtype=np.float64)[None, :]
    differ = differ[:, None]
    of_gains = (rate + difference) / (2 * rate or 1)
    chance = _binomial(differ, documents, rate) * _binomial(gained, differ, of_gains)
    p = 2 * bdtr(np.minimum(gained, differ - gained), differ, 0.5)
    apart, n = 2 * gained - differ, documents + 2
    error = np.sqrt(np.maximum(0.0, (differ + 2) - apart**2 / n) / (n - 1) / n)
    half = student(np.inf, 1 - level / 2) * error
    called = (p * tests < level) & (np.abs(apart) / n > half) if directed else np.zeros(p.shape, dtype=bool)
    within = np.zeros_like(called) if margin is None else np.abs(apart) / n + half < margin
    return float((chance * (called | within)).sum())


def _likely(documents: int, rate: float) -> Floats:
    """Numbers of discordant documents that are not far from what is expected."""
    expected = documents * rate
    reach = _DEVIATIONS * max(1.0, float(np.sqrt(expected * (1 - rate))))
    first, last = max(0, int(expected - reach)), min(documents, int(expected + reach) + 1)
    return np.arange(first, last + 1, dtype=np.float64)


def _binomial(k: Floats, n: Floats | int, p: float) -> Floats:
    """Probability of ``k`` of ``n``; 0 for more than ``n``."""
    from scipy.stats import binom

    return np.asarray(binom.pmf(k, n, p), dtype=np.float64)
