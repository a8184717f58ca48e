"""Figures of quality against what it takes: tokens, seconds, memory, learning rates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from figures.plots.common import check, extent, intervals, metric_of
from figures.plots.reference_marks import reference_mark
from figures.style import look, note
from figures.tidy.frames import rows
from figures.wording.names import (
    capital,
    count,
    decimals,
    direction_label,
    factor,
    present,
    value_text,
)
from toolkit.errors import UserError

AXES = {
    "tokens": ("Supervised tokens trained on (thousands)", 1e3),
    "seconds": ("Training time (minutes)", 60.0),
    "train_seconds": ("Training time (minutes)", 60.0),
    "peak_memory_bytes": ("Peak memory of the process (GB)", 1e9),
    "cuda_allocated_bytes": ("Peak memory allocated on the GPU (GB)", 1e9),
}
"""Column -> its axis label, and what one unit of the axis is in the column's unit."""

VALIDATION = "validation_bits_per_byte"
FEW = 8  # lines, up to which the value at the end of each is written beside it


def learning_curve(table: pd.DataFrame, ax: Axes, x: str = "tokens") -> Axes:
    """Validation bits per byte over ``x`` (`tokens`, `seconds`): a thin line a seed, a thick one their mean.

    Refuses runs of different devices when ``x`` is a time.
    """
    table = table[table[VALIDATION].notna()]
    check(table, *(["device"] if x == "seconds" else []))
    text, one = AXES[x]
    ends = []
    for method, mine in table.groupby("method", sort=False):
        colour, mark = look(str(method))
        seeds = [run.reset_index(drop=True) for _, run in mine.groupby("run_id", sort=False)]
        if len(seeds) > 1:
            thin = _with_gaps([run[[x, VALIDATION]] for run in seeds])
            ax.plot(thin[x] / one, thin[VALIDATION], color=colour, linewidth=0.7, alpha=0.5)
        # The k-th validation of every seed lies at nearly the same x, so their means go together.
        mean = pd.concat(seeds).groupby(level=0)[[x, VALIDATION]].mean()
        label = str(mine["label"].iloc[0])
        ax.plot(mean[x] / one, mean[VALIDATION], color=colour, marker=mark, label=label, linewidth=1.4)
        ends.append((float(mean[VALIDATION].iloc[-1]), float(mean[x].iloc[-1]) / one, colour))
    ax.set_xlabel(text)
    ax.set_ylabel("Validation bits per byte")
    ax.set_xlim(left=0)
    ax.legend()
    if len(ends) <= FEW:
        _end_values(ax, ends)
    shown = table.groupby("method", sort=False).agg(
        seeds=("run_id", "nunique"), documents=("documents", "max")
    )
    lines = " Thin lines: single seeds; thick: their mean." if int(shown["seeds"].max()) > 1 else ""
    note(ax, f"{extent(shown)}.{lines} No interval is drawn.")
    return ax


