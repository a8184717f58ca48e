"""Whether two sides' series differ: paired step by step and document by document, with a margin."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from scipy import stats

Verdict = Literal["equal", "equivalent", "moved", "undecided"]
MARGINS = {"loss": 1e-3, "gradient_norm": 1e-2, "likelihood": 1e-3}
"""Smaller distances are negligible: nats per token, and a share of the gradient's norm."""
UNITS = {"loss": "nats per token", "gradient_norm": "of the norm", "likelihood": "nats per token"}


class Drift(NamedTuple):
    """How far apart the sides are in one quantity of the runs of one base and method."""

    runs: str
    quantity: str
    distance: float
    """Mean over seeds of the mean absolute difference of paired values; infinite if they can't be paired."""
    low: float
    high: float
    """The 95 % interval over seeds, by Student's t; equal to the distance with one seed."""
    mean: float
    """The mean difference with its sign: first side minus second."""
    first: int | None
    """The first step or document, counted from 1, that differs by more than the margin in any seed."""
    verdict: Verdict


def drifts(one: Mapping[str, Any], other: Mapping[str, Any], scale: float = 1.0) -> list[Drift]:
    """Compare the `runs` of two sides; ``scale`` multiplies every margin.

    `moved` if the whole interval lies above the margin, `equivalent` if below it, `equal` if every value is
    the same to the last bit. Runs are named `base method seed`.
    """
    groups: dict[str, list[str]] = {}
    for name in dict.fromkeys([*one, *other]):
        groups.setdefault(name.rpartition(" ")[0], []).append(name)
    return [
        _drift(group, quantity, [(one.get(n), other.get(n)) for n in names], scale * margin)
        for group, names in groups.items()
        for quantity, margin in MARGINS.items()
    ]


def overall(found: Sequence[Drift]) -> Verdict:
    """Return the verdict on all runs: moved if any is, else undecided if any is, else equivalent or equal."""
    verdicts = {drift.verdict for drift in found}
    for verdict in ("moved", "undecided", "equivalent"):
        if verdict in verdicts:
            return verdict
    return "equal"


def _drift(
    group: str,
    quantity: str,
    pairs: list[tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]],
    margin: float,
) -> Drift:
    distances, means, firsts = [], [], []
    for one, other in pairs:
        values = _differences(quantity, (one or {}).get(quantity), (other or {}).get(quantity))
        if values is None:
            return Drift(group, quantity, math.inf, math.inf, math.inf, math.inf, None, "moved")
        distances.append(sum(map(abs, values)) / len(values))
        means.append(sum(values) / len(values))
        firsts += [number for number, value in enumerate(values, start=1) if abs(value) > margin][:1]
    mean = sum(distances) / len(distances)
    half = _half_width(distances)
    low, high = max(0.0, mean - half), mean + half
    verdict: Verdict = "undecided"
    if high == 0:
        verdict = "equal"
    elif low > margin:
        verdict = "moved"
    elif high < margin:
        verdict = "equivalent"
    first = min(firsts, default=None)
    return Drift(group, quantity, mean, low, high, sum(means) / len(means), first, verdict)


def _differences(quantity: str, one: Sequence[Any] | None, other: Sequence[Any] | None) -> list[float] | None:
    """Return the paired differences, of logarithms for a norm; None if the series can't be paired."""
    if not one or not other or len(one) != len(other):
        return None
    if any(value is None or not math.isfinite(value) for value in (*one, *other)):
        return None
    if quantity == "gradient_norm":
        one, other = ([math.log(max(value, 1e-12)) for value in series] for series in (one, other))
    return [a - b for a, b in zip(one, other, strict=True)]


def _half_width(values: Sequence[float]) -> float:
    count = len(values)
    if count < 2:
        return 0.0
    mean = sum(values) / count
    variance = sum((value - mean) ** 2 for value in values) / (count - 1)
    return float(stats.t.ppf(0.975, count - 1)) * math.sqrt(variance / count)
