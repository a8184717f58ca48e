"""Whether a study reproduces published findings, judged by its comparisons and ratios."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Literal

from eval.metrics import Metric, all_metrics
from eval.statistics.verdicts import supports, with_holm
from experiments.analysis.claims.ratios import Ratio, measured_ratio, ratio_evidence
from experiments.analysis.comparisons import KnownComparisons, compare, margin_of
from experiments.analysis.statistics import Statistics
from experiments.design.findings import Band, Pair, PublishedFinding, published_findings
from experiments.design.study import StudySpec
from toolkit.records import (
    Claim,
    Comparison,
    ComparisonEvidence,
    Condition,
    Finding,
    Optimum,
    StudyRecords,
    Support,
)
from toolkit.specs import AnyFormat


def claims_of(
    study: StudySpec,
    statistics: Statistics,
    findings: Sequence[Finding],
    records: StudyRecords,
    found: Sequence[Optimum],
    concluded: KnownComparisons,
    level: float,
) -> list[Claim]:
    """Judge the published findings that the study names.

    A comparison that the study makes anyway is taken as it is concluded; those that only a finding needs are
    a family of their own.
    """
    conditions = list(dict.fromkeys(cell.condition for cell in records.cells))
    pairs = [(condition, pair) for condition in conditions for pair in pairs_of(study.claims)]
    forms = {data.name: data.format for data in study.dataset}
    compared: dict[tuple[Condition, Pair], Comparison] = {}
    apart: dict[tuple[Condition, Pair], Comparison] = {}
    for condition, pair in pairs:
        item = metric_of(pair, forms[condition.dataset])
        if item is None:
            continue
        sides = pair.method, pair.against
        alone = partial(
            compare,
            statistics,
            findings,
            condition,
            *sides,
            item,
            margin_of(study, item, pair.margin),
            seeds=study.seeds,
            tests=len(pairs),
            family="claims",
            level=level,
        )
        known = concluded.get(condition, *sides, item.name, alone, own_margin=pair.margin is None)
        if known is not None:
            compared[condition, pair] = known
        elif (one := alone()) is not None:
            apart[condition, pair] = one
    compared |= dict(zip(apart, with_holm(list(apart.values())), strict=True))

    def ratio(condition: Condition, band: Band) -> Ratio:
        here = [cell for cell in records.cells if cell.condition == condition]
        mine = [one for one in found if one.condition == condition]
        return measured_ratio(band, here, records.runs, mine, study.baseline)

    untuned = {
        (cell.condition, cell.method)
        for cell in records.cells
        if cell.phase == "confirm" and not cell.tuned and cell.learning_rate is not None
    }
    return judge(study.claims, conditions, study.methods, compared, ratio, untuned)


def pairs_of(names: Sequence[str]) -> list[Pair]:
    """Return the comparisons that the findings of these names need."""
    return [pair for published in published_findings() if published.name in names for pair in published.pairs]


def metric_of(pair: Pair, form: AnyFormat) -> Metric | None:
    """Return the first of a pair's metrics that is defined on documents of this format; None without one."""
    known = [all_metrics()[name] for name in pair.metrics if name in all_metrics()]
    return next((item for item in known if item.defined_on(form)), None)


def judge(
    names: Sequence[str],
    conditions: Sequence[Condition],
    methods: Collection[str],
    compared: Mapping[tuple[Condition, Pair], Comparison],
    ratio: Callable[[Condition, Band], Ratio],
    untuned: Collection[tuple[Condition, str]] = (),
) -> list[Claim]:
    """Judge each finding under each condition.

    A finding is reproduced if all its evidence supports it, contradicted if any contradicts it, undecided
    otherwise. ``methods``: of the study, whether or not their runs ended well; a pair of them that is not in
    ``compared`` has no evaluated run. ``ratio`` returns that of a band, with an interval if there are several
    seeds, which judges it. Comparisons of one or two seeds, and of ``untuned`` methods, are shown and judge
    nothing.
    """
    claims = []
    for condition in conditions:
        for published in published_findings():
            if published.name in names:
                comparisons = tuple(
                    _of_pair(pair, condition, methods, compared.get((condition, pair)), untuned)
                    for pair in _in_study(published, methods)
                )
                ratios = tuple(ratio_evidence(band, ratio(condition, band)) for band in published.bands)
                claims.append(
                    Claim(
                        **condition._asdict(),
                        name=published.name,
                        text=published.text,
                        source=published.source,
                        verdict=_together([*(c.support for c in comparisons), *(r.support for r in ratios)]),
                        comparisons=comparisons,
                        ratios=ratios,
                    )
                )
    return claims


def _in_study(published: PublishedFinding, methods: Collection[str]) -> list[Pair]:
    """Return the pairs to judge by: a finding about several methods is judged on those that the study has.

    Not on those whose runs ended well: a method that diverges with every seed is no evidence for the others.
    """
    known = {(pair.against, pair.metrics) for pair in published.pairs if pair.method in methods}
    return [
        pair
        for pair in published.pairs
        if pair.method in methods or (pair.against, pair.metrics) not in known
    ]


def _of_pair(
    pair: Pair,
    condition: Condition,
    methods: Collection[str],
    comparison: Comparison | None,
    untuned: Collection[tuple[Condition, str]],
) -> ComparisonEvidence:
    if comparison is None:
        there = pair.method in methods and pair.against in methods
        return ComparisonEvidence(
            method=pair.method,
            against=pair.against,
            metric=pair.metrics[0],
            label=getattr(all_metrics().get(pair.metrics[0]), "label", None),
            expected=pair.expected,
            verdict=None,
            reason="no evaluated run" if there else None,
            support="undecided",
        )
    weak = [name for name in (pair.method, pair.against) if (condition, name) in untuned]
    why = f"{' and '.join(weak)} untuned" if weak else None
    if comparison.speaks_about == "checkpoints":
        why = "one or two seeds"
    return ComparisonEvidence(
        method=pair.method,
        against=pair.against,
        metric=comparison.metric,
        label=comparison.label,
        unit=comparison.unit,
        expected=pair.expected,
        difference=comparison.difference,
        low=comparison.low,
        high=comparison.high,
        margin=comparison.margin,
        verdict=comparison.verdict,
        reason=comparison.reason if comparison.verdict == "refused" else why,
        support="undecided" if why else supports(comparison, pair.expected),
    )


def _together(evidence: Sequence[Support]) -> Literal["reproduced", "contradicted", "undecided"]:
    if "contradicts" in evidence:
        return "contradicted"
    return "undecided" if "undecided" in evidence or not evidence else "reproduced"
