"""Figures of quality against what it costs, and of learning against forgetting."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from figures.plots.common import (
    base_mark,
    check,
    extent,
    intervals,
    looks_of,
    note_untuned,
    short,
    value_axis_label,
)
from figures.style import MUTED, note
from figures.tidy.frames import rows
from figures.wording.names import capital, factor, present
from toolkit.errors import UserError
from toolkit.records import BASE

AXES = {
    "train_seconds": ("Training time (minutes)", 60.0),
    "peak_memory_bytes": ("Peak memory of the process (GB)", 1e9),
    "cuda_allocated_bytes": ("Peak memory allocated on the GPU (GB)", 1e9),
}
"""Column -> its axis label, and what one unit of the axis is in the column's unit."""


def quality_against_cost(table: pd.DataFrame, ax: Axes, cost: str = "train_seconds") -> Axes:
    """A metric against ``cost``: a method's mean with its interval, single seeds as small points.

    ``table`` has rows of kind `estimate`, `seed` and, for the untouched base, `anchor`. Refuses runs of
    different devices.
    """
    check(table, "metric", "device")
    priced = table[table[cost].notna()]
    if priced.empty:
        raise UserError(f"nothing to draw: no run measured {cost}")
    scale = factor(str(table["unit"].iloc[0]))
    text, one = AXES[cost]
    looks = looks_of(table)
    ax.set_xlim(0, 1.1 * float(priced[cost].max()) / one)
    for method, seeds in priced[priced["kind"] == "seed"].groupby("method", sort=False):
        small: dict[str, Any] = {"markersize": 2.5, "alpha": 0.6, "markeredgewidth": 0, "linestyle": ""}
        colour, mark, _ = looks[str(method)]
        ax.plot(seeds[cost] / one, seeds["value"] * scale, marker=mark, color=colour, **small)
    for row in rows(priced[priced["kind"] != "seed"]):
        colour, mark, _ = looks[row["method"]]
        at, value = row[cost] / one, row["value"] * scale
        ends = [value if not present(end) else end * scale for end in (row["low"], row["high"])]
        ax.plot([at, at], ends, color=colour, linewidth=1.6)
        ax.plot([at], [value], mark, color=colour, markersize=6, label=short(row["label"]))
    estimates = priced[priced["kind"] == "estimate"]
    front = pareto(estimates[cost], estimates["value"], str(table["direction"].iloc[0]))
    if len(front) > 1:
        best = estimates.loc[front]
        ax.plot(best[cost] / one, best["value"] * scale, color=MUTED, linestyle=(0, (4, 3)), linewidth=0.8,
                drawstyle="steps-post", zorder=0, label="best at its cost")  # fmt: skip
    ax.legend()
    ax.margins(y=0.2)
    ax.autoscale_view(scalex=False)
    base_mark(ax, table[table["kind"] == "anchor"])
    ax.set_ylabel(value_axis_label(table))
    ax.set_xlabel(text)
    device = str(priced["device"].iloc[0])
    note(ax, f"{extent(estimates)}. {intervals(estimates)} Device: {device}.")
    note_untuned(ax, estimates)
    return ax


def pareto(costs: pd.Series[float], values: pd.Series[float], direction: str) -> list[Any]:
    """Return the index labels of the methods that no other beats in both cost and value, cheapest first."""
    sign = -1.0 if direction == "higher" else 1.0
    table = pd.DataFrame({"cost": costs, "value": sign * values.astype(float)}).dropna()
    table = table.sort_values(["cost", "value"], kind="stable")
    best = table["value"].cummin()
    front = table[(table["value"] == best) & (best.shift(1, fill_value=np.inf) > best)]
    return list(front.index)


def learning_against_forgetting(table: pd.DataFrame, ax: Axes) -> Axes:
    """A metric on the study's documents against one on general text: a point per method, with both intervals.

    ``table`` has a row per method: value, low, high, and the same of the general texts (`general_value`,
    `general_low`, `general_high`, `general_documents`). Dashed lines: the untouched base; to the right of its
    line, a method has forgotten.
    """
    check(table, "metric")
    looks, scale = looks_of(table), factor(str(table["unit"].iloc[0]))
    for row in rows(table[table["value"].notna() & table["general_value"].notna()]):
        colour, mark, _ = looks[row["method"]]
        x, y = row["general_value"], row["value"] * scale
        if row["method"] == BASE:
            ax.axvline(x, color=MUTED, linestyle="--", linewidth=0.8, zorder=0)
            ax.axhline(y, color=MUTED, linestyle="--", linewidth=0.8, zorder=0)
        if present(row["general_low"]):
            ax.plot([row["general_low"], row["general_high"]], [y, y], color=colour, linewidth=1.4)
        if present(row["low"]):
            ax.plot([x, x], [row["low"] * scale, row["high"] * scale], color=colour, linewidth=1.4)
        ax.plot([x], [y], mark, color=colour, markersize=6, label=short(row["label"]), linestyle="")
    ax.margins(0.15)
    ax.legend()
    ax.set_ylabel(value_axis_label(table))
    ax.set_xlabel("Bits per byte on general text (right of the base: forgotten)")
    trained = table[table["method"] != BASE]
    sides = {"y": trained, "x": trained.assign(documents=trained["general_documents"])}
    about = "; ".join(f"{axis}: {extent(side)}" for axis, side in sides.items())
    note(ax, f"{capital(about)}. {intervals(table)}")
    note_untuned(ax, table)
    return ax
