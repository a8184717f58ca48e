"""Figures of the prompt modes and decodings: a metric at each of them, and how much of it they explain."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from figures.plots.common import (
    SMALL,
    check,
    extent,
    intervals,
    looks_of,
    metric_of,
    note_untuned,
    rows_of,
    short,
)
from figures.style import MUTED, note
from figures.tidy.frames import rows
from figures.wording.names import capital, direction_label, factor, present

SHARES = {
    "share_decodings": ("decoding", "#08519c", "#fdfdfd"),
    "share_methods": ("method", "#6baed6", "#141414"),
    "share_both": ("both together", "#c6dbef", "#141414"),
    "share_noise": ("noise", "none", MUTED),
}
"""Column -> what it is called, its colour and that of the number in it: shades that no method has."""


def decoding_values(table: pd.DataFrame, ax: Axes) -> Axes:
    """One metric from one prompt mode: decodings side by side, a method a mark with its interval.

    ``table`` has one row per method and decoding: value, low, high, label, `order` (of the decodings).
    """
    check(table, "metric", "prompt_mode")
    scale = factor(str(table["unit"].iloc[0]))
    table = table.sort_values("order", kind="stable")
    names = list(dict.fromkeys(table["decoding"]))
    labels = list(dict.fromkeys(table["label"]))
    looks = looks_of(table)
    offsets = np.linspace(-0.2, 0.2, len(labels)) if len(labels) > 1 else np.zeros(1)
    for offset, label in zip(offsets, labels, strict=True):
        of_method = table[table["label"] == label]
        colour, mark, dash = looks[str(of_method["method"].iloc[0])]
        x = np.array([names.index(name) for name in of_method["decoding"]]) + offset
        ax.plot(x, of_method["value"] * scale, color=colour, linewidth=0.7, alpha=0.5, linestyle=dash)
        ax.plot(x, of_method["value"] * scale, mark, color=colour, label=short(label))
        for place, row in zip(x, rows(of_method), strict=True):
            if present(row["low"]) and present(row["high"]):
                ax.plot([place] * 2, [row["low"] * scale, row["high"] * scale], color=colour, linewidth=1.2)
    ax.set_xticks(range(len(names)), [name.replace("-", "\n") for name in names])
    ax.set_xlim(-0.5, len(names) - 0.5)
    ax.grid(axis="x", visible=False)
    metric, unit = metric_of(table), str(table["unit"].iloc[0])
    ax.set_title(f"{capital(metric)}\nprompt through the {table['prompt_mode'].iloc[0]}")
    direction = direction_label(str(table["direction"].iloc[0]))
    ax.set_ylabel(f"{'Per cent' if unit == 'share' else capital(unit)} ({direction})")
    ax.legend()
    note(ax, f"{extent(table)}. {intervals(table)}")
    note_untuned(ax, table)
    return ax


def nothing_measured(table: pd.DataFrame, ax: Axes) -> Axes:
    """Fill the place of a metric that is not measured with a prompt mode; ``table`` is empty."""
    ax.text(0.5, 0.5, "not measured with this prompt", color=MUTED, ha="center", transform=ax.transAxes)
    ax.set_xticks([])
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    return ax


def decoding_shares(table: pd.DataFrame, ax: Axes) -> Axes:
    """One prompt mode's texts: one bar per metric, divided into decoding, method, both and noise."""
    check(table, "prompt_mode")
    left = np.zeros(len(table))
    for column, (name, colour, ink) in SHARES.items():
        share = 100 * table[column].to_numpy(dtype=float)
        hatch = "////" if colour == "none" else None
        ax.barh(
            range(len(table)), share, left=left, height=0.7, label=name, color=colour, hatch=hatch,
            edgecolor=MUTED, linewidth=0.4,
        )  # fmt: skip
        for y, (start, size) in enumerate(zip(left, share, strict=True)):
            if size >= 10 and colour != "none":
                ax.text(
                    start + size / 2, y, f"{size:.0f}", ha="center", va="center", color=ink, fontsize=SMALL
                )
        left += share
    rows_of(ax, [str(label) for label in table["metric_label"]])
    ax.set_xlim(0, 100)
    ax.set_xlabel("Per cent of the sum of squares")
    ax.set_title(f"Prompt through\nthe {table['prompt_mode'].iloc[0]}")
    ax.legend()
    first = table.iloc[0]
    methods, decodings = ", ".join(first["methods"]), ", ".join(first["decodings"])
    seeds = "" if first["seeds"] > 1 else " With one seed, the noise is that of documents alone."
    note(ax, f"{extent(table)}. Methods: {methods}. Decodings: {decodings}.{seeds}")
    return ax
