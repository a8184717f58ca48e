"""One function a figure: a table and an Axes in, the Axes out. Each says its n, and refuses a mixed table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from figures.style import BAND, INK, MUTED, Look, look, note
from figures.tidy.load import records, refuse_mixed
from figures.wording.words import (
    anchor_label,
    capital,
    count,
    decimals,
    difference_text,
    direction_label,
    factor,
    interval_text,
    joined,
    metric_label,
    present,
    scope_text,
    value_text,
)
from toolkit.errors import UserError

PLACE = ("base_model", "dataset", "test")
SMALL = 6.5
CLOSE = 0.12  # share of an axis within which two reference marks have one label


def check(table: pd.DataFrame, *columns: str) -> None:
    """Raise UserError for an empty table, and for one that mixes test parts or any of ``columns``."""
    if table.empty:
        raise UserError("nothing to draw: no record holds such a value")
    for column in (*PLACE, *columns):
        values = table[[column, "method"]].dropna() if "method" in table else table[[column]].dropna()
        first = values.drop_duplicates(column)
        seen = {str(row[column]): str(row.get("method", "?")) for row in first.to_dict("records")}
        refuse_mixed(column.replace("_", " ") if column != "test" else "test part", "one figure", seen)


def extent(table: pd.DataFrame) -> str:
    """``3 seeds × 40 documents``, from the columns `seeds` and `documents`."""
    spans = []
    for column, noun in (("seeds", "seed"), ("documents", "document")):
        numbers = sorted({int(v) for v in table[column].dropna()})
        if numbers:
            low, high = numbers[0], numbers[-1]
            spans.append(count(high, noun) if low == high else f"{low} to {count(high, noun)}")
    return " × ".join(spans)


def intervals(table: pd.DataFrame) -> str:
    """What the bars are and speak about; where methods differ in that, which is which."""
    rows = zip(table["method"], table["speaks_about"], table["seeds"], table["documents"], strict=True)
    methods: dict[str, list[str]] = {}
    for method, about, seeds, documents in rows:
        methods.setdefault(scope_text(str(about), int(seeds), int(documents)), []).append(str(method))
    by_scope = {scope: joined(list(dict.fromkeys(names))) for scope, names in methods.items()}
    only = len(by_scope) == 1
    parts = [scope if only else f"{scope} for {methods}" for scope, methods in by_scope.items()]
    return f"Bars: 95 % interval, about {'; '.join(parts)}."


def rows_of(ax: Axes, labels: Sequence[str], top: float = -0.6) -> None:
    """One row a label, the first on top."""
    ax.set_yticks(range(len(labels)), labels)
    ax.set_ylim(len(labels) - 0.4, top)
    ax.grid(axis="y", visible=False)


def beside(ax: Axes, text: str, **options: Any) -> None:
    """Words at a place of their own: the layout makes no room for them, their plot has."""
    given = {"textcoords": "offset points", "fontsize": SMALL, "annotation_clip": False, **options}
    ax.annotate(text, **given).set_in_layout(False)


def reference_mark(
    ax: Axes, value: float, text: str, *, axis: str, style: str = ":", ha: str | None = None
) -> None:
    """A line at ``value`` of the ``axis``; where that lies beyond the limits, an arrow at the edge."""
    across = axis == "x"
    low, high = sorted(ax.get_xlim() if across else ax.get_ylim())
    share = (value - low) / (high - low)
    inside = 0 <= share <= 1
    if inside:
        (ax.axvline if across else ax.axhline)(value, color=MUTED, linestyle=style, linewidth=0.9, zorder=1)
    else:
        text = f"{text} {'→' if across else '↑'}" if share > 1 else f"{'←' if across else '↓'} {text}"
    place = min(1.0, max(0.0, share))
    if across:
        ha = ha or ("left" if place < 0.3 else "right" if place > 0.7 else "center")
        # What lies beyond, and several lines, are named below the edge: above it is room for one line.
        above = inside and "\n" not in text
        options = {"xy": (place, 1.0), "ha": ha, "va": "bottom" if above else "top"}
    else:
        options = {"xy": (1.0, place), "ha": "right", "va": "top" if place > 0.9 else "bottom"}
    beside(ax, text, xycoords="axes fraction", xytext=(0, 1), color=MUTED, **options)


def reference_marks(ax: Axes, marks: Iterable[tuple[float, str]]) -> None:
    """Marks of the x-axis; those close together, or beyond the same edge, are named together."""
    low, high = sorted(ax.get_xlim())
    groups: list[tuple[int, float, list[float], list[str]]] = []
    for value, text in sorted(marks):
        share = (value - low) / (high - low)
        beyond = int(share > 1) - int(share < 0)
        if groups and groups[-1][0] == beyond and (beyond or share - groups[-1][1] < CLOSE):
            groups[-1][2].append(value)
            groups[-1][3].append(text)
        else:
            groups.append((beyond, share, [value], [text]))
    within = [group for group in groups if not group[0]]
    for group in groups:
        beyond, _, values, texts = group
        ha = None
        if len(within) > 1:  # the first and the last one away from each other
            ha = "right" if group is within[0] else "left" if group is within[-1] else None
        reference_mark(ax, values[0], "\n".join(texts), axis="x", ha=ha)
        for value in values[1:] if not beyond else ():
            reference_mark(ax, value, "", axis="x")


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
    for y, row in enumerate(records(estimates)):
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
            if row["method"] == "base":
                below = [y + 0.1, len(estimates) - 0.4]
                ax.plot([row["value"] * scale] * 2, below, "--", color=MUTED, linewidth=0.8, zorder=1)
    ax.margins(x=0.14)
    ax.autoscale_view(scaley=False)
    ax.autoscale(enable=False)
    ax.xaxis.set_major_locator(MaxNLocator(5))
    anchors = records(table[(table["kind"] == "anchor") & table["value"].notna()])
    reference_marks(
        ax,
        (
            (row["value"] * scale, f"{anchor_label(row['label'])} {value_text(row['value'], unit, 1)}")
            for row in anchors
        ),
    )
    name = metric_label(str(table["metric"].iloc[0]))
    ax.set_title(capital(name), pad=12)
    direction = direction_label(str(table["direction"].iloc[0]))
    scaled = "per cent" if unit == "share" else unit
    ax.set_xlabel(capital(direction if unit == name else f"{scaled}\n({direction})"))
    note(
        ax,
        f"{extent(estimates)}. {intervals(estimates)} Ticks below a bar: single seeds.",
    )
    return ax


def whisker(ax: Axes, row: dict[str, Any], value: float, y: float, shown: Look, scale: float) -> None:
    """A point with its interval; hollow where there is no interval."""
    known = present(row["low"]) and present(row["high"])
    colour = shown.colour
    if known:
        ends = [row["low"] * scale, row["high"] * scale]
        ax.plot(ends, [y, y], color=colour, linewidth=2, solid_capstyle="butt")
    face = colour if known else "none"
    ax.plot([value * scale], [y], shown.mark, color=colour, markerfacecolor=face, markeredgewidth=1)


def differences(table: pd.DataFrame, ax: Axes) -> Axes:
    """One metric's differences to one baseline, with the margin as a band, and the verdicts in words."""
    check(table, "metric", "baseline")
    first = table.iloc[0]
    unit = str(first["unit"])
    scale = factor(unit)
    rows_of(ax, list(table["label"]))
    margins = table["margin"].dropna()  # a refused comparison has none
    if len(margins):
        reach = float(margins.iloc[0]) * scale
        ax.axvspan(-reach, reach, color=BAND, zorder=0, linewidth=0)
    ax.axvline(0, color=INK, linewidth=0.8, zorder=1)
    for y, row in enumerate(records(table)):
        if present(row["difference"]):
            whisker(ax, row, row["difference"], y, look(row["method"]), scale)
        places = decimals(unit, row["low"], row["high"])
        size = difference_text(row["difference"], unit, places)
        words = f"{size}  ({interval_text(row['low'], row['high'], unit, places)})"
        for x, text, weight in ((8, row["verdict"], "bold"), (66, words, "normal")):
            at = {"xy": (1, y), "xycoords": ("axes fraction", "data"), "xytext": (x, 0)}
            beside(ax, text, **at, va="center", fontsize=7, weight=weight)
    widest = np.nanmax(
        np.abs(table[["low", "high", "difference", "margin"]].to_numpy(dtype=float)), initial=0.0
    )
    limit = 1.15 * scale * (float(widest) or 1.0)
    ax.set_xlim(-limit, limit)
    ax.xaxis.set_major_locator(MaxNLocator(5))
    better = {"lower": "← better", "higher": "better →"}.get(str(first["direction"]), "")
    ax.set_title(capital(metric_label(str(first["metric"]))))
    ax.set_xlabel(f"Difference in {'points' if unit == 'share' else unit}   {better}".rstrip())
    band = " Band: margin within which a difference is of no account." if len(margins) else ""
    note(ax, f"Difference to {first['baseline_label']}: {extent(table)}. {intervals(table)}{band}")
    return ax
