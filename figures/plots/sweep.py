"""Figures of quality along an axis of a study: training documents, epochs, parameters per training token."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from figures.plots.common import (
    check,
    extent,
    intervals,
    looks_of,
    metric_of,
    note_untuned,
    reference_mark,
    short,
)
from figures.plots.ticks import plain_log_axis
from figures.style import note
from figures.tidy.frames import rows
from figures.wording.names import (
    capital,
    decimals,
    direction_label,
    factor,
    present,
    value_text,
)
from toolkit.records import BASE

LABELS = {
    "train_size": "Training documents",
    "epochs": "Epochs",
    "capacity": "Trainable parameters\nper training token",
}
DODGE = 1.05
"""Factor along the axis between methods, so that their intervals don't lie on each other."""


def along(table: pd.DataFrame, ax: Axes, x: str) -> Axes:
    """One metric along ``x`` on a log scale: a method a line with its intervals, the base a dashed line.

    ``table`` has one row per method and level: value, low, high, and the column ``x``.
    """
    trained = table[(table["method"] != BASE) & table["value"].notna() & table[x].notna()]
    check(trained, "metric")
    unit = str(trained["unit"].iloc[0])
    scale = factor(unit)
    looks = looks_of(trained)
    groups = list(trained.sort_values(x).groupby("method", sort=False))
    for place, (method, mine) in enumerate(groups):
        colour, mark, dash = looks[str(method)]
        aside = 1.0 if x == "capacity" else DODGE ** (place - (len(groups) - 1) / 2)
        for row in rows(mine):
            if present(row["low"]):
                ends = [row["low"] * scale, row["high"] * scale]
                ax.plot([row[x] * aside] * 2, ends, color=colour, linewidth=1.4)
        label = str(mine["label"].iloc[0])
        ax.plot(
            mine[x] * aside,
            mine["value"] * scale,
            color=colour,
            marker=mark,
            label=short(label),
            linestyle=dash,
        )
    levels = sorted(set(trained[x]))
    ax.set_xscale("log")
    ax.margins(0.08, 0.15)
    ax.autoscale_view()
    plain_log_axis(ax, "x", levels if x != "capacity" else ())
    if x == "capacity" and levels[0] < 1 < levels[-1]:
        reference_mark(ax, 1, "as many as tokens", axis="x")
    for row in rows(table[table["method"] == BASE].head(1)):
        size = value_text(row["value"], unit, decimals(unit, row["low"], row["high"]))
        reference_mark(ax, row["value"] * scale, f"base {size}", axis="y", style="--")
    ax.set_xlabel(LABELS[x])
    name = capital(metric_of(trained))
    ax.set_ylabel(f"{name} ({direction_label(str(trained['direction'].iloc[0]))})")
    ax.legend()
    note(ax, f"{extent(trained)}. {intervals(trained)}")
    note_untuned(ax, trained)
    return ax
