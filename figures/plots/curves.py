"""Figures of training: validation on the way, and the search for a learning rate."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from statistics import fmean
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from figures.plots.common import beside, check, extent, looks_of, note_untuned, short
from figures.plots.ticks import plain_log_axis
from figures.style import note
from figures.wording.names import count, joined

AXES = {
    "tokens": ("Supervised tokens trained on (thousands)", 1e3),
    "seconds": ("Training time (minutes)", 60.0),
}
"""Column -> its axis label, and what one unit of the axis is in the column's unit."""

VALIDATION = "validation_bits_per_byte"
FEW = 8  # lines, up to which the value at the end of each is written beside it


def learning_curve(table: pd.DataFrame, ax: Axes, x: str = "tokens", diverged: Collection[str] = ()) -> Axes:
    """Validation bits per byte over ``x`` (`tokens`, `seconds`): one thin line per seed, a thick mean.

    Runs whose ids are in ``diverged`` are thin lines alone: no mean holds them, and they stretch no axis.
    Refuses runs of different devices when ``x`` is a time.
    """
    table = table[table[VALIDATION].notna()]
    check(table, *(["device"] if x == "seconds" else []))
    text, one = AXES[x]
    looks, ends = looks_of(table), []
    lost = table["run_id"].isin([*diverged])
    for method, of_method in table[~lost].groupby("method", sort=False):
        colour, mark, dash = looks[str(method)]
        seeds = [run.reset_index(drop=True) for _, run in of_method.groupby("run_id", sort=False)]
        if len(seeds) > 1:
            _thin_lines(ax, of_method, x, colour)
        # The k-th validation of every seed lies at nearly the same x, so their means go together; where one
        # seed has stopped, the others' mean would jump.
        mean = pd.concat(seeds).groupby(level=0)[[x, VALIDATION]].mean()[: min(map(len, seeds))]
        label = short(str(of_method["label"].iloc[0]))
        line: dict[str, Any] = {"color": colour, "marker": mark, "linestyle": dash, "linewidth": 1.4}
        ax.plot(mean[x] / one, mean[VALIDATION], label=label, **line)
        ends.append((float(mean[VALIDATION].iloc[-1]), float(mean[x].iloc[-1]) / one, colour))
    limits, finished = ax.get_ylim(), set(table.loc[~lost, "method"])
    for method, of_method in table[lost].groupby("method", sort=False):
        name = None if method in finished else short(str(of_method["label"].iloc[0]))
        _thin_lines(ax, of_method, x, looks[str(method)].colour, name)
    if ends:
        ax.set_ylim(limits)
    ax.legend()
    ax.set_xlabel(text)
    ax.set_ylabel("Validation bits per byte")
    slowest = float(table.loc[~lost if ends else slice(None), x].max()) / one
    last = max((x_end for _, x_end, _ in ends), default=slowest)
    ax.set_xlim(0, max(1.2 * last, 1.04 * slowest) or 1)  # room for the values at the ends of the means
    if 0 < len(ends) <= FEW:
        _end_values(ax, ends)
    note(ax, _course(table, lost))
    note_untuned(ax, table)
    return ax


def _course(table: pd.DataFrame, lost: pd.Series[bool]) -> str:
    """What learning curves show: n, what their lines are, and which runs are in no mean."""
    shown = (table if lost.all() else table[~lost]).groupby("method", sort=False)
    extents = shown.agg(seeds=("run_id", "nunique"), documents=("documents", "max"))
    several = int(extents["seeds"].max()) > 1 or lost.any()
    thick = "their mean, up to where the first ends" if _uneven(table[~lost]) else "their mean"
    lines = f" Thin lines: single seeds; thick: {thick}." if several else ""
    runs = table[lost].groupby("label", sort=False)["run_id"].nunique()
    names = joined([f"{label} ({count(int(number), 'run')})" for label, number in runs.items()])
    left_out = f" Diverged, and in no mean: {names}." if names else ""
    points = int(table.groupby("run_id").size().max())
    few = (
        f" Only {count(points, 'validation')} per run: the course in between is not known."
        if points < 5
        else ""
    )
    return f"{extent(extents)}.{lines}{left_out} No interval is drawn.{few}"


def _uneven(table: pd.DataFrame) -> bool:
    """Whether the seeds of some method have more validations than others."""
    return bool((table.groupby(["method", "run_id"]).size().groupby("method").nunique() > 1).any())


def _thin_lines(ax: Axes, table: pd.DataFrame, x: str, colour: str, label: str | None = None) -> None:
    """A line per run, drawn as one with gaps."""
    thin = _with_gaps([run[[x, VALIDATION]] for _, run in table.groupby("run_id", sort=False)])
    ax.plot(thin[x] / AXES[x][1], thin[VALIDATION], color=colour, linewidth=0.7, alpha=0.5, label=label)


