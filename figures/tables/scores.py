"""Tables of every method's values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from figures.tables.table import Table, with_untuned
from figures.tidy.frames import rows as rows_of
from figures.tidy.load import StudyTables
from figures.wording.names import MISSING, anchor_label, decimals, value_text
from toolkit.records import BASE


def results(part: StudyTables, metrics: Sequence[str]) -> Table:
    """One row per method, one column per metric: value and 95 % interval; then the anchors."""
    rows = [
        (name, *(cells.get(metric, MISSING) for metric in metrics)) for name, cells in _cells(part).items()
    ]
    header = ("method", *(part.metric_labels[metric] for metric in metrics))
    winners = {metric: decided_best(part, metric) for metric in metrics}
    labels = dict(zip(part.estimates["method"], with_untuned(part.estimates)["label"], strict=True))
    bold = {
        (y, x)
        for y, row in enumerate(rows)
        for x, metric in enumerate(metrics, start=1)
        if winners[metric] is not None and labels.get(winners[metric]) == row[0]
    }
    return Table(
        name="results",
        title="Headline metrics, with 95 % intervals",
        header=header,
        rows=rows,
        note=INTERVALS + BEST,
        bold=frozenset(bold),
        numbers=numbers(part, metrics),
    )


INTERVALS = (
    "In brackets: 95 % interval, over documents with one seed, over seeds and documents with several. "
)
BEST = "Bold: the verdict is that it is better than every other trained method; no bold, no such verdict."
VALUES = [
    "method",
    "label",
    "untuned",
    "metric",
    "unit",
    "direction",
    "value",
    "low",
    "high",
    "seeds",
    "documents",
]


def numbers(part: StudyTables, metrics: Sequence[str]) -> pd.DataFrame:
    """Return values as numbers: estimates with intervals, then anchors, then metrics without an interval."""
    estimates = part.estimates[part.estimates["metric"].isin(metrics)]
    known = set(zip(estimates["method"], estimates["metric"], strict=True))
    scores = part.scores[part.scores["metric"].isin(metrics)]
    scores = scores[[key not in known for key in zip(scores["method"], scores["metric"], strict=True)]]
    anchors = part.anchors[part.anchors["metric"].isin(metrics)]
    anchors = anchors.assign(method=anchors["anchor"], label=anchors["anchor"].map(anchor_label))
    frames = [f.reindex(columns=VALUES).astype(object) for f in (estimates, anchors, scores) if len(f)]
    return pd.concat(frames) if frames else pd.DataFrame(columns=VALUES)


def decided_best(part: StudyTables, metric: str) -> str | None:
    """Return the trained method that verdicts call better than every other one on a metric; else None.

    Only pairs that were compared count: of three methods or more, that is the baseline if all others are
    worse. A best value without such a verdict is no winner. Conversions are none of the others.
    """
    pairs = part.comparisons[(part.comparisons["metric"] == metric) & (part.comparisons["baseline"] != BASE)]
    converted = set(pairs.loc[pairs["family"] == "conversions", "method"])
    beaten: dict[str, set[str]] = {}
    for row in rows_of(pairs):
        if row["verdict"] in ("better", "worse"):
            order = (row["method"], row["baseline"])
            winner, loser = order if row["verdict"] == "better" else order[::-1]
            beaten.setdefault(winner, set()).add(loser)
    trained = set(part.estimates.loc[part.estimates["metric"] == metric, "method"]) - {BASE} - converted
    return next((method for method, losers in beaten.items() if trained - {method} <= losers), None)


def all_metrics(part: StudyTables) -> Table:
    """A metric a row, a method or anchor a column: every metric that the evaluations hold."""
    cells = _cells(part)
    names = dict.fromkeys([*part.conclusions.headline, *part.scores["metric"]])
    better = dict(zip(part.scores["metric"], part.scores["direction"], strict=True))
    rows = [
        (
            part.metric_labels[metric],
            better[metric],
            *(values.get(metric, MISSING) for values in cells.values()),
        )
        for metric in names
        if metric in better
    ]
    return Table(
        name="all-metrics",
        title="Every metric",
        header=("metric", "better", *cells),
        rows=rows,
        note=INTERVALS,
        numbers=numbers(part, list(names)),
    )


def _cells(part: StudyTables) -> dict[str, dict[str, str]]:
    """Method or anchor -> metric -> its value in words, with its interval, if any."""
    cells: dict[str, dict[str, str]] = {}
    means = (
        with_untuned(part.scores)
        .groupby(["label", "metric", "unit"], sort=False)["value"]
        .mean()
        .reset_index()
    )
    for row in rows_of(means):
        words = value_text(row["value"], row["unit"], decimals(row["unit"], None, None))
        cells.setdefault(row["label"], {})[row["metric"]] = words
    for row in rows_of(with_untuned(part.estimates)):
        cells.setdefault(row["label"], {})[row["metric"]] = with_interval(row)
    for row in rows_of(part.anchors):
        usual, size = decimals(row["unit"], None, None), abs(row["value"])
        places = min(usual, 1 if size >= 10 else 2 if size >= 1 else usual)  # 100.0 of BLEU, 0.073 of F1
        words = value_text(row["value"], row["unit"], places)
        cells.setdefault(anchor_label(row["anchor"]), {})[row["metric"]] = words
    return cells


def with_interval(row: dict[str, Any]) -> str:
    """Return a value in words, followed by its interval in brackets if it has one."""
    places = decimals(row["unit"], row["low"], row["high"])
    value = value_text(row["value"], row["unit"], places)
    ends = [value_text(row[end], row["unit"], places) for end in ("low", "high")]
    return (
        value if MISSING in ends else f"{value} [{ends[0].removesuffix(' %')}, {ends[1].removesuffix(' %')}]"
    )
