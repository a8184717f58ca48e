"""What figures a study gets: for each, the plot, the table that goes into it, and its caption."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import ceil

import pandas as pd
from matplotlib.axes import Axes

from figures import curves, decodings, parts, plots
from figures.load import StudyTables
from figures.words import capital, metric_label

BITS = "bits_per_byte"
PARTIAL = "structure_partial"
FAILED = "failed: "
"""How that metric names the counts of its failed checks."""
TESTS = {
    False: "Paired by document: approximate randomisation, McNemar's test for a share of documents.",
    True: "Paired by seed and document: t on both crossed, both taken as drawn at random.",
}
"""Whether there are several seeds -> how p was computed."""
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


def headline(part: StudyTables) -> list[str]:
    """The metrics that get a verdict, in the study's order."""
    return [metric for metric in part.conclusions.headline if metric in set(part.estimates["metric"])]


def others(part: StudyTables) -> list[str]:
    """The other metrics that have an interval."""
    return [m for m in dict.fromkeys(part.estimates["metric"]) if m not in part.conclusions.headline]


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
    """A panel a headline metric: every method's value, with interval, seeds and anchors."""
    plan = _values(part, headline(part))
    return replace(plan, name="metrics", title="Every method on the headline metrics")


def more_metrics(part: StudyTables) -> Plan:
    """The same for the metrics that get no verdict."""
    return replace(_values(part, others(part)), name="more-metrics", title="Metrics without a verdict")


def _values(part: StudyTables, names: list[str]) -> Plan:
    columns = min(3, len(names)) or 1
    methods = part.estimates["method"].nunique()
    return Plan(
        name="",
        title="",
        caption="Value over the test documents. Dashed line: the untouched base. Dotted lines and arrows: "
        "texts scored as if they had been generated, as a floor and a ceiling. Bars may overlap although a "
        "difference is decided: verdicts compare two methods on the same documents.",
        panels=[(plots.metric_values, with_seeds(part, name)) for name in names],
        columns=columns,
        heights=[1.05 + 0.36 * methods] * ceil(len(names) / columns),
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
        f"that this study cannot tell, which is not equal. {TESTS[bool((pairs['seeds'] > 1).any())]}",
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
        panels=[(parts.failed_checks, table)],
        heights=[_grid_height(table)],
    )


def _grid_height(table: pd.DataFrame) -> float:
    """Inches: a row a part, and room for upright labels where there are many methods."""
    labels = table["label"].unique()
    upright = 0.06 * max(map(len, labels)) if len(labels) > parts.MANY else 0.0
    return float(0.7 + 0.22 * table["part"].nunique() + upright)


def failures(part: StudyTables) -> Plan | None:
    """Classes of failures by method, at the headline's setting, and what human texts have of them."""
    table = part.failures
    mine = table[table["decoding"].notna()]
    if mine.empty:
        return None
    first = mine.iloc[0]
    here = mine[(mine["prompt_mode"] == first["prompt_mode"]) & (mine["decoding"] == first["decoding"])]
    human = table[table["decoding"].isna() & (table["prompt_mode"] == first["prompt_mode"])]
    shown = pd.concat([here, human])
    occurs = set(shown[shown["value"] > 0]["part"])
    shown = shown[shown["part"].isin(occurs)]
    shown = shown.assign(part=shown["part"].str.replace("_", " "))
    if shown.empty:
        return None
    return Plan(
        name="failures",
        title="How generations fail",
        caption="A text may fail in several ways. Loop: a phrase three times in a row, or eight words three "
        "times. Unused ingredients: fewer than a quarter of those listed are mentioned again. References: "
        "the test documents, as if generated: what such rules say of texts by people.",
        panels=[(parts.failed_checks, shown)],
        heights=[_grid_height(shown)],
    )


def decoding_values(part: StudyTables) -> Plan | None:
    """The headline's metrics of texts over the decodings: a row a metric, a column a prompt mode."""
    table = part.settings[part.settings["metric"].isin(part.conclusions.headline)]
    table = table[table["value"].notna()]
    if part.settings.empty or table.empty:
        return None
    names, modes = list(dict.fromkeys(table["metric"])), list(dict.fromkeys(part.settings["prompt_mode"]))
    first = part.settings.iloc[0]
    return Plan(
        name="decodings",
        title="Every decoding and prompt",
        caption=f"Verdicts are about {first['decoding']}, prompted through the {first['prompt_mode']}. "
        "From left to right the draw is bolder. A longer prompt leaves less to write and to be scored, so "
        "values from two prompts are not compared.",
        panels=[
            (decodings.decoding_values, table[(table["metric"] == name) & (table["prompt_mode"] == mode)])
            for name in names
            for mode in modes
        ],
        columns=len(modes),
        heights=[2.3] * len(names),
        share_y=True,
    )


def decoding_or_method(part: StudyTables) -> Plan | None:
    """Shares of decoding, method, both and noise, a bar a metric, a panel a prompt mode."""
    table = part.effects[part.effects["share_noise"].notna()]
    if table.empty:
        return None
    modes = list(dict.fromkeys(table["prompt_mode"]))
    return Plan(
        name="decoding-or-method",
        title="How much is decoding, how much is method",
        caption="The differences between all cells of trained method x decoding, divided by a two-way "
        "analysis of variance; what noise is expected to add to each part is taken off it and shown as noise "
        "(method of moments: Searle, Casella and McCulloch 1992). Both together: decodings that do more for "
        "one method than for another. With other decodings or methods the shares are others.",
        panels=[(decodings.decoding_shares, table[table["prompt_mode"] == mode]) for mode in modes],
        columns=len(modes),
        heights=[1.1 + 0.22 * table["metric"].nunique()],
        share_y=True,
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
        "The lower left corner is cheap and good where lower is better. Time is wall-clock: other work on "
        "the machine lengthens it.",
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
        panels=[(parts.section_values, table)],
        heights=[height],
    )


def rates(part: StudyTables) -> Plan | None:
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
    return Plan(
        name="learning-rates",
        title="The search for a learning rate",
        caption="Validation bits per byte after training. A best rate at the edge of the grid means that the "
        "search was too narrow.",
        panels=[(partial(curves.learning_rates, optima=optima), table)],
        heights=[2.6],
    )


PLANS: tuple[Callable[[StudyTables], Plan | None], ...] = (
    differences,
    metrics,
    learning,
    structure,
    failures,
    decoding_values,
    decoding_or_method,
    costs,
    sections,
    rates,
    more_metrics,
)
"""Every figure, in the order of the report; None where a study has nothing to show in it."""
