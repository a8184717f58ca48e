"""Figures of quality along an axis of a study: training documents, epochs, parameters per training token."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pandas as pd
from matplotlib.axes import Axes

from figures.gallery.figure_list import Plan, headline
from figures.plots.scores import check, extent, intervals, reference_mark
from figures.style import look, note
from figures.tidy.load import StudyTables, records
from figures.wording.words import (
    capital,
    decimals,
    direction_label,
    factor,
    metric_label,
    present,
    value_text,
)

LABELS = {
    "train_size": "Training documents",
    "epochs": "Epochs",
    "capacity": "Trainable parameters\nper training token",
}
BASE = "base"
DODGE = 1.05
"""Factor along the axis between methods, so that their intervals don't lie on each other."""


def along(table: pd.DataFrame, ax: Axes, x: str) -> Axes:
    """One metric along ``x`` on a log scale: a method a line with its intervals, the base a dashed line.

    ``table`` has a row a method and level: value, low, high, and the column ``x``.
    """
    trained = table[(table["method"] != BASE) & table["value"].notna() & table[x].notna()]
    check(trained, "metric")
    unit = str(trained["unit"].iloc[0])
    scale = factor(unit)
    groups = list(trained.sort_values(x).groupby("method", sort=False))
    for place, (method, mine) in enumerate(groups):
        colour, mark = look(str(method))
        aside = 1.0 if x == "capacity" else DODGE ** (place - (len(groups) - 1) / 2)
        for row in records(mine):
            if present(row["low"]):
                ends = [row["low"] * scale, row["high"] * scale]
                ax.plot([row[x] * aside] * 2, ends, color=colour, linewidth=1.4)
        label = str(mine["label"].iloc[0])
        ax.plot(mine[x] * aside, mine["value"] * scale, color=colour, marker=mark, label=label)
    ax.set_xscale("log")
    levels = sorted(set(trained[x]))
    if x != "capacity" and len(levels) <= 9:
        ax.set_xticks(levels, [f"{level:g}" for level in levels])
        ax.minorticks_off()
    ax.margins(0.08, 0.15)
    if x == "capacity" and levels[0] < 1 < levels[-1]:
        reference_mark(ax, 1, "as many as tokens", axis="x")
    for row in records(table[table["method"] == BASE].head(1)):
        size = value_text(row["value"], unit, decimals(unit, row["low"], row["high"]))
        reference_mark(ax, row["value"] * scale, f"base {size}", axis="y", style="--")
    ax.set_xlabel(LABELS[x])
    name = capital(metric_label(str(trained["metric"].iloc[0])))
    ax.set_ylabel(f"{name} ({direction_label(str(trained['direction'].iloc[0]))})")
    ax.legend()
    note(ax, f"{extent(trained)}. {intervals(trained)}")
    return ax


def sweeps(study: StudyTables) -> Iterator[tuple[Plan, str]]:
    """A figure for each axis that has several levels, and what tells it from others of its kind."""
    for x, other in (("train_size", "epochs"), ("epochs", "train_size")):
        places = ["base_model", "dataset", other]
        for place, part in study.estimates.groupby(places, sort=False, dropna=False):
            if part[x].nunique() > 1:
                names = dict(zip(places, place, strict=True))
                several = [str(value) for key, value in names.items() if study.estimates[key].nunique() > 1]
                yield _plan(headline(study), part, x), ", ".join(several)


def capacity(part: StudyTables) -> Plan | None:
    """Quality against parameters per training token, where methods of one family differ in them."""
    spent = part.costs[(part.costs["phase"] == "confirm") & part.costs["train_tokens"].notna()]
    counts = spent.groupby("method", as_index=False)[["trainable_parameters", "train_tokens"]].mean()
    counts["capacity"] = counts["trainable_parameters"] / counts["train_tokens"]
    if counts["capacity"].nunique() < 3:
        return None
    table = part.estimates.merge(counts[["method", "capacity"]], on="method", how="left")
    return _plan(headline(part), table, "capacity")


def _plan(metrics: list[str], table: pd.DataFrame, x: str) -> Plan:
    captions = {
        "train_size": "Each smaller training part is the start of the larger ones; the test part is the "
        "same. Every size has learning rates of its own where they were searched for.",
        "epochs": "Every number of epochs is a training of its own, with its own schedule, and with learning "
        "rates of its own where they were searched for.",
        "capacity": "Trainable parameters over the supervised tokens of one pass over the training part. "
        "LoRA is expected to follow full fine-tuning while it has enough of them, and to fall off below.",
    }
    titles = {"train_size": "training documents", "epochs": "epochs", "capacity": "capacity"}
    tables = [table[table["metric"] == metric] for metric in metrics]
    return Plan(
        name=f"{x.replace('_', '-')}-sweep",
        title=f"Quality against {titles[x]}",
        caption=captions[x],
        panels=[(partial(along, x=x), one) for one in tables if len(one)],
        columns=min(3, len(tables)) or 1,
        heights=[2.8] * -(-len(tables) // 3),
    )
