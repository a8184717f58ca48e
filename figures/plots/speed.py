"""Figures of benches: speed beside a baseline, as something grows, and seconds by what they are for."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from figures.looks import HUES, look
from figures.plots.common import beside, rows_of, short
from figures.plots.ticks import plain_log_axis, plain_number
from figures.style import GRID, INK, MUTED
from figures.tidy.frames import rows
from figures.wording.names import present
from toolkit.errors import UserError

OURS, THEIRS = look("full").colour, MUTED


def speeds(table: pd.DataFrame, ax: Axes) -> Axes:
    """A bar per side of a bench: ours in colour, what it is compared with in grey.

    ``table`` has a row per side: `label`, `value`, `ours`, and the same `unit` and `machine` in all. Refuses
    sides that were measured on different machines.
    """
    _check(table, "unit", "machine")
    rows_of(ax, list(table["label"]))
    for y, row in enumerate(rows(table)):
        ax.barh(y, row["value"], height=0.55, color=OURS if row["ours"] else THEIRS)
        beside(ax, plain_number(row["value"]), xy=(row["value"], y), xytext=(4, 0), va="center")
    ax.set_xlim(0, 1.15 * float(table["value"].max()))
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.set_xlabel(str(table["unit"].iloc[0]))
    return ax


def growth(table: pd.DataFrame, ax: Axes) -> Axes:
    """A line per method: the median at each point, with the lowest and highest turn as a bar.

    ``table`` has a row per method and point: `method`, `x` (positive), `value`, `low`, `high` (missing:
    measured once), and the same `axis` (label of x), `unit` and `machine` in all. Refuses points of different
    machines.
    """
    _check(table, "axis", "unit", "machine")
    for method, points in table.sort_values("x").groupby("method", sort=False):
        colour, mark, dash = look(str(method))
        ax.plot(
            points["x"], points["value"], marker=mark, color=colour, linestyle=dash, label=short(str(method))
        )
        for point in rows(points):
            if present(point["low"]) and present(point["high"]):
                ax.plot([point["x"]] * 2, [point["low"], point["high"]], color=colour, linewidth=3, alpha=0.4)
    highest = table[["value", "high"]].max().max()
    ax.set_ylim(0, 1.1 * float(highest))
    levels = sorted({float(x) for x in table["x"]})
    if len(levels) > 1:
        plain_log_axis(ax, "x", levels)
    ax.set_xlabel(str(table["axis"].iloc[0]))
    ax.set_ylabel(str(table["unit"].iloc[0]))
    if table["method"].nunique() > 1:
        ax.legend()
    return ax


def divided(table: pd.DataFrame, ax: Axes) -> Axes:
    """A bar per `label`, divided into spans one after the other (`span`, `seconds`), of one `machine`."""
    _check(table, "machine")
    labels = list(dict.fromkeys(table["label"]))
    rows_of(ax, labels)
    left = dict.fromkeys(labels, 0.0)
    colours = [*HUES, "#8c564b", MUTED, INK, GRID]
    for number, (span, parts) in enumerate(table.groupby("span", sort=False)):
        for row in rows(parts):
            label = row["label"]
            named = str(span) if label == parts["label"].iloc[0] else None
            colour = colours[number % len(colours)]
            ax.barh(labels.index(label), row["seconds"], 0.55, left=left[label], color=colour, label=named)
            left[label] += row["seconds"]
    ax.set_xlabel("seconds")
    ax.legend()
    return ax


def _check(table: pd.DataFrame, *columns: str) -> None:
    """Raise UserError for an empty table, and for one that mixes any of ``columns``."""
    if table.empty:
        raise UserError("nothing to draw: no bench measured such a value")
    for column in columns:
        if table[column].nunique(dropna=False) > 1:
            values = " and ".join(map(str, list(dict.fromkeys(table[column]))[:2]))
            raise UserError(f"one figure cannot show two of {column}: {values}")
