"""One compact table per audience: a paper's, with ±, and a README's, with verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from figures.tables.scores import BEST, decided_best, numbers, with_interval
from figures.tables.table import Table, with_untuned
from figures.tidy.frames import rows as rows_of
from figures.tidy.load import StudyTables
from figures.wording.names import MISSING, decimals, factor, number, present, value_text
from figures.wording.pairs import sized

PLUS_MINUS = (
    "±: half the width of the 95 % interval, over documents with one seed, over seeds and documents with "
    "several. In brackets instead: an interval that lies unevenly about its value. "
)
UNEVEN = 0.25
"""Share of half its width by which an interval's middle may miss the value and still be written as ±."""


def paper(part: StudyTables, metrics: Sequence[str]) -> Table:
    """Return a row per method: each headline value ± half its interval, the decided best in bold.

    An interval whose middle is not its value, such as that of a share near 0 %, stands in brackets.
    """
    table = with_untuned(part.estimates[part.estimates["metric"].isin(metrics)])
    winners = {metric: decided_best(part, metric) for metric in metrics}
    rows, bold = [], set()
    for y, (method, of_method) in enumerate(table.groupby("method", sort=False)):
        cells = {row["metric"]: row for row in rows_of(of_method)}
        rows.append((str(of_method["label"].iloc[0]), *(_plus_minus(cells.get(m)) for m in metrics)))
        bold |= {(y, x) for x, metric in enumerate(metrics, start=1) if winners[metric] == method}
    header = ("method", *(part.metric_labels[metric] for metric in metrics))
    return Table(name="paper", title="Headline metrics", header=header, rows=rows, note=PLUS_MINUS + BEST,
                 bold=frozenset(bold), numbers=numbers(part, metrics))  # fmt: skip


def _plus_minus(row: dict[str, object] | None) -> str:
    if row is None or not present(row["value"]):
        return MISSING
    unit, value, low, high = str(row["unit"]), row["value"], row["low"], row["high"]
    places = decimals(unit, low, high)  # type: ignore[arg-type]  # a cell of a frame
    text = value_text(value, unit, places)  # type: ignore[arg-type]  # as above
    if not (present(low) and present(high)):
        return text
    ends, centre = (float(str(low)), float(str(high))), float(str(value))
    half = factor(unit) * (ends[1] - ends[0]) / 2
    if factor(unit) * abs(sum(ends) / 2 - centre) > UNEVEN * half:
        return with_interval(row)
    sign = " %" if unit == "share" else ""
    return f"{text.removesuffix(sign)} ± {number(half, places)}{sign}"


def readme(part: StudyTables, metrics: Sequence[str]) -> Table:
    """Return a row per method: its headline values, each with the verdict against the study's baseline."""
    pairs = part.comparisons[part.comparisons["baseline"] == part.conclusions.baseline]
    verdicts = {
        (row["method"], row["metric"]): sized(
            row["verdict"], within=row["within_margin"], beyond=row["beyond_margin"]
        )
        for row in rows_of(pairs)
    }
    table = with_untuned(part.estimates[part.estimates["metric"].isin(metrics)])
    rows = []
    for method, of_method in table.groupby("method", sort=False):
        cells = dict.fromkeys(metrics, MISSING)
        for row in rows_of(of_method):
            value = value_text(row["value"], row["unit"], decimals(row["unit"], row["low"], row["high"]))
            verdict = verdicts.get((method, row["metric"]))
            cells[row["metric"]] = f"{value} ({verdict})" if verdict else value
        rows.append((str(of_method["label"].iloc[0]), *cells.values()))
    header = ("method", *(part.metric_labels[metric] for metric in metrics))
    note = f"Verdicts are against {part.conclusions.baseline}; undecided is not equal."
    measured = numbers(part, metrics)
    keys = zip(measured["method"], measured["metric"], strict=True)
    judged: Any = [verdicts.get(key) for key in keys]
    measured = measured.assign(verdict=judged)
    return Table(
        name="readme", title="Values and verdicts", header=header, rows=rows, note=note, numbers=measured
    )
