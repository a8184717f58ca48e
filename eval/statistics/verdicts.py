"""From an interval, a p-value and a margin to a verdict; correction over a family; support for a finding."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from numbers import Real
from typing import Any, Literal, NamedTuple

import numpy as np

from eval.metrics.base import Floats, MarginKind, Metric, number
from eval.statistics.crossed import ALPHA
from eval.statistics.observations import complete
from toolkit.errors import UserError
from toolkit.records import Comparison, Direction, SpeaksAbout, Support

Verdict = Literal["better", "worse", "equivalent", "undecided"]
LARGEST_SHARE = 0.2
"""The largest margin that a share of the baseline's value may be."""


class Judgement(NamedTuple):
    """A verdict, and where the interval lies relative to the equivalence margin."""

    verdict: Verdict
    within_margin: bool
    """The whole interval lies inside the margin: better or worse, but by less than the margin."""
    beyond_margin: bool
    """The whole interval lies outside the margin: better or worse by more than the margin."""


def judge(
    low: float | None, high: float | None, p: float | None, *, margin: float | None, direction: Direction
) -> Judgement:
    """Judge a difference by its 95 % interval and its (corrected) p-value; the sign comes before the margin.

    Better or worse: the interval excludes zero *and* p < .05. Equivalent: not so, and the interval lies
    inside the margin on both sides, which is the two one-sided tests at 2.5 % each (Schuirmann, 1987; at 5 %
    a 90 % interval would do), not corrected for many comparisons. Undecided: everything else, and a
    difference that cannot be measured. With several seeds, interval and p come from one distribution.
    """
    if low is None or high is None:
        return Judgement("undecided", False, False)
    within = margin is not None and -margin < low and high < margin
    if p is not None and p < ALPHA and direction != "neither" and not low <= 0 <= high:
        beyond = margin is not None and (low > margin or high < -margin)
        return Judgement("better" if (low > 0) == (direction == "higher") else "worse", within, beyond)
    return Judgement("equivalent" if within else "undecided", within, False)


def require_margin(margin: float | None) -> None:
    """Raise UserError unless a margin is None, or a number from 0 on."""
    number = isinstance(margin, Real) and not isinstance(margin, bool)
    if margin is not None and not (number and 0 <= margin < np.inf):
        raise UserError(
            f"margin {margin!r:.60}: give how large a negligible difference is, a number from 0 on"
        )


def own_margin_kind(metric: Metric) -> MarginKind:
    """Return what a margin that a user gives is: a share of the baseline's value, or in the metric's unit.

    A share of the gain is only ever a default: a number that somebody chose for BLEU is in BLEU.
    """
    return "relative" if metric.margin_kind == "relative" else "absolute"


def require_margin_of(metric: Metric, margin: float) -> None:
    """Raise UserError for a margin so large that it is in another unit: all would be equivalent."""
    require_margin(margin)
    if own_margin_kind(metric) == "absolute":
        require_margin_within(metric, margin)
    elif margin > LARGEST_SHARE:
        raise UserError(
            f"margin of {metric.name}: {margin:g} is {margin:.0%} of the baseline's value, and would "
            "call everything equivalent; 1 % is 0.01"
        )


def require_margin_within(metric: Metric, margin: float | None) -> None:
    """Raise UserError for a margin in the metric's unit that is half of its scale or more."""
    require_margin(margin)
    low, high = metric.bounds
    if margin is not None and margin >= (high - low) / 2:
        unit = "; one point is 0.01" if (low, high) == (0, 1) else ""
        raise UserError(
            f"margin of {metric.name}: {margin:g} is half of all values or more ({low:g} to {high:g}), and "
            f"would call everything equivalent{unit}"
        )


def margin_in_unit(
    metric: Metric,
    margin: float | None,
    against: float | None,
    base: Floats | None,
    kind: MarginKind | None = None,
) -> float | None:
    """Return a margin in the metric's unit; None without one, or if what it is a share of is unknown.

    ``base``: statistics of the untouched base model; see `margin_of_values` for what is done with them.
    """
    before = None
    if base is not None and (kind or metric.margin_kind) == "gain":
        (whole,), _ = complete(metric, base)
        before = number(metric.aggregate(whole.sum(axis=1)).mean()) if whole.shape[1] else None
    return margin_of_values(metric, margin, against, before, kind)


