"""Looking at a study more than once: levels that spend 5 % over all looks, and when to stop.

Group-sequential testing with the spending function of O'Brien and Fleming's type (Lan and DeMets, 1983), and
repeated confidence intervals at the same levels (Jennison and Turnbull, 1989), which hold at any stopping
rule. `mixture_width` is the alternative, a confidence sequence that needs no number of looks: it costs about
a third of the interval's width at the last look (docs/calibration.md), so the first is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from eval.metrics.base import Floats
from eval.statistics.crossed import ALPHA
from toolkit.errors import UserError

FUTILE = 0.1
"""Chance of a decision at the largest size below which more seeds and documents are not worth their cost."""
POINTS = 801
"""Points at which the distribution of the running statistic is kept."""

State = Literal["decided", "continue", "futile", "exhausted"]


def spent(information: float, alpha: float = ALPHA) -> float:
    """Return the share of ``alpha`` that may be used up to an information fraction from 0 to 1.

    On each side ``2 - 2 Phi(z(1 - alpha / 4) / sqrt(information))``: almost nothing early, all of it at 1
    (Lan and DeMets, 1983).
    """
    from scipy.special import ndtr, ndtri

    if information <= 0:
        return 0.0
    z = float(ndtri(1 - alpha / 4))
    return float(4 * ndtr(-z / np.sqrt(min(1.0, information))))


def levels(
    informations: Sequence[float], alpha: float = ALPHA, *, times: Sequence[float] | None = None
) -> list[float]:
    """Return the two-sided level of each look, so that ``alpha`` is spent over all of them.

    ``informations``: fractions of the information at the largest size, rising, such as seeds over the most
    seeds that the budget allows; planned from sizes, not from results. A p-value below its look's level
    decides, and an interval of confidence 1 - level holds at every look together. By recursive integration
    of the statistic's distribution (Armitage, McPherson and Rowe, 1969). UserError if they do not rise.
    ``times``: the shares of `spent` at each look, if they are not the information (Lan and DeMets, 1989).
    """
    from scipy.special import ndtr, ndtri

    fractions = [0.0, *informations]
    if any(b <= a for a, b in zip(fractions, fractions[1:], strict=False)) or fractions[-1] > 1 + 1e-9:
        raise UserError(f"looks need rising information fractions from 0 to 1, not {list(informations)}")
    result: list[float] = []
    grid: Floats = np.zeros(1)
    weight: Floats = np.ones(1)
    used = 0.0
    for before, now, at in zip(fractions[:-1], fractions[1:], times or fractions[1:], strict=True):
        step, target = np.sqrt(now - before), spent(at, alpha) - used
        low, high = 0.0, 12.0
        for _ in range(60):  # the bound whose crossing at this look uses the target
            z = (low + high) / 2
            edge = z * np.sqrt(now)
            crossing = float((weight * (ndtr((grid - edge) / step) + ndtr((-edge - grid) / step))).sum())
            low, high = (z, high) if crossing > target else (low, z)
        result.append(float(2 * ndtr(-z)) if target > 1e-15 else 0.0)
        used += target
        edge = max(z, float(ndtri(1 - 1e-12)) if target <= 1e-15 else 0.0) * np.sqrt(now)
        points = np.linspace(-edge, edge, POINTS)
        kernel = np.exp(-(((points[:, None] - grid[None, :]) / step) ** 2) / 2) / (step * np.sqrt(2 * np.pi))
        weight = (kernel @ weight) * (points[1] - points[0])
        weight[[0, -1]] /= 2
        grid = points
    return result


def state(verdict: str, chance: float, *, last: bool) -> State:
    """Return what to do after a look: stop if decided, exhausted or futile, else go on.

    ``verdict``: of the look, by its level; ``chance``: of a decision at the largest size, from
    `power.decided` with what was seen so far; ``last``: whether the budget allows no larger size. Stopping
    for futility never makes a call false, so it costs no level.
    """
    if verdict != "undecided":
        return "decided"
    if last:
        return "exhausted"
    return "futile" if chance < FUTILE else "continue"


def mixture_width(information: float, alpha: float = ALPHA, focus: float = 0.5) -> float:
    """Return the half width, in standard errors, of the normal-mixture confidence sequence (Robbins, 1970).

    It holds at every information at once; narrowest near ``focus``, where the mixture's variance puts it.
    """
    variance = float(-2 * np.log(alpha) + np.log(-2 * np.log(alpha) + 1)) / focus  # Howard et al., 2021
    ratio = 1 + variance * information
    return float(np.sqrt(ratio / (variance * information) * (np.log(ratio) + 2 * np.log(1 / alpha))))