def _with_gaps(runs: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Runs one after the other with a gap between them: one line to draw, where hundreds take seconds."""
    return pd.concat([part for run in runs for part in (run, run[:1] * float("nan"))])


def _end_values(ax: Axes, ends: list[tuple[float, float, str]]) -> None:
    """The value at the end of each line, pushed apart where two would overlap."""
    low, high = ax.get_ylim()
    ax.set_ylim(low, high)
    place = before = float("-inf")
    for value, x, colour in sorted(ends):
        near = abs(x - before) < 0.1 * ax.get_xlim()[1]
        place, before = max(value, place + (high - low) * 0.06) if near else value, x
        ax.annotate(
            f"{value:.3f}",
            (x, place),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=7,
            color=colour,
            annotation_clip=False,
        )


def quality_against_cost(table: pd.DataFrame, ax: Axes, cost: str = "train_seconds") -> Axes:
    """A metric against ``cost``: a method's mean with its interval, single seeds as small points.

    ``table`` has rows of kind `estimate`, `seed` and, for the untouched base, `anchor`. Refuses runs of
    different devices.
    """
    check(table, "metric", "device")
    priced = table[table[cost].notna()]
    if priced.empty:
        raise UserError(f"nothing to draw: no run measured {cost}")
    unit = str(table["unit"].iloc[0])
    scale = factor(unit)
    text, one = AXES[cost]
    ax.set_xlim(0, 1.1 * float(priced[cost].max()) / one)
    for method, seeds in priced[priced["kind"] == "seed"].groupby("method", sort=False):
        small: dict[str, Any] = {"markersize": 2.5, "alpha": 0.6, "markeredgewidth": 0, "linestyle": ""}
        colour, mark = look(str(method))
        ax.plot(seeds[cost] / one, seeds["value"] * scale, marker=mark, color=colour, **small)
    for row in rows(priced[priced["kind"] != "seed"]):
        colour, mark = look(row["method"])
        at, value = row[cost] / one, row["value"] * scale
        ends = [value if not present(end) else end * scale for end in (row["low"], row["high"])]
        ax.plot([at, at], ends, color=colour, linewidth=1.6)
        ax.plot([at], [value], mark, color=colour, markersize=6, label=row["label"])
    ax.legend()
    ax.margins(y=0.2)
    ax.autoscale_view(scalex=False)
    for row in rows(table[table["kind"] == "anchor"]):
        size = value_text(row["value"], unit, decimals(unit, row["low"], row["high"]))
        reference_mark(ax, row["value"] * scale, f"base {size}", axis="y", style="--")
    name = metric_of(table)
    ax.set_ylabel(f"{capital(name)} ({direction_label(str(table['direction'].iloc[0]))})")
    ax.set_xlabel(text)
    estimates = priced[priced["kind"] == "estimate"]
    device = str(priced["device"].iloc[0])
    note(ax, f"{extent(estimates)}. {intervals(estimates)} Device: {device}.")
    return ax


def learning_rates(table: pd.DataFrame, ax: Axes, optima: Mapping[str, Sequence[float | None]] = {}) -> Axes:
    """Validation bits per byte after training, by learning rate and method; the rate taken is circled.

    Where several tuning seeds were tried: a thin line a seed, a thick one their mean. ``optima``: method ->
    its best rate between those tried, low and high end, marked below. Short runs of a search are left out.
    """
    table = table[table[VALIDATION].notna() & table["learning_rate"].notna()]
    check(table)
    searched = table[table["phase"] == "tune"]
    searched = searched[searched["budget"] == searched["budget"].max()] if len(searched) else table
    for method, mine in searched.groupby("method", sort=False):
        colour, mark = look(str(method))
        by_seed = mine.pivot_table(index="learning_rate", columns="seed", values=VALIDATION).sort_index()
        if by_seed.shape[1] > 1:
            ax.plot(by_seed.index, by_seed, color=colour, linewidth=0.7, alpha=0.5)
        tried: Any = by_seed.mean(axis=1, skipna=False)  # a rate that a seed diverged at has no mean
        ax.plot(tried.index, tried, color=colour, marker=mark, label=mine["label"].iloc[0])
        taken = table[(table["phase"] == "confirm") & (table["method"] == method)]
        chosen = sorted(set(taken["learning_rate"]))
        heights = np.interp(np.log(chosen), np.log(tried.index), tried) if chosen else []
        ax.plot(chosen, heights, "o", color=colour, markerfacecolor="none", markersize=11)
        best, low, high = optima.get(str(method), (None, None, None))
        across = ax.get_xaxis_transform()
        if best is not None:
            ax.plot([best], [0.03], "|", color=colour, markersize=8, markeredgewidth=1.6, transform=across)
        if low is not None and high is not None:
            ax.plot([low, high], [0.03, 0.03], color=colour, linewidth=1.4, transform=across)
    ax.margins(y=0.15)
    ax.set_xscale("log")
    tried_rates = sorted(set(searched["learning_rate"]))
    ax.set_xlim(tried_rates[0] / 1.5, tried_rates[-1] * 1.5)
    if len(tried_rates) <= 9:
        ax.set_xticks(
            tried_rates, [f"{rate:.1e}".replace(".0e", "e").replace("e-0", "e−") for rate in tried_rates]
        )
        ax.minorticks_off()
    ax.set_xlabel("Learning rate")
    ax.set_ylabel("Validation bits per byte")
    ax.legend()
    rates = searched.groupby("method")["learning_rate"].nunique()
    seeds = int(searched["seed"].nunique())
    span = str(rates.min()) if rates.min() == rates.max() else f"{rates.min()} to {rates.max()}"
    marks = " Below: the best rate between those tried, with its 95 % interval over seeds." if optima else ""
    lines = " Thin lines: single seeds; thick: their mean." if seeds > 1 else ""
    note(
        ax, f"{span} learning rates a method, {count(seeds, 'seed')}.{lines} Circled: the rate taken.{marks}"
    )
    return ax
