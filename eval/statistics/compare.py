"""What may be said of a metric, or of two methods on it: intervals, p-values and verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from eval.metrics.base import Floats, Metric, number
from eval.statistics.crossed import CONFIDENCE, Spread, influence, spread, student
from eval.statistics.proportions import mcnemar, wilson, with_both, with_discordant
from eval.statistics.resampling import DRAWS, bootstrap, percentiles, randomisation
from eval.statistics.verdicts import Needed, Verdict, holm, needed, verdict
from toolkit.errors import UserError
from toolkit.records import Direction, SpeaksAbout

__all__ = [
    "Difference",
    "Direction",
    "Interval",
    "Verdict",
    "compare",
    "estimate",
    "holm",
    "mcnemar",
    "stack",
    "verdict",
    "wilson",
]

Rows = Sequence[tuple[float, ...] | None]


class Interval(NamedTuple):
    """A value with its 95 % interval, and what the interval speaks about."""

    value: float | None
    low: float | None
    high: float | None
    speaks_about: SpeaksAbout


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Method minus baseline, in the metric's unit."""

    difference: float | None
    low: float | None
    high: float | None
    """The 95 % interval of the difference."""
    p: float | None
    """Two-sided, before any correction."""
    verdict: Verdict
    """By the p-value as it is; ask `verdict` again with the corrected one."""
    margin: float | None
    """In the metric's unit."""
    speaks_about: SpeaksAbout
    unseeded: Literal["method", "baseline"] | None
    """The side that has one seed while the other has several; None for neither."""
    seeds: int
    documents: int
    excluded: int
    """Documents on which the metric is defined for one side or seed, and not for another."""
    smallest_detectable: float | None
    """The smallest true difference that is called with 80 % power."""
    needed_documents: int | None
    """How many documents decide if the difference stays the same; None if these do, or if none do."""
    needed_seeds: int | None
    """How many seeds decide; None as above, and with one seed."""
    reason: str | None = None
    """Why there is no interval."""


def stack(seeds: Sequence[Rows]) -> Floats:
    """Statistics of several seeds on the same documents as ``[seeds, documents, k]``; nan where undefined."""
    lengths = {len(rows) for rows in seeds}
    if len(lengths) > 1:
        raise UserError(f"seeds were evaluated on different numbers of documents: {sorted(lengths)}")
    widths = {len(row) for rows in seeds for row in rows if row is not None}
    if len(widths) > 1:
        raise UserError(f"documents differ in their number of statistics: {sorted(widths)}")
    width = widths.pop() if widths else 1
    undefined = (np.nan,) * width
    table = [[undefined if row is None else row for row in rows] for rows in seeds]
    return np.asarray(table, dtype=np.float64).reshape(len(seeds), -1, width)


def estimate(metric: Metric, statistics: Floats, *, seed: int = 0) -> Interval:
    """The metric with its 95 % interval, from statistics ``[seeds, documents, k]`` (nan where undefined).

    The value is the mean of the seeds' values. One seed: Wilson's interval for a share of documents, the
    bootstrap over documents otherwise; several: seeds and documents crossed, both random.
    """
    (kept,), _ = _complete(metric, statistics)
    seeds, documents = kept.shape[:2]
    about = speaks_about(seeds)
    value = number(metric.aggregate(kept.sum(axis=1)).mean()) if documents else None
    if value is None or (documents < 2 and not metric.binary):
        return Interval(value, None, None, about)
    if seeds == 1 and metric.binary:
        low, high = wilson(float(kept[0, :, 0].sum()), documents)
        return Interval(value, low, high, about)
    values = with_both(kept[:, :, 0]) if metric.binary else influence(metric, kept)
    if not np.isfinite(values).all():
        return Interval(value, None, None, about)
    found_spread = spread(values)
    if seeds == 1:
        resampled = bootstrap(metric, (kept[0],), seed=seed)[0]
        return Interval(value, *_one_seed_interval(resampled, value, found_spread), about)
    centre = float(values.mean()) if metric.binary else value
    half = found_spread.quantile(CONFIDENCE)
    low, high = centre - half, centre + half
    if metric.binary:
        low, high = max(0.0, min(low, value)), min(1.0, max(high, value))
    return Interval(value, low, high, about)


