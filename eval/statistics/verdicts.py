"""From an interval, a p-value and a margin to a verdict, and what would turn *undecided* into another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np

from eval.statistics.crossed import CONFIDENCE, POWER, Spread, student
from toolkit.errors import UserError
from toolkit.records import Direction

Verdict = Literal["better", "worse", "equivalent", "undecided"]

ALPHA = 1 - CONFIDENCE
MOST_SEEDS = 100
MOST_DOCUMENTS = 1_000_000


class Needed(NamedTuple):
    """How many documents, or how many seeds, decide; None for a way that does not, or if it is decided."""

    documents: int | None
    seeds: int | None


def verdict(
    low: float | None, high: float | None, p: float | None, *, margin: float | None, direction: Direction
) -> Verdict:
    """The verdict on a difference from its interval and its (Holm-corrected) p-value.

    Equivalent: the interval lies inside the margin on both sides. Better or worse: the interval leaves out
    zero *and* p < .05. Everything else is undecided, and so is a difference that can't be measured.
    """
    if low is None or high is None:
        return "undecided"
    if margin is not None and -margin < low and high < margin:
        return "equivalent"
    if p is None or p >= ALPHA or direction == "neither" or low <= 0 <= high:
        return "undecided"
    return "better" if (low > 0) == (direction == "higher") else "worse"


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's (1979) step-down correction, in the order given; a None stays None and is not counted."""
    known = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    corrected: list[float | None] = [None] * len(p_values)
    so_far = 0.0
    for rank, (p, place) in enumerate(known):
        if not 0 <= p <= 1:
            raise UserError(f"holm: {p} is not a p-value; give numbers from 0 to 1, or None")
        so_far = max(so_far, min(1.0, p * (len(known) - rank)))
        corrected[place] = so_far
    return corrected


def detectable(found: Spread, tests: int = 1) -> float:
    """About `Spread.smallest_detectable`, in closed form: normal quantiles for documents, t for seeds."""
    first = 1 - ALPHA / tests / 2
    normal = student(np.inf, first), student(np.inf, POWER)
    seeds = [student(max(1, found.seeds - 1), q) for q in (first, POWER)]
    return sum(
        float(np.hypot(found.by_document * z, found.by_seed * t)) for z, t in zip(normal, seeds, strict=True)
    )


def needed(found: Spread, difference: float, margin: float | None, *, seeded: bool, tests: int = 1) -> Needed:
    """How many documents, or seeds, would decide if the difference stays what it is; None if these do.

    It is enough to see one of two distances with 80 % power: from zero to the difference, by the first of so
    many ``tests`` under Holm, or from the difference to the margin, by its interval. Documents are added at
    the seeds there are, seeds at the documents there are.
    """
    inside = 0.0 if margin is None else margin - abs(difference)

    def decides(seeds: int, documents: int) -> bool:
        then = found.projected(seeds, documents)
        return detectable(then, tests) <= abs(difference) or detectable(then) <= inside

    if (difference == 0 and inside <= 0) or decides(found.seeds, found.documents):
        return Needed(None, None)
    documents = _first(lambda n: decides(found.seeds, n), found.documents, MOST_DOCUMENTS)
    seeds = _first(lambda s: decides(s, found.documents), found.seeds, MOST_SEEDS) if seeded else None
    return Needed(None if documents is None else _round_up(documents), seeds)


def _first(enough: Callable[[int], bool], start: int, most: int) -> int | None:
    """The smallest number above ``start`` that is enough, found by doubling and halving."""
    low, high = start, start
    while not enough(high):
        if high >= most:
            return None
        low, high = high, min(most, 2 * high)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _round_up(number: int) -> int:
    """Two significant digits, upwards."""
    step: int = 10 ** max(0, len(str(number)) - 2)
    return -(-number // step) * step
