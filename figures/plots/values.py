"""One metric of every method: value, interval, single seeds, and reference texts."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from figures.plots.common import beside, check, extent, intervals, metric_of, rows_of, whisker
from figures.plots.reference_marks import reference_marks
from figures.style import MUTED, look, note
from figures.tidy.frames import rows
from figures.wording.names import (
    anchor_label,
    capital,
    decimals,
    direction_label,
    factor,
    present,
    value_text,
)
from toolkit.records import BASE


def metric_values(table: pd.DataFrame, ax: Axes) -> Axes:
    """One metric: a method a row, its interval as a bar, its seeds as ticks, anchors as reference marks.

    ``table`` has rows of three kinds (`kind`): `estimate` (value, low, high, seeds, documents,
    speaks_about), `seed` (value) and `anchor` (value; its name in `label`).
    """
    check(table, "metric")
    estimates = table[table["kind"] == "estimate"].reset_index(drop=True)
    unit = str(table["unit"].iloc[0])
    scale = factor(unit)
    rows_of(ax, list(estimates["label"]), top=-0.85)
    for y, row in enumerate(rows(estimates)):
        shown = look(row["method"])
        seeds = (
            table[(table["kind"] == "seed") & (table["method"] == row["method"])]["value"].dropna() * scale
        )
        ax.plot(
            seeds, np.full(len(seeds), y + 0.24), "|", color=shown.colour, markersize=5, markeredgewidth=1.1
        )
        if present(row["value"]):
            whisker(ax, row, row["value"], y, shown, scale)
            text = value_text(row["value"], unit, decimals(unit, row["low"], row["high"]))
            beside(ax, text, xy=(row["value"] * scale, y), xytext=(0, 5.5), ha="center")
            if row["method"] == BASE:
                below = [y + 0.1, len(estimates) - 0.4]
                ax.plot([row["value"] * scale] * 2, below, "--", color=MUTED, linewidth=0.8, zorder=1)
    ax.margins(x=0.14)
    ax.autoscale_view(scaley=False)
    ax.autoscale(enable=False)
    ax.xaxis.set_major_locator(MaxNLocator(5))
    anchors = rows(table[(table["kind"] == "anchor") & table["value"].notna()])
    reference_marks(
        ax,
        (
            (row["value"] * scale, f"{anchor_label(row['label'])} {value_text(row['value'], unit, 1)}")
            for row in anchors
        ),
    )
    name = metric_of(table)
    ax.set_title(capital(name), pad=12)
    direction = direction_label(str(table["direction"].iloc[0]))
    scaled = "per cent" if unit == "share" else unit
    ax.set_xlabel(capital(direction if unit == name else f"{scaled}\n({direction})"))
    note(
        ax,
        f"{extent(estimates)}. {intervals(estimates)} Ticks below a bar: single seeds.",
    )
    return ax
