"""Lines and arrows that show a reference value on an axis, with labels that do not meet."""

from __future__ import annotations

from collections.abc import Iterable

from matplotlib.axes import Axes

from figures.plots.common import beside
from figures.style import MUTED

CLOSE = 0.12  # share of an axis within which two reference marks have one label


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
