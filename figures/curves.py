"""Figures of quality against what it takes: tokens, seconds, memory, learning rates."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from figures.plots import beside, check, extent, records, reference_mark, scopes
from figures.style import look, note
from figures.words import count, decimals, direction_label, factor, metric_label, present, value_text
from toolkit.errors import UserError

AXES = {
    "tokens": ("supervised tokens trained on (thousands)", 1e3),
    "seconds": ("training time (minutes)", 60.0),
    "train_seconds": ("training time (minutes)", 60.0),
    "peak_memory_bytes": ("peak memory of the process (GB)", 1e9),
    "cuda_allocated_bytes": ("peak memory allocated on the GPU (GB)", 1e9),
}
"""Column -> its axis label, and what one unit of the axis is in the column's unit."""


def learning_curve(table: pd.DataFrame, ax: Axes, x: str = "tokens") -> Axes:
    """Validation bits per byte over ``x`` (`tokens`, `seconds`): a thin line a seed, a thick one their mean.

    Refuses runs of different devices when ``x`` is a time.
    """
    table = table[table["validation_bits_per_byte"].notna()]
    check(table, *(["device"] if x == "seconds" else []))
    text, one = AXES[x]
    ends = []
    for method, mine in table.groupby("method", sort=False):
        colour, mark = look(str(method))
        seeds = [run.reset_index(drop=True) for _, run in mine.groupby("run_id", sort=False)]
        several = len(seeds) > 1
        for run in seeds:
            ax.plot(
                run[x] / one,
                run["validation_bits_per_byte"],
                color=colour,
                linewidth=0.7 if several else 1.6,
                alpha=0.5 if several else 1.0,
                marker=None if several else mark,
            )
        # The k-th validation of every seed lies at nearly the same x, so that mean goes with mean.
        mean = pd.concat(seeds).groupby(level=0)[[x, "validation_bits_per_byte"]].mean()
        if several:
            ax.plot(mean[x] / one, mean["validation_bits_per_byte"], color=colour, marker=mark)
        last = mean.iloc[-1]
        ends.append(
            (
                float(last["validation_bits_per_byte"]),
                float(last[x]) / one,
                str(mine["label"].iloc[0]),
                colour,
            )
        )
    ax.set_xlabel(text)
    ax.set_ylabel("validation bits per byte")
    ax.set_xlim(left=0)
    _end_labels(ax, ends)
    seeds_of = table.groupby("method", sort=False).agg(
        seeds=("run_id", "nunique"), documents=("documents", "max")
    )
    several = int(seeds_of["seeds"].max()) > 1
    note(
        ax,
        f"{extent(seeds_of)}."
        + (" Thin lines: single seeds; thick: their mean." if several else "")
        + " No interval is drawn.",
    )
    return ax


def _end_labels(ax: Axes, ends: list[tuple[float, float, str, str]]) -> None:
    """Name each line at its end, pushed apart where they would overlap."""
    low, high = ax.get_ylim()
    ax.set_ylim(low, high)
    gap = (high - low) * 0.06
    place = float("-inf")
    for value, x, label, colour in sorted(ends):
        place = max(value, place + gap)
        ax.annotate(
            f"{label}  {value:.3f}",
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
    ax.set_xlim(0, 1.25 * float(priced[cost].max()) / one)
    below, before = False, float("-inf")
    for row in records(priced.sort_values(cost)):
        colour, mark = look(row["method"])
        at, value = row[cost] / one, row["value"] * scale
        if row["kind"] == "seed":
            ax.plot([at], [value], mark, color=colour, markersize=2.5, alpha=0.6, markeredgewidth=0)
            continue
        ends = [value if not present(end) else end * scale for end in (row["low"], row["high"])]
        ax.plot([at, at], ends, color=colour, linewidth=1.6)
        ax.plot([at], [value], mark, color=colour, markersize=6)
        # Names of near neighbours stand above and below their bars in turn, so that they do not meet.
        below = not below if at - before < 0.25 * ax.get_xlim()[1] else False
        before = at
        place = {"xy": (at, ends[0] if below else ends[1]), "xytext": (0, -3 if below else 3)}
        beside(
            ax, row["label"], **place, ha="center", va="top" if below else "bottom", fontsize=7, color=colour
        )
    ax.margins(y=0.2)
    ax.autoscale_view(scalex=False)
    for row in records(table[table["kind"] == "anchor"]):
        size = value_text(row["value"], unit, decimals(unit, row["low"], row["high"]))
        reference_mark(ax, row["value"] * scale, f"base {size}", axis="y", style="--")
    name = metric_label(str(table["metric"].iloc[0]))
    ax.set_ylabel(f"{name} ({direction_label(str(table['direction'].iloc[0]))})")
    ax.set_xlabel(text)
    estimates = priced[priced["kind"] == "estimate"]
    device = str(priced["device"].iloc[0])
    note(ax, f"{extent(estimates)}. Bars: 95 % interval ({scopes(estimates)}). Device: {device}.")
    return ax


def learning_rates(table: pd.DataFrame, ax: Axes) -> Axes:
    """Validation bits per byte after training, by learning rate and method; the rate taken is circled."""
    table = table[table["validation_bits_per_byte"].notna() & table["learning_rate"].notna()]
    check(table)
    for method, mine in table.groupby("method", sort=False):
        colour, mark = look(str(method))
        tried: Any = mine.groupby("learning_rate")["validation_bits_per_byte"].mean().sort_index()
        ax.plot(tried.index, tried, color=colour, marker=mark, label=mine["label"].iloc[0])
        chosen = sorted(set(mine[mine["phase"] == "confirm"]["learning_rate"]))
        ax.plot(chosen, tried.reindex(chosen), "o", color=colour, markerfacecolor="none", markersize=11)
    ax.set_xscale("log")
    tried_rates = sorted(set(table["learning_rate"]))
    if len(tried_rates) <= 9:
        ax.set_xticks(tried_rates, [f"{rate:.0e}".replace("e-0", "e−") for rate in tried_rates])
        ax.minorticks_off()
    ax.set_xlabel("learning rate")
    ax.set_ylabel("validation bits per byte")
    ax.legend()
    rates = table.groupby("method")["learning_rate"].nunique()
    searched = table[table["phase"] == "tune"]
    seeds = int((searched if len(searched) else table)["seed"].nunique())
    span = str(rates.min()) if rates.min() == rates.max() else f"{rates.min()} to {rates.max()}"
    note(ax, f"{span} learning rates a method, {count(seeds, 'seed')}. Circled: the rate taken.")
    return ax
