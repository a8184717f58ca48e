"""One metric of every method: value, interval, single seeds, and reference texts."""

from __future__ import annotations

from textwrap import fill

import numpy as np
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
    note_untuned,
    rows_of,
    whisker,
)
from figures.style import MUTED, PAPER, note
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

TITLE = 26
"""Characters in a line of a title above one of three panels beside each other."""
BLANK = {"facecolor": PAPER, "edgecolor": "none", "pad": 0.4}
"""Behind a number, so that no dashed or dotted line runs through it."""


def metric_values(table: pd.DataFrame, ax: Axes) -> Axes:
    """One metric: a method a row, its interval as a bar, its seeds as ticks; then a row per reference text.

    ``table`` has rows of three kinds (`kind`): `estimate` (value, low, high, seeds, documents,
    speaks_about), `seed` (value) and `anchor` (value; its name in `label`).
    """
    check(table, "metric")
    estimates = table[table["kind"] == "estimate"].reset_index(drop=True)
    unit = str(table["unit"].iloc[0])
    scale = factor(unit)
    looks = looks_of(estimates)
    anchors = table[table["kind"] == "anchor"].drop_duplicates("label")
    names = [anchor_label(str(name)) for name in anchors["label"]]
    rows_of(ax, [*estimates["label"], *names], top=-0.85)
    for y, row in enumerate(rows(estimates)):
        shown = looks[row["method"]]
        seeds = (
            table[(table["kind"] == "seed") & (table["method"] == row["method"])]["value"].dropna() * scale
        )
        ax.plot(
            seeds, np.full(len(seeds), y + 0.24), "|", color=shown.colour, markersize=5, markeredgewidth=1.1
        )
        if present(row["value"]):
            whisker(ax, row, row["value"], y, shown, scale)
            text = value_text(row["value"], unit, decimals(unit, row["low"], row["high"]))
            beside(ax, text, xy=(row["value"] * scale, y), xytext=(0, 5.5), ha="center", bbox=BLANK)
            if row["method"] == BASE:
                below = [y + 0.1, len(estimates) + len(names) - 0.4]
                ax.plot([row["value"] * scale] * 2, below, "--", color=MUTED, linewidth=0.8, zorder=1)
    ax.margins(x=0.14)
    ax.autoscale_view(scaley=False)
    ax.autoscale(enable=False)
    ax.xaxis.set_major_locator(MaxNLocator(5))
    places = min((decimals(unit, row["low"], row["high"]) for row in rows(estimates)), default=1)
    for y, row in enumerate(rows(anchors), start=len(estimates)):
        if present(row["value"]):
            low, high = ax.get_xlim()
            inside = low <= row["value"] * scale <= high
            _reference(ax, row["value"] * scale, y, value_text(row["value"], unit, places if inside else 1))
    name = metric_of(table)
    ax.set_title(fill(capital(name), TITLE), pad=12)
    direction = direction_label(str(table["direction"].iloc[0]))
    scaled = "per cent" if unit == "share" else unit
    ax.set_xlabel(capital(direction if unit == name else f"{scaled}\n({direction})"))
    note(
        ax,
        f"{extent(estimates)}. {intervals(estimates)} Ticks below a bar: single seeds.",
    )
    note_untuned(ax, estimates)
    return ax


def _reference(ax: Axes, value: float, y: float, text: str) -> None:
    """A tick at a reference value in a row of its own; an arrow at the edge if it lies beyond the axis."""
    low, high = ax.get_xlim()
    if low <= value <= high:
        ax.plot([value], [y], "|", color=MUTED, markersize=9, markeredgewidth=1.4)
        ax.axvline(value, color=MUTED, linestyle=":", linewidth=0.7, zorder=0)
        left = value > (low + high) / 2
        beside(ax, text, xy=(value, y), xytext=(-4 if left else 4, 0), ha="right" if left else "left",
               va="center", color=MUTED, bbox=BLANK)  # fmt: skip
    else:
        right = value > high
        text = f"{text} →" if right else f"← {text}"
        beside(ax, text, xy=(1.0 if right else 0.0, y), xycoords=("axes fraction", "data"), xytext=(0, 0),
               ha="right" if right else "left", va="center", color=MUTED)  # fmt: skip
