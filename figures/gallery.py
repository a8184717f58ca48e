"""The figures of a study: which table goes into which, how their panels stand together, and captions."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import ceil
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures import curves, plots
from figures.load import StudyTables
from figures.style import WIDTH, drawn, gather_legends, gather_notes, save
from figures.words import capital, metric_label
from toolkit.errors import UserError
from toolkit.store import write_text

BITS = "bits_per_byte"
PARTIAL = "structure_partial"
FAILED = "failed: "
"""How that metric names the counts of its failed checks."""
Plot = Callable[[pd.DataFrame, Axes], Axes]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A figure to be drawn: its panels, each a plot and its table, in rows of ``columns``."""

    name: str
    title: str
    caption: str
    panels: Sequence[tuple[Plot, pd.DataFrame]]
    columns: int = 1
    heights: Sequence[float]
    """Inches, a row of panels each."""
    share_y: bool = False
    right: float = 0.0
    """Share of the width kept free on the right, for words that a plot writes beside its Axes."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A figure as the report shows it."""

    name: str
    title: str
    caption: str
    svg: str | None = None
    csv: str = ""
    refused: str | None = None
    """Why it was not drawn."""


def draw_all(tables: StudyTables, folder: Path) -> list[Entry]:
    """Draw every figure of every base model and data set into ``folder``, as PDF, PNG and CSV."""
    entries = []
    for panel in tables.panels:
        part = tables.panel(*panel)
        suffix, where = slug(tables, panel)
        for make in (differences, metrics, learning, structure, costs, sections, rates):
            plan = make(part)
            if plan is not None and plan.panels:
                plan = replace(plan, name=plan.name + suffix, title=plan.title + where)
                entries.append(_write(plan, folder))
    return entries


def slug(tables: StudyTables, panel: tuple[str, str]) -> tuple[str, str]:
    """What a panel adds to file names and titles: nothing where it is the only one."""
    if len(tables.panels) == 1:
        return "", ""
    return "-" + re.sub(r"[^\w.-]+", "-", "-".join(panel)), f" ({panel[0]} on {panel[1]})"


def _write(plan: Plan, folder: Path) -> Entry:
    entry = Entry(name=plan.name, title=plan.title, caption=plan.caption)
    try:
        figure = drawn(partial(_compose, plan))
    except UserError as refusal:
        return replace(entry, refused=str(refusal))
    frames = list({id(table): table for _, table in plan.panels}.values())
    csv = pd.concat(frames).to_csv(index=False, lineterminator="\n")
    write_text(folder / f"{plan.name}.csv", csv)
    return replace(entry, svg=save(figure, folder / plan.name), csv=csv)


def _compose(plan: Plan) -> Figure:
    figure = Figure(figsize=(WIDTH, sum(plan.heights) + 0.3))
    figure.set_layout_engine("constrained", w_pad=0.06, h_pad=0.05, rect=(0, 0, 1 - plan.right, 1))
    grid = figure.subplots(
        ceil(len(plan.panels) / plan.columns),
        plan.columns,
        squeeze=False,
        sharey="row" if plan.share_y else False,
        height_ratios=list(plan.heights),
    )
    for index, ax in enumerate(grid.flat):
        if index < len(plan.panels):
            plot, table = plan.panels[index]
            plot(table, ax)
        else:
            ax.set_visible(False)
    gather_legends(figure)
    gather_notes(figure)
    return figure


def headline(part: StudyTables) -> list[str]:
    """Metrics in the study's order, those with a verdict first."""
    named = [*part.conclusions.headline, *part.estimates["metric"], *part.scores["metric"]]
    known = {*part.estimates["metric"]}
    return [metric for metric in dict.fromkeys(named) if metric in known]


def with_seeds(part: StudyTables, metric: str) -> pd.DataFrame:
    """Estimates, single seeds and anchors of one metric in one table, told apart by `kind`."""
    estimates = part.estimates[part.estimates["metric"] == metric].assign(kind="estimate")
    seeds = part.scores[part.scores["metric"] == metric].assign(kind="seed")
    anchors = part.anchors[part.anchors["metric"] == metric].assign(kind="anchor")
    anchors = anchors.assign(label=anchors["anchor"], method=anchors["anchor"])
    columns = list(dict.fromkeys(["kind", *estimates.columns, "seed"]))
    frames = [f.reindex(columns=columns).astype(object) for f in (estimates, seeds, anchors) if len(f)]
    return pd.concat(frames, ignore_index=True).infer_objects() if frames else estimates


def metrics(part: StudyTables) -> Plan:
    """A panel a metric: every method's value, with interval, seeds and anchors."""
    names = headline(part)
    tables = [with_seeds(part, name) for name in names]
    columns = min(3, len(names)) or 1
    rows = ceil(len(names) / columns)
    methods = part.estimates["method"].nunique()
    return Plan(
        name="metrics",
        title="Every method on every metric",
        caption="Value over the test documents. Dashed line: the untouched base. Dotted lines and arrows: "
        "texts scored as if they had been generated, as a floor and a ceiling.",
        panels=[(plots.metric_values, table) for table in tables],
        columns=columns,
        heights=[0.9 + 0.36 * methods] * rows,
        share_y=True,
    )


