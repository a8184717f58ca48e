"""Tables of every method's values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from figures.tables.table import Table, with_untuned
from figures.tidy.frames import rows as rows_of
from figures.tidy.load import StudyTables
from figures.wording.names import MISSING, anchor_label, decimals, value_text


def results(part: StudyTables, metrics: Sequence[str]) -> Table:
    """A method a row, a metric a column: value and 95 % interval; then the anchors."""
    rows = [
        (name, *(cells.get(metric, MISSING) for metric in metrics)) for name, cells in _cells(part).items()
    ]
    header = ("method", *(part.metric_labels[metric] for metric in metrics))
    return Table(name="results", title="Headline metrics, with 95 % intervals", header=header, rows=rows)


def all_metrics(part: StudyTables) -> Table:
    """A metric a row, a method or anchor a column: every metric that the evaluations hold."""
    cells = _cells(part)
    names = dict.fromkeys([*part.conclusions.headline, *part.scores["metric"]])
    better = dict(zip(part.scores["metric"], part.scores["direction"], strict=True))
    rows = [
        (part.metric_labels[metric], better[metric], *(mine.get(metric, MISSING) for mine in cells.values()))
        for metric in names
        if metric in better
    ]
    return Table(name="all-metrics", title="Every metric", header=("metric", "better", *cells), rows=rows)


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
        words = value_text(row["value"], row["unit"], 1)
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
