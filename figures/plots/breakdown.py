"""Figures of what a metric is made of: the checks that generations fail, and the sections of documents."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from figures.plots.common import check, extent, looks_of, note_untuned, rows_of, short
from figures.style import GRID, WIDTH, note
from figures.wording.names import MISSING, capital, direction_label

MANY = 6
"""Methods beside each other, beyond which their labels stand upright."""


def upright(labels: Sequence[str], width: float = WIDTH) -> bool:
    """Return whether labels beside each other have to stand upright in a figure of ``width`` inches."""
    return len(labels) > MANY or max(map(len, labels)) * len(labels) > 12 * (width - 1)


def failed_checks(table: pd.DataFrame, ax: Axes) -> Axes:
    """Share of generations that fail each structure check, by method: the darker, the more.

    ``table`` has one row per run and check: `part` is the check, `value` the documents that fail it.
    """
    check(table, "metric")
    shares = table.assign(share=table["value"] / table["documents"])
    failing = shares.pivot_table(index="part", columns="label", values="share", sort=False)
    grid = failing.to_numpy(dtype=float)
    ax.pcolormesh(grid, cmap="Blues", vmin=0, vmax=1.1, edgecolors=GRID, linewidth=0.8)
    many, names = grid.shape[1] > MANY, [short(str(label), 24) for label in failing.columns]
    figure = ax.get_figure(root=True)
    width = figure.get_figwidth() if figure else WIDTH
    for (y, x), share in np.ndenumerate(grid):
        percent = "< 1" if 0 < share < 0.005 else f"{100 * share:.0f}"
        text = MISSING if np.isnan(share) else f"{percent}{'' if many else ' %'}"
        # Fixed colours: the page behind may be dark, the cell is not.
        colour = "#fdfdfd" if share > 0.6 else "#141414"
        size = 5 if many else 7.5
        ax.text(x + 0.5, y + 0.5, text, ha="center", va="center_baseline", color=colour, fontsize=size)
    ax.set_yticks(np.arange(len(failing)) + 0.5, [str(part) for part in failing.index])
    ax.set_xticks(np.arange(grid.shape[1]) + 0.5, names, rotation=90 if upright(names, width) else 0)
    ax.tick_params(axis="x", top=True, bottom=False, labeltop=True, labelbottom=False, length=0)
    ax.invert_yaxis()
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    seeds = table.groupby("method", sort=False).agg(seeds=("seed", "nunique"), documents=("documents", "max"))
    unit = " (per cent)" if many else ""
    note(ax, f"Share of generations that fail{unit}, mean over seeds: {extent(seeds)}. No interval is drawn.")
    note_untuned(ax, table)
    return ax


def section_values(table: pd.DataFrame, ax: Axes) -> Axes:
    """Bits per byte of each section of the held-out documents: a section a row, a method a mark."""
    table = table[table["value"].notna()]
    check(table, "metric")
    parts, labels = list(dict.fromkeys(table["part"])), list(dict.fromkeys(table["label"]))
    looks = looks_of(table)
    offsets = np.linspace(-0.26, 0.26, len(labels)) if len(labels) > 1 else np.zeros(1)
    for offset, label in zip(offsets, labels, strict=True):
        of_method = table[table["label"] == label]
        colour, mark, _ = looks[str(of_method["method"].iloc[0])]
        means = of_method.groupby("part", sort=False)["value"].mean().reindex(parts)
        rows = np.arange(len(parts)) + offset
        ax.hlines(rows, 0, means, color=colour, linewidth=0.8, alpha=0.45)
        ax.plot(means, rows, mark, color=colour, label=short(label), markeredgewidth=1.6)
        if of_method["seed"].nunique() > 1:
            ax.plot(
                of_method["value"],
                [rows[parts.index(p)] for p in of_method["part"]],
                "|",
                color=colour,
                markersize=5,
            )
    rows_of(ax, [str(part) for part in parts])
    for y in np.arange(len(parts) - 1) + 0.5:
        ax.axhline(y, color=GRID, linewidth=0.6)
    ax.set_xlim(left=0)
    ax.legend(loc="best")
    ax.set_xlabel(
        f"{capital(str(table['unit'].iloc[0]))} ({direction_label(str(table['direction'].iloc[0]))})"
    )
    seeds = table.groupby("method", sort=False).agg(seeds=("seed", "nunique"), documents=("documents", "max"))
    note(ax, f"{extent(seeds)}; marks: mean over seeds, ticks: single seeds. No interval is drawn.")
    note_untuned(ax, table)
    return ax