def differences(part: StudyTables) -> Plan | None:
    """A panel a metric: differences to the study's baseline."""
    pairs = part.comparisons[part.comparisons["baseline"] == part.conclusions.baseline]
    if pairs.empty:
        return None
    names = [name for name in headline(part) if name in set(pairs["metric"])]
    tables = [pairs[pairs["metric"] == name] for name in names]
    return Plan(
        name="differences",
        title=f"Differences to {pairs['baseline_label'].iloc[0]}, with verdicts",
        caption="Equivalent means that the whole interval lies inside the margin (the band); undecided means "
        "that this study cannot tell. Undecided is not equal.",
        panels=[(plots.differences, table) for table in tables],
        heights=[0.62 + 0.26 * len(table) for table in tables],
        right=0.36,
    )


def learning(part: StudyTables) -> Plan | None:
    """Validation curves over tokens and over seconds."""
    steps = part.steps[(part.steps["phase"] == "confirm") & part.steps["validation_bits_per_byte"].notna()]
    if steps.empty:
        return None
    return Plan(
        name="learning-curves",
        title="Learning curves",
        caption="Bits per byte on the validation part, before the first step and on the way. Lower is "
        "better. Training seconds leave out validation and saving.",
        panels=[(partial(curves.learning_curve, x=x), steps) for x in ("tokens", "seconds")],
        columns=2,
        heights=[2.6],
    )


def structure(part: StudyTables) -> Plan | None:
    """Structure checks by method."""
    table = part.details[(part.details["metric"] == PARTIAL) & part.details["part"].str.startswith(FAILED)]
    if table.empty:
        return None
    table = table.assign(part=table["part"].str.removeprefix(FAILED))
    return Plan(
        name="structure",
        title="Which structure checks the generations fail",
        caption="A check that cannot be made because its marker is missing counts as failed only once, as "
        "“present”. A generation complies if it passes all of them.",
        panels=[(plots.failed_checks, table)],
        heights=[0.7 + 0.22 * table["part"].nunique()],
    )


def costs(part: StudyTables) -> Plan | None:
    """Quality against peak memory and training time."""
    metric = BITS if BITS in set(part.estimates["metric"]) else next(iter(headline(part)), None)
    spent = part.costs[(part.costs["phase"] == "confirm")]
    if metric is None or spent.empty:
        return None
    gpu = spent["cuda_allocated_bytes"].notna().all()
    prices = ["cuda_allocated_bytes" if gpu else "peak_memory_bytes", "train_seconds"]
    rows = with_seeds(part, metric)
    rows = rows[(rows["kind"] != "anchor")]
    seeds = rows[rows["kind"] == "seed"].merge(
        spent[["method", "seed", "device", *prices]], on=["method", "seed"]
    )
    means = spent.groupby("method", as_index=False).agg({"device": "first", **dict.fromkeys(prices, "mean")})
    estimates = rows[rows["kind"] == "estimate"].merge(means, on="method", how="left")
    estimates.loc[estimates["method"] == "base", "kind"] = "anchor"
    table = pd.concat([f for f in (estimates, seeds) if len(f)], ignore_index=True)
    return Plan(
        name="costs",
        title="Quality against cost",
        caption=f"{capital(metric_label(metric))} on the test documents against what training took. "
        "The lower left corner is cheap and good where lower is better.",
        panels=[(partial(curves.quality_against_cost, cost=price), table) for price in prices],
        columns=2,
        heights=[2.6],
    )


def sections(part: StudyTables) -> Plan | None:
    """Bits per byte by section."""
    table = part.details[(part.details["metric"] == BITS) & part.details["value"].notna()]
    if table.empty:
        return None
    height = 0.9 + table["part"].nunique() * (0.2 + 0.13 * table["method"].nunique())
    return Plan(
        name="sections",
        title="Bits per byte by section",
        caption="Which parts of the held-out documents a method predicts better. The scaffold is markers and "
        "line ends: nearly free to predict once learnt, and no sign of knowledge about the subject.",
        panels=[(plots.section_values, table)],
        heights=[height],
    )


def rates(part: StudyTables) -> Plan | None:
    """Validation result over the learning rate, where more than one was tried."""
    table = part.costs[part.costs["learning_rate"].notna()]
    tried = table.groupby("method")["learning_rate"].nunique()
    if table.empty or tried.max() < 2:
        return None
    return Plan(
        name="learning-rates",
        title="The search for a learning rate",
        caption="Validation bits per byte after training. A best rate at the edge of the grid means that the "
        "search was too narrow.",
        panels=[(curves.learning_rates, table)],
        heights=[2.6],
    )
