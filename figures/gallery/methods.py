"""Figures of the methods side by side: their values, and their differences to the baseline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from math import ceil

import pandas as pd
from matplotlib.axes import Axes

from figures.gallery.figure import FigureSpec, headline, with_seeds
from figures.plots import forest, values
from figures.tidy.load import StudyTables
from figures.wording.pairs import confidence_text

IN_ORDER = 10
"""Up to so many methods are shown in the study's order, which may mean something; of more, the best first."""
TESTS = {
    False: "Paired by document: the largest p of approximate randomisation, bootstrap-t and Student's t; "
    "McNemar's test for a share of documents.",
    True: "Paired by seed and document: t on both crossed, both taken as drawn at random.",
}
"""Whether there are several seeds -> how p was computed."""


def differences(part: StudyTables) -> FigureSpec | None:
    """Differences to the study's baseline, one panel per metric."""
    pairs = part.comparisons[part.comparisons["baseline"] == part.conclusions.baseline]
    if pairs.empty:
        return None
    names = [name for name in headline(part) if name in set(pairs["metric"])]
    pairs = _best_first(pairs, names[0]) if names and pairs["method"].nunique() > IN_ORDER else pairs
    compared = pairs[pairs["difference"].notna()]
    test = f" {TESTS[bool((compared['seeds'] > 1).any())]}" if len(compared) else ""
    tables = [pairs[pairs["metric"] == name] for name in names]
    return FigureSpec(
        name="differences",
        title=f"Differences to {pairs['baseline_label'].iloc[0]}, with verdicts",
        caption="Equivalent means that the whole interval lies inside the margin (the band); undecided means "
        f"that this study cannot tell, which is not equal.{test}",
        panels=[(_forest(part, centred=len(tables) > 1), table) for table in tables],
        heights=[0.62 + 0.26 * len(table) for table in tables],
        right=2.5,
    )


def _best_first(pairs: pd.DataFrame, metric: str) -> pd.DataFrame:
    """The comparisons in the order of the methods' differences on one metric; refused ones last."""
    judged = pairs[pairs["metric"] == metric]
    better = judged["difference"] * judged["direction"].map({"higher": -1}).fillna(1)
    place = dict(zip(judged["method"], better.rank(method="first"), strict=True))
    return pairs.sort_values("method", key=lambda names: names.map(place), kind="stable")


def _forest(part: StudyTables, *, centred: bool = True) -> Callable[[pd.DataFrame, Axes], Axes]:
    confidence = confidence_text(part.conclusions)
    return partial(forest.differences, confidence=confidence, centred=centred)


def conversions(part: StudyTables) -> FigureSpec | None:
    """Differences of conversions to what they convert, one panel per metric and converted method."""
    pairs = part.comparisons[part.comparisons["family"] == "conversions"]
    pairs = pairs[pairs["baseline"] != part.conclusions.baseline]  # those are in `differences` already
    tables = [
        table
        for name in headline(part)
        for _, table in pairs[pairs["metric"] == name].groupby("baseline", sort=False)
    ]
    if not tables:
        return None
    return FigureSpec(
        name="conversions",
        title="What is lost by converting",
        caption="Difference of each conversion to the method that it converts, on the same documents.",
        panels=[(_forest(part), table) for table in tables],
        heights=[0.62 + 0.26 * len(table) for table in tables],
        right=2.5,
    )


def metrics(part: StudyTables) -> FigureSpec | None:
    """A panel a headline metric: every method's value, with interval, seeds and anchors."""
    names = headline(part)
    if not names:
        return None
    spec = _values(part, names)
    return replace(spec, name="metrics", title="Every method on the headline metrics")


def more_metrics(part: StudyTables) -> FigureSpec | None:
    """The same for the metrics that get no verdict."""
    names = _others(part)
    if not names:
        return None
    return replace(_values(part, names), name="more-metrics", title="Metrics without a verdict")


def _others(part: StudyTables) -> list[str]:
    """The other metrics that were measured."""
    measured = set(part.estimates[part.estimates["value"].notna()]["metric"])
    return [
        m for m in dict.fromkeys(part.estimates["metric"]) if m in measured - {*part.conclusions.headline}
    ]


def _values(part: StudyTables, names: list[str]) -> FigureSpec:
    columns = min(3, len(names))
    tables = [with_seeds(part, name) for name in names]
    anchors = pd.concat([t[t["kind"] == "anchor"] for t in tables])
    # Panels share their rows, so that each has a row for every reference text of any of them.
    rows = anchors.drop_duplicates("label").assign(value=None)
    tables = [_with_rows(table, rows) for table in tables]
    count = part.estimates["method"].nunique() + len(rows)
    return FigureSpec(
        name="",
        title="",
        caption="Value over the test documents. Dashed line: the untouched base. Grey rows: texts scored as "
        "if they had been generated, as a floor and a ceiling; an arrow: beyond the axis. Bars may overlap "
        "although a difference is decided: verdicts compare two methods on the same documents.",
        panels=[(values.metric_values, table) for table in tables],
        columns=columns,
        heights=[1.0 + 0.3 * count] * ceil(len(names) / columns),
        share_y=True,
    )


def _with_rows(table: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """The table with those of ``rows`` that it lacks, as anchors without a value of the same metric."""
    own = table[table["kind"] == "anchor"].set_index("label")["value"]
    same = {c: table[c].iloc[0] for c in ("metric", "metric_label", "unit", "direction", "test")}
    filled = rows.assign(**same, value=rows["label"].map(own))
    return pd.concat([table[table["kind"] != "anchor"], filled], ignore_index=True)
