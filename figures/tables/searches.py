"""Tables of the search for learning rates, and of published findings."""

from __future__ import annotations

import pandas as pd

from figures.tables.table import Table
from figures.wording.evidence import evidence_text
from figures.wording.names import MISSING, condition_label
from figures.wording.pairs import shown_name
from toolkit.records import Conclusions, Condition, Optimum


def optima(conclusions: Conclusions) -> Table:
    """Where each method's learning rate would be best, and its ratio to the baseline's."""
    rows: list[tuple[str, ...]] = []
    for one in conclusions.optima:
        unknown = "not between the rates tried" if one.outside else MISSING
        rows.append(
            (
                condition_label(one.condition, conclusions.conditions),
                shown_name(conclusions, one.method),
                unknown if one.learning_rate is None else f"{one.learning_rate:.2g}",
                _interval(one.low, one.high),
                f"{one.seeds} of {one.seeds + one.outside}",
                MISSING if one.confirmed_rate is None else f"{one.confirmed_rate:.3g}, {one.rate_choice}",
                MISSING if one.ratio is None else f"{one.ratio:.2g}",
                _interval(one.ratio_low, one.ratio_high),
            )
        )
    header = (
        "condition",
        "method",
        "best learning rate",
        "95 % interval",
        "seeds with an optimum",
        "confirmed at",
        f"over that of {shown_name(conclusions, conclusions.baseline)}",
        "95 % interval of the ratio",
    )
    title = "Best learning rates, by a parabola through each tuning seed's best rate and its neighbours"
    numbers = pd.DataFrame(
        [one.model_dump() for one in conclusions.optima], columns=list(Optimum.model_fields)
    )
    return Table(name="optima", title=title, header=header, rows=rows, numbers=numbers)


def claims(conclusions: Conclusions) -> Table:
    """Published findings: what was published, by whom, and what this study shows."""
    several = len({claim.condition for claim in conclusions.claims}) > 1
    rows: list[tuple[str, ...]] = []
    for claim in conclusions.claims:
        where = f" ({condition_label(claim.condition, conclusions.conditions)})" if several else ""
        rows.append((claim.text + where, claim.verdict, evidence_text(claim), claim.source))
    header = ("finding", "here", "evidence", "source")
    return Table(
        name="claims",
        title="Published findings",
        header=header,
        rows=rows,
        numbers=_evidence(conclusions),
    )


def _evidence(conclusions: Conclusions) -> pd.DataFrame:
    """A row for each comparison or ratio that a finding rests on; one row for a finding without any."""
    names = ["name", "verdict", *Condition._fields, "source"]
    pieces: list[dict[str, object]] = []
    for claim in conclusions.claims:
        shared = claim.model_dump(include={*names})
        every = [*claim.comparisons, *claim.ratios]
        pieces += [{**shared, **_prefixed(piece.model_dump())} for piece in every] or [shared]
    columns = list(dict.fromkeys([*names, *(name for piece in pieces for name in piece)]))
    return pd.DataFrame(pieces, columns=columns)


def _prefixed(fields: dict[str, object]) -> dict[str, object]:
    """Return the fields of a piece of evidence, which has a verdict of its own, under names of their own."""
    return {
        f"evidence_{name}": " or ".join(map(str, value)) if isinstance(value, tuple) else value
        for name, value in fields.items()
    }


def _interval(low: float | None, high: float | None) -> str:
    return MISSING if low is None or high is None else f"{low:.2g} to {high:.2g}"
