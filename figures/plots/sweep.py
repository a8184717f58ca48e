"""Figures of quality along an axis of a study: training documents, epochs, parameters per training token."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pandas as pd
from matplotlib.axes import Axes

from figures.plots.common import (
    base_mark,
    beside,
    check,
    extent,
    intervals,
    looks_of,
    metric_of,
    note_untuned,
    reference_mark,
    short,
    value_axis_label,
)
from figures.plots.ticks import plain_log_axis
from figures.style import BAND, INK, PAPER, note
from figures.tidy.frames import rows
from figures.wording.names import capital, factor, present
from toolkit.records import BASE

LABELS = {
    "train_size": "Training documents",
    "epochs": "Epochs",
    "capacity": "Trainable parameters\nper training token",
}
DODGE = 1.05
"""Factor along the axis between methods, so that their intervals don't lie on each other."""
WORDED = 2
"""Most methods whose verdicts are written beside their points; those of more would meet."""


def _dodge(levels: Sequence[float], methods: int) -> float:
    """The factor between methods: smaller for many, which together take half of the smallest gap at most."""
    gaps = [after / before for before, after in pairwise(levels)]
    return min([DODGE, *(float(gap ** (0.5 / max(1, methods - 1))) for gap in gaps)])


def along(table: pd.DataFrame, ax: Axes, x: str) -> Axes:
    """One metric along ``x`` on a log scale: a method a line with its intervals, the base a dashed line.

    ``table`` has one row per method and level: value, low, high, and the column ``x``.
    """
    trained = table[(table["method"] != BASE) & table["value"].notna() & table[x].notna()]
    check(trained, "metric")
    scale = factor(str(trained["unit"].iloc[0]))
    looks = looks_of(trained)
    levels = sorted(set(trained[x]))
    groups = list(trained.sort_values(x).groupby("method", sort=False))
    dodge = 1.0 if x == "capacity" else _dodge(levels, len(groups))
    for place, (method, of_method) in enumerate(groups):
        colour, mark, dash = looks[str(method)]
        aside = dodge ** (place - (len(groups) - 1) / 2)
        for row in rows(of_method):
            if present(row["low"]):
                ends = [row["low"] * scale, row["high"] * scale]
                ax.plot([row[x] * aside] * 2, ends, color=colour, linewidth=1.4)
        label = str(of_method["label"].iloc[0])
        ax.plot(
            of_method[x] * aside,
            of_method["value"] * scale,
            color=colour,
            marker=mark,
            label=short(label),
            linestyle=dash,
        )
    ax.set_xscale("log")
    ax.margins(0.08, 0.15)
    ax.autoscale_view()
    plain_log_axis(ax, "x", levels if x != "capacity" else ())
    if x == "capacity" and levels[0] < 1 < levels[-1]:
        reference_mark(ax, 1, "as many as tokens", axis="x")
    base_mark(ax, table[table["method"] == BASE].head(1))
    ax.set_xlabel(LABELS[x])
    ax.set_ylabel(value_axis_label(trained))
    ax.legend()
    note(ax, f"{extent(trained)}. {intervals(trained)}")
    note_untuned(ax, trained)
    return ax


def differences_along(table: pd.DataFrame, ax: Axes, x: str, confidence: str = "95 %") -> Axes:
    """One metric's differences to one baseline along ``x``: a method a line, the margin a band.

    ``table`` has one row per method and level: difference, low, high, margin, verdict, and the column ``x``.
    A refused comparison is left out; a point without an interval is hollow.
    """
    pairs = table[table["difference"].notna()]
    check(pairs, "metric", "baseline")
    first = pairs.iloc[0]
    scale = factor(str(first["unit"]))
    numbers = ["difference", "low", "high", "margin"]
    pairs = pairs.assign(**{name: pairs[name].astype(float) * scale for name in numbers})
    looks, levels = looks_of(pairs), sorted(set(pairs[x]))
    groups = list(pairs.sort_values(x).groupby("method", sort=False))
    dodge = _dodge(levels, len(groups))
    margins = pairs.dropna(subset=["margin"]).groupby(x)["margin"].first()
    if len(margins) > 1:
        reach = [margins.index[0] / DODGE, *margins.index[1:-1], margins.index[-1] * DODGE]
        ax.fill_between(reach, -margins, margins, color=BAND, zorder=0, linewidth=0)
    ax.axhline(0, color=INK, linewidth=0.8, zorder=1)
    for place, (method, of_method) in enumerate(groups):
        colour, mark, dash = looks[str(method)]
        at = of_method[x] * dodge ** (place - (len(groups) - 1) / 2)
        ax.plot(
            at, of_method["difference"], color=colour, marker=mark, linestyle=dash,
            label=short(str(of_method["label"].iloc[0])),
        )  # fmt: skip
        for where, row in zip(at, rows(of_method), strict=True):
            top = row["difference"]
            if known := present(row["low"]) and present(row["high"]):
                top = row["high"]
                ax.plot([where] * 2, [row["low"], top], color=colour, linewidth=1.4)
            else:
                ax.plot([where], [top], mark, color=colour, markerfacecolor=PAPER, zorder=3)
            if len(groups) <= WORDED:
                xytext = (0, 3 if known else 6)
                beside(ax, row["verdict"], xy=(where, top), xytext=xytext, ha="center", va="bottom")
    ax.margins(0.16, 0.15)
    plain_log_axis(ax, "x", levels)
    ax.set_xlabel(LABELS[x])
    better = {"lower": "below is better", "higher": "above is better"}.get(str(first["direction"]), "")
    points = " in points" if first["unit"] == "share" else ""
    ax.set_ylabel(f"{capital(metric_of(pairs))}:\ndifference{points}" + (f" ({better})" if better else ""))
    ax.legend()
    band = " Band: the equivalence margin." if len(margins) > 1 else ""
    note(
        ax, f"Difference to {first['baseline_label']}: {extent(pairs)}. {intervals(pairs, confidence)}{band}"
    )
    note_untuned(ax, pairs)
    return ax