def margin_of_values(
    metric: Metric,
    margin: float | None,
    against: float | None,
    before: float | None,
    kind: MarginKind | None = None,
) -> float | None:
    """Return a margin in the metric's unit; None without one, or if what it is a share of is unknown.

    Relative: of the baseline's value ``against``. Gain: of what the baseline gained over the untouched base
    model's value ``before``, but at least the metric's `margin_floor`; a baseline that gained nothing, or is
    worse than the untouched base, leaves the floor alone.
    """
    kind = kind or metric.margin_kind
    if margin is None or kind == "absolute":
        return margin
    if kind == "relative":
        return None if against is None else margin * abs(against)
    if before is None or against is None:
        return None
    sign = {"higher": 1.0, "lower": -1.0, "neither": float(np.sign(against - before))}[metric.direction]
    return max(metric.margin_floor, margin * sign * (against - before))


def speaks_about(seeds: int) -> SpeaksAbout:
    """Return what an interval over so many seeds is about: two seeds say too little about a method."""
    return "checkpoints" if seeds <= 2 else "methods"


def supports(comparison: Comparison, expected: Collection[str]) -> Support:
    """Return whether a comparison supports a finding that expects one of these verdicts.

    A real difference in the expected direction supports it, however small. *Equivalent* is also supported by
    a real difference inside the margin. Only the opposite contradicts: the other direction if a direction is
    expected (*equivalent* does not, since the finding may be about a larger study), and a difference beyond
    the margin if *equivalent* is. Everything else is undecided.
    """
    found = comparison.verdict
    if found in expected or ("equivalent" in expected and comparison.within_margin):
        return "supports"
    if found in ("better", "worse"):
        opposite = {"better": "worse", "worse": "better"}[found]
        if opposite in expected and not ("equivalent" in expected and not comparison.beyond_margin):
            return "contradicts"
        if "equivalent" in expected and comparison.beyond_margin:
            return "contradicts"
    return "undecided"


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Apply Holm's (1979) step-down correction, in the order given; None stays None and is not counted."""
    known = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    corrected: list[float | None] = [None] * len(p_values)
    so_far = 0.0
    for rank, (p, place) in enumerate(known):
        if not 0 <= p <= 1:
            raise UserError(f"holm: {p} is not a p-value; give numbers from 0 to 1, or None")
        so_far = max(so_far, min(1.0, p * (len(known) - rank)))
        corrected[place] = so_far
    return corrected


def refusal(about: Mapping[str, object], why: str) -> Comparison:
    """Return the record of a comparison that is not made, with what it is ``about``."""
    empty = dict.fromkeys(("difference", "low", "high", "p", "p_holm", "margin", "speaks_about"))
    nothing = {"verdict": "refused", "seeds": 0, "documents": 0, "reason": why}
    return Comparison.model_validate({**empty, **about, **nothing})


def with_holm(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """Judge again by the p-values corrected over each family; the families do not share their 5 %."""
    families: dict[str, list[int]] = {}
    for place, comparison in enumerate(comparisons):
        families.setdefault(comparison.family, []).append(place)
    corrected: dict[int, float | None] = {}
    for places in families.values():
        ps = holm([comparisons[place].p for place in places])
        corrected |= dict(zip(places, ps, strict=True))
    return [judged(comparison, corrected[place]) for place, comparison in enumerate(comparisons)]


def judged(comparison: Comparison, p: float | None) -> Comparison:
    """Return the comparison with its verdict by a corrected p-value; a refused one stays refused."""
    if comparison.verdict == "refused":
        return comparison
    low, high, margin = comparison.low, comparison.high, comparison.margin
    again = judge(low, high, p, margin=margin, direction=comparison.direction)
    update: dict[str, Any] = {"p_holm": p, **again._asdict()}
    if again.verdict != "undecided":
        ways = ("needed_documents", "needed_documents_range", "needed_seeds", "needed_seeds_range")
        update |= dict.fromkeys(ways)
    return comparison.model_copy(update=update)
