"""Interval, p-value and verdict of the difference of two methods on a metric."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from eval.metrics.base import Floats, MarginKind, Metric, number
from eval.statistics.crossed import ALPHA, SeedPrior, Spread, spread, student
from eval.statistics.estimates import Interval, estimate, wilson
from eval.statistics.observations import (
    complete,
    differences,
    repeated,
    same_shape,
    stack,
    without_error,
)
from eval.statistics.power.assurance import Variances, detectable
from eval.statistics.power.changes import needed
from eval.statistics.resampling import DRAWS, one_seed_interval, randomisation, studentised
from eval.statistics.verdicts import (
    Verdict,
    holm,
    judge,
    margin_in_unit,
    own_margin_kind,
    require_margin,
    speaks_about,
)
from toolkit.errors import UserError
from toolkit.records import Comparison, Direction, SpeaksAbout

__all__ = [
    "Difference",
    "Direction",
    "Interval",
    "MarginKind",
    "Verdict",
    "compare",
    "differences",
    "estimate",
    "holm",
    "judge",
    "mcnemar",
    "own_margin_kind",
    "stack",
    "wilson",
]

DRAWS_PER_TEST = 40
"""Draws for each comparison of a family, so that the smallest p-value can pass the correction."""
ALIKE = 30
"""Documents, all of them alike on both sides, from which on that is a difference of zero: at 30, fewer than
one document in ten differs (95 %; the rule of three, Hanley and Lippman-Hand, 1983)."""


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
    """By the p-value as it is; ask `judge` again with the corrected one."""
    within_margin: bool
    beyond_margin: bool
    margin: float | None
    """In the metric's unit."""
    speaks_about: SpeaksAbout
    unseeded: Literal["method", "baseline"] | None
    """The side that has one seed while the other has several; None for neither."""
    seeds: int
    documents: int
    """Documents, or clusters of documents, on which both sides are defined."""
    excluded: int
    """Documents on which the metric is defined for one side or seed, and not for another."""
    smallest_detectable: float | None
    """The smallest true difference that a study of this size calls with 80 % power, if one way is better."""
    needed_documents: int | None = None
    """How many documents decide if the true difference is this one; None if these do, or if none do."""
    needed_documents_range: tuple[int, int | None] | None = None
    """The same at either end of the 80 % interval of the seeds' variance; None as an end: none do."""
    needed_seeds: int | None = None
    """How many seeds decide; None as above, and with one seed."""
    needed_seeds_range: tuple[int, int | None] | None = None
    reason: str | None = None
    """Why there is no interval."""

    def as_record(self, about: Mapping[str, object]) -> Comparison:
        """Return it as a record, with what it is ``about``, and before any correction: `p_holm` is None."""
        own = {name: getattr(self, name) for name in Comparison.model_fields if hasattr(self, name)}
        return Comparison.model_validate({**about, "p_holm": None, **own})


