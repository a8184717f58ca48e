"""Predictions as a terminal shows them."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.analysis.detectable.sizes import Detectable, Wanted


def as_rows(found: Sequence[Detectable]) -> list[dict[str, object]]:
    """The rows as a terminal shows them, three significant digits."""
    return [
        {
            "metric": row.metric,
            "seeds × documents": f"{row.seeds} × {row.documents}",
            "minimum detectable difference": _number(row.smallest_difference),
            "equivalent inside": _number(row.reachable_margin),
            "unit": row.unit,
            "variances from": row.source,
        }
        for row in found
    ]


def in_words(target: Wanted) -> str:
    """One line: what reaches the wanted difference."""
    what = f"{target.metric} {target.difference:.3g}"
    change = target.change
    if change is None:
        return f"to detect {what}: no study of up to 100 seeds and a million documents suffices"
    if change.kind == "enough":
        return f"to detect {what}: the study is large enough"
    parts = [f"{change.seeds} seeds"] if change.kind in ("seeds", "both") else []
    cheapest = " and ".join([*parts, *target.settings])
    return f"to detect {what}: {cheapest} is the cheapest change that reaches 80 % power"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"
