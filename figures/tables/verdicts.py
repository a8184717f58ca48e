"""Tables of verdicts, and of what the undecided ones would need."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from figures.tables.table import Table
from figures.wording.names import (
    MISSING,
    condition_label,
    decimals,
    difference_text,
    interval_text,
    needed_text,
    p_text,
    value_text,
)
from figures.wording.pairs import confidence_text, metric_of, value_of, verdict_text, versus
from toolkit.records import Comparison, Conclusions, Condition

VERDICT_HEADER = {
    "panel": "condition",
    "comparison": "comparison",
    "metric": "metric",
    "value": "value",
    "baseline_value": "baseline",
    "difference": "difference",
    "interval": "interval",
    "p_holm": "p (Holm)",
    "verdict": "verdict",
}


class VerdictRow(NamedTuple):
    """One line of the verdict table, in words."""

    panel: str
    """The condition; empty where the study has only one."""
    comparison: str
    metric: str
    value: str
    baseline_value: str
    difference: str
    interval: str
    p_holm: str
    verdict: str


def _in_order(conclusions: Conclusions) -> list[Comparison]:
    """The study's baseline first, metrics in the headline's order."""
    order = {metric: index for index, metric in enumerate(conclusions.headline)}
    return sorted(
        conclusions.comparisons,
        key=lambda pair: (pair.baseline != conclusions.baseline, order.get(pair.metric, len(order))),
    )


def verdict_table(conclusions: Conclusions) -> list[VerdictRow]:
    """One row a comparison and metric: the study's baseline first, metrics in the headline's order."""
    conditions = conclusions.conditions
    rows = []
    for pair in _in_order(conclusions):
        unit = pair.unit or ""
        places = decimals(unit, pair.low, pair.high)
        rows.append(
            VerdictRow(
                panel=condition_label(pair.condition, conditions) if len(conditions) > 1 else "",
                comparison=versus(conclusions, pair),
                metric=metric_of(pair),
                value=value_text(value_of(conclusions, pair, pair.method), unit, places),
                baseline_value=value_text(value_of(conclusions, pair, pair.baseline), unit, places),
                difference=difference_text(pair.difference, unit, places),
                interval=interval_text(pair.low, pair.high, unit, places),
                p_holm=p_text(pair.p_holm),
                verdict=_with_reason(pair),
            )
        )
    return rows


def _with_reason(pair: Comparison) -> str:
    """Return the verdict with its size; of a refused comparison with the reason."""
    refused = pair.verdict == "refused" and pair.reason
    return f"refused: {pair.reason}" if refused else verdict_text(pair)


def verdicts(conclusions: Conclusions) -> Table:
    """The verdict table; with a column for the condition if there are several."""
    rows = verdict_table(conclusions)
    shown = [field for field in VerdictRow._fields if field != "panel" or any(row.panel for row in rows)]
    header = {**VERDICT_HEADER, "interval": f"{confidence_text(conclusions)} interval"}
    return Table(
        name="verdicts",
        title="Verdicts",
        header=tuple(header[field] for field in shown),
        rows=[tuple(getattr(row, field) for field in shown) for row in rows],
        numbers=_numbers(conclusions),
    )


def undecided(conclusions: Conclusions) -> Table:
    """For each undecided comparison: the smallest difference it could detect, and what would decide."""
    rows: list[tuple[str, ...]] = []
    for pair in conclusions.comparisons:
        if pair.verdict == "undecided":
            unit = pair.unit or ""
            seen = difference_text(pair.smallest_detectable, unit, decimals(unit, pair.low, pair.high))
            where = condition_label(pair.condition, conclusions.conditions)
            what = metric_of(pair), seen.removeprefix("+"), _what_decides(pair)
            rows.append((where, versus(conclusions, pair), *what))
    header = ("condition", "comparison", "metric", "could detect", "would decide")
    names = [*Condition._fields, "method", "baseline", "metric", "unit", "smallest_detectable"]
    names += ["needed_documents", "needed_seeds", "reason"]
    numbers = [
        pair.model_dump(include={*names}) for pair in conclusions.comparisons if pair.verdict == "undecided"
    ]
    return Table(
        name="undecided",
        title="What the undecided ones would need",
        header=header,
        rows=rows,
        numbers=pd.DataFrame(numbers, columns=names),
    )


MOST = "a million documents"
"""What was searched for a size that decides: see `MOST_SEEDS` and `MOST_DOCUMENTS` of the statistics."""


def _what_decides(pair: Comparison) -> str:
    """Return how many seeds or documents decide an undecided comparison, or why none are known to."""
    known = needed_text(pair) or pair.reason
    if known or pair.low is None or pair.high is None:
        return known or MISSING
    if not pair.low <= 0 <= pair.high:
        if pair.direction == "neither":
            return "nothing: there is a difference, and neither way is better"
        return "nothing that is known: the p-value alone is too large"
    if pair.smallest_detectable is None:
        return MISSING
    ways = f"{MOST} at one seed" if pair.seeds == 1 else f"100 seeds or {MOST}"
    return f"no study of up to {ways}, with 80 % power, if the difference stays the same"


def _numbers(conclusions: Conclusions) -> pd.DataFrame:
    """The comparisons as numbers, in the order of the table."""
    names = [*Condition._fields, "method", "baseline", "metric", "unit"]
    sizes = ["difference", "low", "high", "p", "p_holm", "margin", "verdict", "seeds", "documents"]
    rows = [
        {
            **pair.model_dump(include={*names, *sizes}),
            "value": value_of(conclusions, pair, pair.method),
            "baseline_value": value_of(conclusions, pair, pair.baseline),
        }
        for pair in _in_order(conclusions)
    ]
    return pd.DataFrame(rows, columns=[*names, "value", "baseline_value", *sizes])
