"""Whether a study reproduces published findings, judged by its comparisons and ratios."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Literal, NamedTuple

from eval.audit import had_its_cores
from eval.metrics import Metric, all_metrics
from eval.statistics.optimum import located
from eval.statistics.verdicts import Support, supports, with_holm
from experiments.analysis.comparisons import KnownComparisons, compare, margin_of
from experiments.analysis.statistics import Statistics
from experiments.design.findings import Band, Pair, PublishedFinding, published_findings
from experiments.design.study import StudySpec
from toolkit.records import (
    Cell,
    Claim,
    Comparison,
    ComparisonEvidence,
    Condition,
    Finding,
    Optimum,
    RatioEvidence,
    RunRecord,
    StudyRecords,
)
from toolkit.specs import AnyFormat


class Ratio(NamedTuple):
    """What a band is judged by, with its 95 % interval over seeds; None where it is not known."""

    value: float | None
    low: float | None
    high: float | None
    seeds: int | None = None
    without: int = 0
    """Tuning seeds at which one of the two methods has no optimum between the rates tried."""


UNKNOWN = Ratio(None, None, None)


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
                ratios = tuple(_of_band(band, ratio(condition, band)) for band in published.bands)
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


def measured_ratio(
    band: Band,
    cells: Iterable[Cell],
    runs: Mapping[str, RunRecord],
    optima: Iterable[Optimum],
    baseline: str,
) -> Ratio:
    """Return a band's ratio under the condition of these cells: of optima, or of costs paired by seed.

    Optima are known relative to the study's ``baseline`` alone. All None if the study does not know it, and
    for times if a run shared its cores with other work, or nobody knows.
    """
    if band.what == "optimum":
        for optimum in optima:
            if optimum.method == band.method and band.against == baseline:
                ends = optimum.ratio, optimum.ratio_low, optimum.ratio_high
                paired = optimum.ratio_seeds
                every = optimum.seeds + optimum.outside
                return Ratio(*ends, paired, 0 if paired is None else every - paired)
        return UNKNOWN
    spent: dict[str, dict[int, float]] = {}
    machines = set()
    for cell in cells:
        run = runs.get(cell.run_id)
        if cell.phase == "confirm" and cell.method in (band.method, band.against) and run is not None:
            value = _cost(band.what, run)
            if band.what == "seconds_per_token" and had_its_cores(run) is not True:
                return UNKNOWN
            if value is not None and run.status == "finished":
                spent.setdefault(cell.method, {})[cell.seed] = value
                machines.add((run.environment.get("device"), run.costs.cuda_allocated_bytes is not None))
    if len(machines) > 1:  # costs measured on two machines give no ratio
        return UNKNOWN
    ours, theirs = spent.get(band.method, {}), spent.get(band.against, {})
    both = sorted(ours.keys() & theirs.keys())
    return Ratio(*located([ours[seed] / theirs[seed] for seed in both]), len(both))


def _cost(what: str, run: RunRecord) -> float | None:
    costs = run.costs
    if what == "peak_memory_bytes":
        return costs.cuda_allocated_bytes or costs.peak_memory_bytes
    speed = costs.supervised_tokens_per_second
    return None if not speed else 1 / speed


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


def _of_band(band: Band, ratio: Ratio) -> RatioEvidence:
    return RatioEvidence(
        what=band.what,
        method=band.method,
        against=band.against,
        expected_low=band.low,
        expected_high=band.high,
        value=ratio.value,
        low=ratio.low,
        high=ratio.high,
        seeds=ratio.seeds,
        without=ratio.without,
        support=_inside(band, ratio),
    )


def _inside(band: Band, ratio: Ratio) -> Support:
    """Return whether the ratio's whole interval is inside the band or outside; undecided without one."""
    if ratio.low is None or ratio.high is None:
        return "undecided"
    if band.low <= ratio.low and ratio.high <= band.high:
        return "supports"
    return "contradicts" if ratio.high < band.low or ratio.low > band.high else "undecided"


def _together(evidence: Sequence[Support]) -> Literal["reproduced", "contradicted", "undecided"]:
    if "contradicts" in evidence:
        return "contradicted"
    return "undecided" if "undecided" in evidence or not evidence else "reproduced"
