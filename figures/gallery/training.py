"""Figures of training: its course, what it costs, and the search for a learning rate."""

from __future__ import annotations

from functools import partial

import pandas as pd

from figures.gallery.figure import GENERAL, FigureSpec, quality, with_seeds
from figures.plots import costs as cost_plots
from figures.plots import curves
from figures.tidy.load import StudyTables
from figures.wording.names import capital, count, joined
from toolkit.records import BASE, on_one_device


def learning(part: StudyTables) -> FigureSpec | None:
    """Validation curves over tokens and over seconds."""
    steps = part.steps[(part.steps["phase"] == "confirm") & part.steps["validation_bits_per_byte"].notna()]
    if steps.empty:
        return None
    diverged = frozenset(part.costs.loc[part.costs["status"] != "finished", "run_id"])
    timed, left_out = _comparable(steps, part.conclusions.baseline)
    return FigureSpec(
        name="learning-curves",
        title="Learning curves",
        caption="Bits per byte on the validation part, before the first step and on the way. Lower is "
        f"better. Training seconds leave out validation and saving.{left_out}",
        panels=[
            (partial(curves.learning_curve, x="tokens", diverged=diverged), steps),
            (partial(curves.learning_curve, x="seconds", diverged=diverged), timed),
        ],
        columns=2,
        heights=[2.6],
    )


def costs(part: StudyTables) -> FigureSpec | None:
    """Quality against peak memory and training time."""
    metric = quality(part)
    spent = part.costs[(part.costs["phase"] == "confirm") & (part.costs["status"] == "finished")]
    if metric is None or spent.empty:
        return None
    spent, left_out = _comparable(spent, part.conclusions.baseline)
    trained = spent[spent["train_seconds"].notna()]  # a conversion or a model from elsewhere has no costs
    gpu = len(trained) > 0 and trained["cuda_allocated_bytes"].notna().all()
    prices = ["cuda_allocated_bytes" if gpu else "peak_memory_bytes", "train_seconds"]
    rows = with_seeds(part, metric)
    rows = rows[(rows["kind"] != "anchor")]
    seeds = rows[rows["kind"] == "seed"].merge(
        spent[["method", "seed", "device", *prices]], on=["method", "seed"]
    )
    means = spent.groupby("method", as_index=False).agg({"device": "first", **dict.fromkeys(prices, "mean")})
    estimates = rows[rows["kind"] == "estimate"].merge(means, on="method", how="left")
    estimates.loc[estimates["method"] == BASE, "kind"] = "anchor"
    table = pd.concat([f for f in (estimates, seeds) if len(f)], ignore_index=True)
    return FigureSpec(
        name="costs",
        title="Quality against cost",
        caption=f"{capital(part.metric_labels[metric])} on the test documents against what training took. "
        "Thin dashed line: the methods that no other beats in both (the Pareto front). Time is wall-clock: "
        f"other work on the machine lengthens it.{left_out}",
        panels=[(partial(cost_plots.quality_against_cost, cost=price), table) for price in prices],
        columns=2,
        heights=[2.6],
    )


def _comparable(table: pd.DataFrame, baseline: str) -> tuple[pd.DataFrame, str]:
    """Return the rows of the baseline's device that most methods share, and what to tell of the others.

    All rows if no two methods share a device: the plot then refuses them and tells which.
    """
    runs = table.drop_duplicates("run_id")
    pairs = zip(runs["run_id"], runs["method"], runs["device"], strict=True)
    there = {run_id for run_id, *_ in on_one_device(pairs, lambda run: (run[1], run[2]), baseline)}
    others = runs[~runs["run_id"].isin(there)]
    if not there or others.empty:
        return table, ""
    names = [f"{label} ({count(len(of), 'run')})" for label, of in others.groupby("label", sort=False)]
    return (
        table[table["run_id"].isin(there)],
        f" Costs of one device are shown; measured on another, and left out: {joined(names)}.",
    )


def rates(part: StudyTables) -> FigureSpec | None:
    """Validation result over the learning rate, where more than one was tried."""
    table = part.costs[part.costs["learning_rate"].notna()]
    tried = table.groupby("method")["learning_rate"].nunique()
    if table.empty or tried.max() < 2:
        return None
    here = table[["base_model", "dataset", "train_size", "epochs"]].iloc[0].to_dict()
    optima = {
        one.method: (one.learning_rate, one.low, one.high)
        for one in part.conclusions.optima
        if one.learning_rate is not None and one.condition._asdict() == here
    }
    return FigureSpec(
        name="learning-rates",
        title="The search for a learning rate",
        caption="Validation bits per byte after training. A best rate at the edge of the grid means that the "
        "search was too narrow.",
        panels=[(partial(curves.learning_rates, optima=optima), table)],
        heights=[2.6],
    )


def forgetting(part: StudyTables) -> FigureSpec | None:
    """Learning against forgetting, if general text was scored."""
    metric = quality(part)
    general = part.estimates[(part.estimates["metric"] == GENERAL) & part.estimates["value"].notna()]
    if metric is None or general.empty:
        return None
    columns = {name: f"general_{name}" for name in ("value", "low", "high", "documents")}
    general = general[["method", *columns]].rename(columns=columns)
    table = part.estimates[part.estimates["metric"] == metric].merge(general, on="method")
    return FigureSpec(
        name="forgetting",
        title="Learning against forgetting",
        caption="What a method gained on the study's documents against what it lost on general text, which "
        "it was not trained on. Dashed lines: the untouched base. Bars may overlap although a difference is "
        "decided: verdicts compare two methods on the same documents.",
        panels=[(cost_plots.learning_against_forgetting, table)],
        heights=[3.0],
    )
