"""Ticks of a log axis: few round numbers whose labels do not meet, however short the axis."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator


def plain_log_axis(ax: Axes, axis: str, levels: Sequence[float] = ()) -> None:
    """Put ``axis`` on a log scale with ticks at ``levels``, or at few round numbers that do not meet."""
    on_x = axis == "x"
    (ax.set_xscale if on_x else ax.set_yscale)("log")
    which = ax.xaxis if on_x else ax.yaxis
    low, high = sorted(ax.get_xlim() if on_x else ax.get_ylim())
    ticks = [level for level in levels if low <= level <= high] or _round_between(low, high)
    which.set_major_locator(FixedLocator(apart(ticks, low, high)))
    which.set_major_formatter(FuncFormatter(lambda value, _: plain_number(value)))
    which.set_minor_locator(NullLocator())


def _round_between(low: float, high: float) -> list[float]:
    """Round numbers between two, at least two of them: decades, then 1-2-5, then steps of a line."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    for steps in ((1,), (1, 3), (1, 2, 5)):
        ticks = [step * 10.0**power for power in range(first, last + 1) for step in steps]
        ticks = [tick for tick in ticks if low <= tick <= high]
        if len(ticks) >= 3:
            return ticks
    return [float(t) for t in MaxNLocator(4).tick_values(low, high) if low <= t <= high]


def apart(ticks: Sequence[float], low: float, high: float, share: float = 0.14) -> list[float]:
    """Return the ticks that are at least ``share`` of a log axis from the one before; the last one stays."""
    shown: list[float] = []
    width = math.log(high / low) or 1.0
    for tick in sorted(set(ticks), reverse=True):
        if not shown or math.log(shown[-1] / tick) / width >= share:
            shown.append(tick)
    return shown[::-1]


def plain_number(value: float) -> str:
    """``0.5``, ``200``, ``1500``, ``20k``, ``1.5M``, ``3e-04``: a number as a tick label."""
    for start, size, letter in ((1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e4, 1e3, "k")):
        if value >= start:
            return f"{value / size:.3g}{letter}"
    if value >= 1e3:
        return f"{value:.0f}"
    return f"{value:.3g}" if value >= 0.01 or value == 0 else f"{value:.1e}".replace(".0e", "e")