def _with_gaps(runs: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Runs one after the other with a gap between them: one line to draw, where hundreds take seconds."""
    return pd.concat([part for run in runs for part in (run, run[:1] * float("nan"))])


def _end_values(ax: Axes, ends: list[tuple[float, float, str]]) -> None:
    """The value at the end of each line, in a column right of all lines, moved apart where they meet."""
    low, high = ax.get_ylim()
    ax.set_ylim(low, high)
    column = max(x for _, x, _ in ends)
    ordered, gap = sorted(ends), 0.07 * (high - low)
    places = moved_apart([value for value, _, _ in ordered], gap, low + gap / 2)
    for (value, _, colour), y in zip(ordered, places, strict=True):
        beside(ax, f"{value:.3f}", xy=(column, y), xytext=(6, 0), va="center", color=colour)


def moved_apart(values: Sequence[float], gap: float, lowest: float) -> list[float]:
    """Return the ascending values moved as little as possible to lie ``gap`` apart, none below ``lowest``.

    Least squares: isotonic regression of each value less its rank times the gap.
    """
    blocks: list[list[float]] = []
    for rank, value in enumerate(values):
        blocks.append([value - rank * gap])
        while len(blocks) > 1 and fmean(blocks[-2]) > fmean(blocks[-1]):
            blocks[-2:] = [blocks[-2] + blocks[-1]]
    fitted = [max(fmean(block), lowest) for block in blocks for _ in block]
    return [place + rank * gap for rank, place in enumerate(fitted)]


def learning_rates(table: pd.DataFrame, ax: Axes, optima: Mapping[str, Sequence[float | None]] = {}) -> Axes:
    """Validation bits per byte after training, by learning rate and method; the rate taken is circled.

    Where several tuning seeds were tried: one thin line per seed, a thick mean. ``optima``: method ->
    its best rate between those tried, low and high end, marked below. Short runs of a search are left out.
    A run that diverged keeps its last validation, which is no result: there the lines have a gap.
    """
    table = table[table["learning_rate"].notna()]
    results = table[VALIDATION].astype(float).where(table["status"] == "finished")
    table = table.assign(**{VALIDATION: results})
    check(table[results.notna()])
    searched = table[table["phase"] == "tune"]
    searched = searched[searched["budget"] == searched["budget"].max()] if len(searched) else table
    looks = looks_of(searched)
    for method, of_method in searched.groupby("method", sort=False):
        colour, mark, dash = looks[str(method)]
        by_seed = of_method.pivot_table(
            index="learning_rate", columns="seed", values=VALIDATION, dropna=False
        ).sort_index()
        if by_seed.shape[1] > 1:
            ax.plot(by_seed.index, by_seed, color=colour, linewidth=0.7, alpha=0.5)
        tried: Any = by_seed.mean(axis=1, skipna=False)  # a rate that a seed diverged at has no mean
        ax.plot(
            tried.index,
            tried,
            color=colour,
            marker=mark,
            linestyle=dash,
            label=short(str(of_method["label"].iloc[0])),
        )
        taken = table[(table["phase"] == "confirm") & (table["method"] == method)]
        chosen = sorted(set(taken["learning_rate"]))
        known = tried.dropna()
        if chosen and len(known):
            heights = np.interp(np.log(chosen), np.log(known.index), known)
            ax.plot(chosen, heights, "o", color=colour, markerfacecolor="none", markersize=11)
        _optimum(ax, optima.get(str(method), (None, None, None)), colour)
    ax.margins(y=0.15)
    tried_rates = sorted(set(searched["learning_rate"]))
    ax.set_xscale("log")
    ax.set_xlim(tried_rates[0] / 1.5, tried_rates[-1] * 1.5)
    plain_log_axis(ax, "x", tried_rates)
    ax.set_xlabel("Learning rate")
    ax.set_ylabel("Validation bits per byte")
    ax.legend()
    rates = searched.groupby("method")["learning_rate"].nunique()
    seeds = int(searched["seed"].nunique())
    span = str(rates.min()) if rates.min() == rates.max() else f"{rates.min()} to {rates.max()}"
    ends = ", with its 95 % interval over seeds" if any(one[1] is not None for one in optima.values()) else ""
    marks = f" Below: the best rate between those tried{ends}." if optima else ""
    lines = " Thin lines: single seeds; thick: their mean." if seeds > 1 else ""
    diverged = int((searched["status"] != "finished").sum())
    lost = f" Not drawn: {count(diverged, 'run')} that diverged." if diverged else ""
    tried_text = f"{span} learning rates per method, {count(seeds, 'seed')}."
    note(ax, f"{tried_text}{lines} Circled: the rate taken.{marks}{lost}")
    note_untuned(ax, searched)
    return ax


def _optimum(ax: Axes, optimum: Sequence[float | None], colour: str) -> None:
    """Mark a best rate between those tried, and its interval, just above the axis."""
    best, low, high = optimum
    across = ax.get_xaxis_transform()
    if best is not None:
        ax.plot([best], [0.03], "|", color=colour, markersize=8, markeredgewidth=1.6, transform=across)
    if low is not None and high is not None:
        ax.plot([low, high], [0.03, 0.03], color=colour, linewidth=1.4, transform=across)