def compare(
    metric: Metric,
    method: Floats,
    baseline: Floats,
    *,
    margin: float | None,
    margin_kind: MarginKind | None = None,
    base: Floats | None = None,
    clusters: Sequence[Hashable] | None = None,
    prior: SeedPrior | None = None,
    tests: int = 1,
    level: float = ALPHA,
    predict: bool = True,
    seed: int = 0,
    draws: int = DRAWS,
) -> Difference:
    """Compare a method with a baseline on the same documents, from statistics ``[seeds, documents, k]``.

    Seeds are paired in the order given; a side with one seed against several has no seed, such as the
    untouched base model. One seed: the interval is the wider of the paired bootstrap-t's and Student's, and p
    the largest of theirs and of approximate randomisation's (Noreen, 1989); for a share of documents they are
    Bonett and Price's and McNemar's. Several seeds: both come from seeds and documents crossed.

    ``margin``: in the metric's ``margin_kind``, or the one given; ``base``: statistics of the untouched base,
    which a margin of kind "gain" needs. ``clusters``: one label per document, whose documents are not
    independent; they are then counted and resampled as one. ``prior``: what other methods' seeds say of the
    seeds' variance. ``tests``: comparisons that p will be corrected over. ``level``: of one look of several
    (`sequential.levels`): the interval has a confidence of 1 - level, and p is multiplied by .05 / level.
    ``predict``: whether to say what could be detected and what would decide, at that level. UserError on
    unequal shapes and on a level of 0, which decides nothing.

    If every document differs by the same amount, or the metric is of the whole set, there is no error to
    estimate: no interval, no p, and *undecided*. If none differs at all, on `ALIKE` documents or more, the
    interval is zero to zero.
    """
    same_shape(metric, method, baseline)
    require_margin(margin)
    if not 0 < level <= ALPHA:
        raise UserError(f"level {level:g}: a look is judged at a level above 0 and up to {ALPHA:g}")
    clusters = repeated(clusters, method, baseline)
    (ours, theirs), excluded = complete(metric, method, baseline, clusters=clusters)
    seeds, documents = max(len(ours), len(theirs)), ours.shape[1]
    values = [metric.aggregate(side.sum(axis=1)) for side in (ours, theirs)] if documents else []
    difference = number(values[0].mean() - values[1].mean()) if values else None
    against = number(values[1].mean()) if values else None
    margin = margin_in_unit(metric, margin, against, base, margin_kind)
    result = Difference(
        difference=difference,
        low=None,
        high=None,
        p=None,
        verdict="undecided",
        within_margin=False,
        beyond_margin=False,
        margin=margin,
        speaks_about=speaks_about(seeds),
        unseeded=None if len(ours) == len(theirs) else "baseline" if len(theirs) == 1 else "method",
        seeds=seeds,
        documents=documents,
        excluded=excluded,
        smallest_detectable=None,
    )
    if difference is None or documents < 2:
        why = "the metric is not defined on either side's documents"
        return replace(result, reason=why if difference is None else "one document has no interval")
    if metric.of_set:
        why = "a document's part in it depends on the other documents: no error can be estimated"
        return replace(result, reason=why)
    share = metric.binary and clusters is None
    apart = differences(metric, ours, theirs, share=share)
    if not np.isfinite(apart).all():
        why = "the metric rests on a single document: without it, it is not defined"
        return replace(result, reason=why)
    error, centre = spread(apart), float(apart.mean())
    if without_error(error, values):
        return _alike(result, apart)
    if seeds == 1:
        draws = max(draws, DRAWS_PER_TEST * tests)
        one = ours[0], theirs[0]
        inferred = _one_seed(metric, one, error, centre, difference, share, seed, draws, 1 - level)
    else:
        error = error.moderated(prior) if prior is not None else error
        half = error.quantile(1 - level)
        inferred = centre - half, centre + half, error.p(centre)
    if inferred is None:
        return replace(result, reason="the metric is undefined on many resampled sets of documents")
    lowest, highest = metric.bounds
    low, high = max(inferred[0], lowest - highest), min(inferred[1], highest - lowest)
    sparse = any(metric.unsupported(side.sum(axis=1)) for side in (ours, theirs))
    if sparse and low <= 0 <= high and (low, high) != inferred[:2]:
        why = "too few matches for an interval: it would be wider than the metric's whole scale"
        return replace(result, reason=why)
    p = min(1.0, inferred[2] * ALPHA / level)
    judged = judge(low, high, p, margin=margin, direction=metric.direction)
    result = replace(result, low=low, high=high, p=p, **judged._asdict())
    if not predict:
        return result
    known = Variances.of(error)
    if share and seeds == 1:
        discordant = float((ours[0, :, 0] != theirs[0, :, 0]).mean())
        known = Variances(seed=0.0, document=discordant - difference**2, rest=0.0, share=True)
    return _predicted(result, error, known, tests, level, directed=metric.direction != "neither")


def _alike(result: Difference, apart: Floats) -> Difference:
    """Finish a comparison whose error can't be estimated, since no document differs from another."""
    if np.abs(apart).max() > 0:
        why = "every document differs by the same amount: no error can be estimated"
        return replace(result, reason=why)
    if result.documents < ALIKE:
        why = f"no document differs, and {result.documents} are too few to call that no difference"
        return replace(result, reason=why)
    judged = judge(0.0, 0.0, 1.0, margin=result.margin, direction="neither")
    return replace(result, low=0.0, high=0.0, p=1.0, **judged._asdict())


def _predicted(
    result: Difference, error: Spread, known: Variances, tests: int, level: float, *, directed: bool
) -> Difference:
    """Add what a study of this size detects, and what would decide if the true difference is this one."""
    assert result.difference is not None  # noqa: S101 - it has an interval
    smallest = None
    if directed and error.error:
        smallest = detectable(known, result.seeds, result.documents, tests, level=level)
    missing = needed(
        error, result.difference, result.margin, tests, level=level, directed=directed, known=known
    )
    ways = {f"needed_{way}": number for way, number in missing._asdict().items()}
    return replace(result, smallest_detectable=smallest, **ways)


def _one_seed(
    metric: Metric,
    sides: tuple[Floats, Floats],
    error: Spread,
    centre: float,
    difference: float,
    share: bool,
    seed: int,
    draws: int,
    confidence: float,
) -> tuple[float, float, float] | None:
    """Low, high and p from the statistics ``[documents, k]`` of one seed of either side."""
    if share:
        half = student(np.inf, (1 + confidence) / 2) * error.error
        return centre - half, centre + half, mcnemar(sides[0][:, 0], sides[1][:, 0])
    drawn = studentised(metric, sides, draws=draws, seed=seed)
    interval = one_seed_interval(drawn, difference, centre, error, confidence)
    exchanged = randomisation(metric, *sides, draws=draws, seed=seed)
    if interval is None or drawn is None or exchanged is None:
        return None
    return *interval, max(exchanged, drawn.p(difference), error.p(centre))


def mcnemar(method: Floats, baseline: Floats) -> float:
    """McNemar's exact two-sided p-value from 0/1 outcomes ``[N]`` of the same documents."""
    from scipy.stats import binomtest

    gained = int(((method == 1) & (baseline == 0)).sum())
    lost = int(((method == 0) & (baseline == 1)).sum())
    return float(binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0
