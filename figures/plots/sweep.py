"""Figures of quality along an axis of a study: training documents, epochs, parameters per training token."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pandas as pd
from matplotlib.axes import Axes

from figures.plots.common import (
    base_mark,
    check,
    extent,
    intervals,
    looks_of,
    note_untuned,
    reference_mark,
    short,
    value_axis_label,
)
from figures.plots.ticks import plain_log_axis
from figures.style import note
from figures.tidy.frames import rows
from figures.wording.names import factor, present
from toolkit.records import BASE

LABELS = {
    "train_size": "Training documents",
    "epochs": "Epochs",
    "capacity": "Trainable parameters\nper training token",
}
DODGE = 1.05
"""Factor along the axis between methods, so that their intervals don't lie on each other."""


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