def compare(
    metric: Metric,
    method: Floats,
    baseline: Floats,
    *,
    margin: float | None,
    tests: int = 1,
    seed: int = 0,
    draws: int = DRAWS,
) -> Difference:
    """A method against a baseline on the same documents, from statistics ``[seeds, documents, k]``.

    The seeds are paired in the order given. A side with one seed where the other has several is taken as
    having no seed at all, as the untouched base. With one seed on both sides the interval is the paired
    bootstrap's (Student's where that is wider) and p is approximate randomisation's; for a share of documents
    they are Bonett and Price's and McNemar's. They speak about two checkpoints. With several seeds, both come
    from seeds and documents crossed. ``margin`` is in the metric's `margin_kind`; ``tests`` is how many
    comparisons p will be corrected over, for what could have been seen and what would decide. Documents on
    which the metric is undefined at any seed of either side are left out of both.
    """
    _same_shape(metric, method, baseline)
    (ours, theirs), excluded = _complete(metric, method, baseline)
    seeds, documents = max(len(ours), len(theirs)), ours.shape[1]
    unseeded: Literal["method", "baseline"] | None = None
    if len(ours) != len(theirs):
        unseeded = "baseline" if len(theirs) == 1 else "method"
    values = [metric.aggregate(side.sum(axis=1)) for side in (ours, theirs)] if documents else []
    difference = number(values[0].mean() - values[1].mean()) if values else None
    if values and margin is not None and metric.margin_kind == "relative":
        against = number(values[1].mean())
        margin = None if against is None else margin * abs(against)
    found, reason = None, "the metric is not defined on either side's documents"
    if difference is not None:
        found, reason = _spread(metric, ours, theirs)
    if difference is None or found is None:
        low = high = p = None
    elif seeds == 1:
        low, high, p = _one_seed(metric, ours[0], theirs[0], found, difference, seed, draws)
    else:
        centre = difference * documents / found.documents
        half = found.quantile(CONFIDENCE)
        low, high, p = centre - half, centre + half, found.guarded().p(centre)
    if low is None or high is None:
        found = None
    ways = Needed(None, None)
    if found is not None and difference is not None:
        ways = needed(found, difference, margin, seeded=seeds > 1, tests=tests)
    return Difference(
        difference=difference,
        low=low,
        high=high,
        p=p,
        verdict=verdict(low, high, p, margin=margin, direction=metric.direction),
        margin=margin,
        speaks_about=speaks_about(seeds),
        unseeded=unseeded,
        seeds=seeds,
        documents=documents,
        excluded=excluded,
        smallest_detectable=None if found is None else found.guarded().smallest_detectable(tests),
        needed_documents=ways.documents,
        needed_seeds=ways.seeds,
        reason=None if found is not None else reason,
    )


def _one_seed(
    metric: Metric, ours: Floats, theirs: Floats, found: Spread, difference: float, seed: int, draws: int
) -> tuple[float | None, float | None, float | None]:
    if metric.binary:
        centre = difference * len(ours) / found.documents
        half = student(np.inf, (1 + CONFIDENCE) / 2) * found.error
        return max(-1.0, centre - half), min(1.0, centre + half), mcnemar(ours[:, 0], theirs[:, 0])
    resampled = bootstrap(metric, (ours, theirs), draws=draws, seed=seed)
    low, high = _one_seed_interval(resampled[0] - resampled[1], difference, found)
    return low, high, randomisation(metric, ours, theirs, draws=draws, seed=seed)


def _one_seed_interval(resampled: Floats, value: float, found: Spread) -> tuple[float | None, float | None]:
    """The bootstrap's interval, never narrower than Student's: three documents resample to too little."""
    interval = percentiles(resampled, found.documents)
    if interval is None:
        return None, None
    half = found.quantile(CONFIDENCE)
    return min(interval[0], value - half), max(interval[1], value + half)


def _spread(metric: Metric, ours: Floats, theirs: Floats) -> tuple[Spread | None, str]:
    if ours.shape[1] < 2:
        return None, "one document has no interval"
    if metric.binary:
        return spread(with_discordant(ours[:, :, 0] - theirs[:, :, 0])), ""
    apart = influence(metric, ours) - influence(metric, theirs)
    if not np.isfinite(apart).all():
        return None, "the metric rests on a single document: without it, it is not defined"
    return spread(apart), ""


def _complete(metric: Metric, *sides: Floats) -> tuple[tuple[Floats, ...], int]:
    """The sides' leading statistics on the documents where all are defined, and how many are not.

    A document on which none is defined was never in question, and is not counted.
    """
    by_seed = np.concatenate([np.isfinite(side).all(axis=2) for side in sides])
    defined = by_seed.all(axis=0)
    kept = tuple(side[:, defined, : metric.value_columns] for side in sides)
    return kept, int((by_seed.any(axis=0) & ~defined).sum())


def _same_shape(metric: Metric, method: Floats, baseline: Floats) -> None:
    seeds = len(method), len(baseline)
    if method.shape[1] != baseline.shape[1]:
        raise UserError(
            f"metric '{metric.name}': the method was evaluated on {method.shape[1]} documents and the "
            f"baseline on {baseline.shape[1]}; compare evaluations of the same test part"
        )
    if 0 in seeds or (seeds[0] != seeds[1] and 1 not in seeds):
        raise UserError(
            f"metric '{metric.name}': {seeds[0]} seeds against {seeds[1]}; give both sides the same seeds"
        )


def speaks_about(seeds: int) -> SpeaksAbout:
    """What an interval over so many seeds is about: two seeds say too little about a method."""
    return "checkpoints" if seeds <= 2 else "methods"
