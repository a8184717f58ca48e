"""The forest plot: one metric's differences to the baseline, with intervals, margin and verdicts."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from figures.plots.common import (
    beside,
    check,
    extent,
    intervals,
    looks_of,
    metric_of,
    narrow,
    note_untuned,
    rows_of,
    whisker,
)
from figures.style import BAND, INK, note
from figures.tidy.frames import rows
from figures.wording.names import (
    capital,
    decimals,
    difference_text,
    factor,
    interval_text,
    present,
)

FAR = 10
"""Margins from zero: an interval that begins farther out is named, with an arrow, and not drawn to scale."""


def differences(table: pd.DataFrame, ax: Axes, confidence: str = "95 %", *, centred: bool = True) -> Axes:
    """One metric's differences to one baseline, with the margin as a band, and the verdicts in words.

    ``confidence``: of the intervals, which a growing study's last look decides. ``centred``: zero is in the
    middle, so that panels below each other have it in one line. An interval more than `FAR` margins away is
    an arrow at the edge, unless that is where most are: one outlier would squeeze the others into a line.
    """
    check(table, "metric", "baseline")
    first = table.iloc[0]
    unit = str(first["unit"])
    scale = factor(unit)
    looks, above, far = looks_of(table), narrow(ax), _far(table)
    rows_of(ax, list(table["label"]), top=-0.8 if above else -0.6)
    margins = table["margin"].dropna()  # a refused comparison has none
    if len(margins):
        reach = float(margins.iloc[0]) * scale
        ax.axvspan(-reach, reach, color=BAND, zorder=0, linewidth=0)
    ax.axvline(0, color=INK, linewidth=0.8, zorder=1)
    ax.set_xlim(*_limits(table[~far], scale, centred))
    for y, (row, beyond) in enumerate(zip(rows(table), far, strict=True)):
        if beyond:
            _arrow(ax, row["difference"] > 0, y, looks[row["method"]].colour)
        elif present(row["difference"]):
            whisker(ax, row, row["difference"], y, looks[row["method"]], scale)
        places = decimals(unit, row["low"], row["high"])
        size = difference_text(row["difference"], unit, places)
        words = f"{size}  ({interval_text(row['low'], row['high'], unit, places)})"
        if above:
            text = f"{row['verdict']}: {words}"
            beside(ax, text, xy=(0, y), xycoords=("axes fraction", "data"), xytext=(2, 4))
            continue
        for x, text, weight in ((8, row["verdict"], "bold"), (66, words, "normal")):
            at = {"xy": (1, y), "xycoords": ("axes fraction", "data"), "xytext": (x, 0)}
            beside(ax, text, **at, va="center", fontsize=7, weight=weight)
    ax.xaxis.set_major_locator(MaxNLocator(5))
    better = {"lower": "← better", "higher": "better →"}.get(str(first["direction"]), "")
    ax.set_title(capital(metric_of(table)))
    ax.set_xlabel(f"Difference in {'points' if unit == 'share' else unit}   {better}".rstrip())
    band = " Band: the equivalence margin, within which a difference is negligible." if len(margins) else ""
    drawn = table[table["difference"].notna()]  # a refused comparison is of no seed and no document
    about = (
        f"{extent(drawn)}. {intervals(drawn, confidence)}{band}" if len(drawn) else "none, all are refused."
    )
    arrows = f" Arrows: more than {FAR} margins away." if far.any() else ""
    note(ax, f"Difference to {first['baseline_label']}: {about}{arrows}")
    note_untuned(ax, table)
    return ax


def _far(table: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Which intervals begin more than `FAR` margins from zero; none if those are most, or the margin is 0."""
    columns = ["low", "high", "difference", "margin"]
    low, high, difference, margin = table[columns].to_numpy(dtype=float).T
    low, high = (np.where(np.isnan(end), difference, end) for end in (low, high))
    far = (margin > 0) & (np.maximum(low, -high) > FAR * margin)
    return far if far.sum() <= len(table) / 2 else np.zeros_like(far)


def _arrow(ax: Axes, positive: bool, y: float, colour: str) -> None:
    """An arrow at the edge of the axis, for what lies beyond it."""
    ax.annotate(
        "",
        xy=(float(positive), y),
        xycoords=("axes fraction", "data"),
        xytext=(-14 if positive else 14, 0),
        textcoords="offset points",
        arrowprops={"arrowstyle": "->", "color": colour, "linewidth": 1.5},
    )


def _limits(table: pd.DataFrame, scale: float, centred: bool) -> tuple[float, float]:
    """Ends of the axis: zero, both margins and every interval are inside, with room beyond them."""
    drawn = table[["low", "high", "difference"]].to_numpy(dtype=float)
    margin = np.nanmax(table["margin"].to_numpy(dtype=float), initial=0.0)
    low = scale * min(-margin, np.nanmin(drawn, initial=0.0))
    high = scale * max(margin, np.nanmax(drawn, initial=0.0))
    if centred:
        limit = 1.15 * max(-low, high) or 1.0
        return -limit, limit
    room = 0.08 * (high - low) or 1.0
    return low - room, high + room
