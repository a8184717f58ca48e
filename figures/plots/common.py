"""What every plot needs: it refuses a mixed table, states its n, and lays out rows and words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from figures.looks import Look, assign, look
from figures.style import MUTED, NARROW, note
from figures.tidy.checks import refuse_mixed
from figures.tidy.frames import rows
from figures.wording.names import (
    capital,
    count,
    decimals,
    direction_label,
    factor,
    joined,
    present,
    scope_text,
    value_text,
)
from toolkit.errors import UserError

PLACE = ("base_model", "dataset", "test")
SMALL = 6.5
"""Points: the smallest text of a figure."""


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
    """``3 seeds × 40 documents``, from the columns `seeds` and `documents`; ``3 seeds`` without documents."""
    spans = []
    for column, noun in (("seeds", "seed"), ("documents", "document")):
        numbers = sorted({int(v) for v in table[column].dropna()})
        if numbers and numbers[-1]:
            low, high = numbers[0], numbers[-1]
            spans.append(count(high, noun) if low == high else f"{low} to {count(high, noun)}")
    return " × ".join(spans)


def intervals(table: pd.DataFrame, confidence: str = "95 %") -> str:
    """What the bars are and speak about; where methods differ in that, which is which."""
    methods: dict[str, list[str]] = {}
    name_of = "label" if "label" in table else "method"
    columns = (table[name] for name in (name_of, "speaks_about", "seeds", "documents"))
    for method, about, seeds, documents in zip(*columns, strict=True):
        methods.setdefault(scope_text(str(about), int(seeds), int(documents)), []).append(str(method))
    by_scope = {scope: joined(list(dict.fromkeys(names))) for scope, names in methods.items()}
    only = len(by_scope) == 1
    parts = [scope if only else f"{scope} for {names}" for scope, names in by_scope.items()]
    return f"Bars: {confidence} interval, about {'; '.join(parts)}."


def looks_of(table: pd.DataFrame) -> dict[str, Look]:
    """Return each method's look: from the columns `colour`, `mark`, `dash`, else assigned here."""
    methods = list(dict.fromkeys(str(method) for method in table["method"]))
    if not {*Look._fields} <= {*table.columns}:
        return assign(methods)
    first = table.dropna(subset=["colour", "mark", "dash"]).drop_duplicates("method").set_index("method")
    given = {str(m): Look(r["colour"], r["mark"], r["dash"]) for m, r in first.iterrows()}
    return {method: given.get(method) or look(method) for method in methods}


def short(label: str, most: int = 30) -> str:
    """Return a label on one line, with its middle left out if it is longer than ``most`` characters."""
    text = " ".join(label.split())
    return text if len(text) <= most else f"{text[: most // 2]}…{text[len(text) - most // 2 + 1 :]}"


def note_untuned(ax: Axes, table: pd.DataFrame) -> None:
    """Note which methods are untuned: searched less, at the edge of the rates tried, or trained elsewhere."""
    if "untuned" not in table:
        return
    rows = table[table["untuned"].fillna(False).astype(bool)]
    names = list(dict.fromkeys(str(label) for label in rows["label"]))
    if "baseline_untuned" in table and table["baseline_untuned"].fillna(False).any():
        names = list(dict.fromkeys([str(table["baseline_label"].iloc[0]), *names]))
    if names:
        note(ax, f"Untuned, another learning rate may change the result: {joined(names)}.")


def narrow(ax: Axes) -> bool:
    """Return whether the figure is a column of a page, so that words must stand above, not beside."""
    figure = ax.get_figure(root=True)
    return figure is not None and figure.get_figwidth() < NARROW


def metric_of(table: pd.DataFrame) -> str:
    """Return the label of the one metric of a table."""
    return str(table["metric_label"].iloc[0])


def value_axis_label(table: pd.DataFrame) -> str:
    """Return the label of an axis of the table's one metric: its name, and which way is better."""
    return f"{capital(metric_of(table))} ({direction_label(str(table['direction'].iloc[0]))})"


def rows_of(ax: Axes, labels: Sequence[str], top: float = -0.6) -> None:
    """One row a label, the first on top."""
    ax.set_yticks(range(len(labels)), [short(label) for label in labels])
    ax.set_ylim(len(labels) - 0.4, top)
    ax.grid(axis="y", visible=False)


def beside(ax: Axes, text: str, **options: Any) -> None:
    """Words at a place of their own: the layout makes no room for them, their plot has."""
    given = {"textcoords": "offset points", "fontsize": SMALL, "annotation_clip": False, **options}
    ax.annotate(text, **given).set_in_layout(False)


def whisker(ax: Axes, row: dict[str, Any], value: float, y: float, shown: Look, scale: float) -> None:
    """Draw a point with its interval; hollow without an interval."""
    known = present(row["low"]) and present(row["high"])
    colour = shown.colour
    if known:
        ends = [row["low"] * scale, row["high"] * scale]
        ax.plot(ends, [y, y], color=colour, linewidth=2, solid_capstyle="butt")
    face = colour if known else "none"
    ax.plot([value * scale], [y], shown.mark, color=colour, markerfacecolor=face, markeredgewidth=1)


def reference_mark(
    ax: Axes, value: float, text: str, *, axis: str, style: str = ":", ha: str | None = None
) -> None:
    """A line at ``value`` of the ``axis``; where that lies beyond the limits, an arrow at the edge."""
    across = axis == "x"
    point = (value, ax.get_ylim()[0]) if across else (ax.get_xlim()[0], value)
    # Through the axes' own scale, which may be a logarithm.
    share = float((ax.transScale + ax.transLimits).transform(point)[0 if across else 1])
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


def base_mark(ax: Axes, base: pd.DataFrame) -> None:
    """Draw the untouched base's value, if it has one, as a dashed line with its number; at most one row."""
    for row in rows(base[base["value"].notna()]):
        unit = str(row["unit"])
        size = value_text(row["value"], unit, decimals(unit, row["low"], row["high"]))
        reference_mark(ax, row["value"] * factor(unit), f"base {size}", axis="y", style="--")
