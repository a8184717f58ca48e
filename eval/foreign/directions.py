"""Which way is better if names and files do not say, or disagree: what the user gives, or no verdict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Literal

from eval.foreign.alignment import Side
from toolkit.errors import UserError
from toolkit.records import Comparison, Direction

UNKNOWN = "which way is better is unknown: --direction"
DISAGREE = "the results disagree on which way is better: --direction"
UNSPECIFIC = "score"
"""A name of many metrics: of a CSV, and of files that name none. A direction that is given overrules it."""

Key = tuple[str, str]  # task, metric


def agreed(*sides: Side) -> Direction | None:
    """Return the direction that the runs know, `neither` if none does; None if they know two."""
    known = _known(sides)
    return None if len(known) > 1 else known.pop() if known else "neither"


def with_direction(
    sides: Mapping[str, Mapping[Key, Side]], keys: Iterable[Key], direction: Literal["lower", "higher"]
) -> dict[str, dict[Key, Side]]:
    """Return the sides' ``keys`` with that direction. UserError if a metric is known to have the other."""
    keys = list(keys)
    for key in keys:
        known = _known(side[key] for side in sides.values())
        if known and direction not in known and key[1].partition(",")[0] != UNSPECIFIC:
            raise UserError(
                f"--direction {direction}: of {key[1]}, {known.pop()} is better; give the metrics that it is "
                "about with --metric"
            )
    return {name: {key: _directed(side[key], direction) for key in keys} for name, side in sides.items()}


def explained(comparison: Comparison) -> Comparison:
    """Return the comparison with the reason why it is undecided, if its direction is unknown."""
    if comparison.direction != "neither" or comparison.verdict != "undecided":
        return comparison
    reasons = [*([comparison.reason] if comparison.reason else []), UNKNOWN]
    return comparison.model_copy(update={"reason": "; ".join(reasons)})


def _known(sides: Iterable[Side]) -> set[Direction]:
    return {run.direction for side in sides for run in side.runs} - {"neither"}


def _directed(side: Side, direction: Literal["lower", "higher"]) -> Side:
    return replace(side, runs=tuple(replace(run, direction=direction) for run in side.runs))
