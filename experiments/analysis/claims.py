"""Whether a study reproduces published findings, judged by its comparisons and ratios."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal

from eval.statistics.optimum import Located, located
from eval.statistics.verdicts import Support, supports
from experiments.design.findings import Band, Pair, PublishedFinding, published_findings
from toolkit.records import (
    Cell,
    Claim,
    Comparison,
    ComparisonEvidence,
    Condition,
    Optimum,
    RatioEvidence,
    RunRecord,
)


def pairs_of(names: Sequence[str]) -> list[Pair]:
    """Return the comparisons that the findings of these names need."""
    return [pair for published in published_findings() if published.name in names for pair in published.pairs]


def judge(
    names: Sequence[str],
    conditions: Sequence[Condition],
    compared: Callable[[Condition, Pair], Comparison | None],
    ratio: Callable[[Condition, Band], Located],
) -> list[Claim]:
    """Judge each finding under each condition.

    A finding is reproduced if all its evidence supports it, contradicted if any contradicts it, undecided
    otherwise. ``compared`` returns the comparison of a pair, None if the study lacks one of its methods;
    ``ratio`` returns that of a band, with an interval if there are several seeds.
    """
    claims = []
    for condition in conditions:
        for published in published_findings():
            if published.name in names:
                pairs = _in_study(published, condition, compared)
                comparisons = tuple(_of_pair(pair, compared(condition, pair)) for pair in pairs)
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


def _in_study(
    published: PublishedFinding,
    condition: Condition,
    compared: Callable[[Condition, Pair], Comparison | None],
) -> list[Pair]:
    """Return the pairs to judge by: a finding about several methods is judged on those that the study has."""
    known = {(pair.against, pair.metric) for pair in published.pairs if compared(condition, pair)}
    return [
        pair
        for pair in published.pairs
        if compared(condition, pair) or (pair.against, pair.metric) not in known
    ]


def measured_ratio(
    band: Band,
    cells: Iterable[Cell],
    runs: Mapping[str, RunRecord],
    optima: Iterable[Optimum],
    baseline: str,
) -> Located:
    """Return a band's ratio under the condition of these cells: of optima, or of costs paired by seed.

    Optima are known relative to the study's ``baseline`` alone. All None if the study does not know it.
    """
    if band.what == "optimum":
        for optimum in optima:
            if optimum.method == band.method and band.against == baseline:
                return Located(optimum.ratio, optimum.ratio_low, optimum.ratio_high)
        return Located(None, None, None)
    spent: dict[str, dict[int, float]] = {}
    machines = set()
    for cell in cells:
        run = runs.get(cell.run_id)
        if cell.phase == "confirm" and cell.method in (band.method, band.against) and run is not None:
            value = _cost(band.what, run)
            if value is not None and run.status == "finished":
                spent.setdefault(cell.method, {})[cell.seed] = value
                machines.add((run.environment.get("device"), run.costs.cuda_allocated_bytes is not None))
    if len(machines) > 1:  # costs measured on two machines give no ratio
        return Located(None, None, None)
    ours, theirs = spent.get(band.method, {}), spent.get(band.against, {})
    return located([ours[seed] / theirs[seed] for seed in sorted(ours.keys() & theirs.keys())])


def _cost(what: str, run: RunRecord) -> float | None:
    costs = run.costs
    if what == "peak_memory_bytes":
        return costs.cuda_allocated_bytes or costs.peak_memory_bytes
    speed = costs.supervised_tokens_per_second
    return None if not speed else 1 / speed


def _of_pair(pair: Pair, comparison: Comparison | None) -> ComparisonEvidence:
    if comparison is None:
        return ComparisonEvidence(
            method=pair.method,
            against=pair.against,
            metric=pair.metric,
            expected=pair.expected,
            verdict=None,
            support="undecided",
        )
    return ComparisonEvidence(
        method=pair.method,
        against=pair.against,
        metric=pair.metric,
        label=comparison.label,
        unit=comparison.unit,
        expected=pair.expected,
        difference=comparison.difference,
        low=comparison.low,
        high=comparison.high,
        verdict=comparison.verdict,
        reason=comparison.reason if comparison.verdict == "refused" else None,
        support=supports(comparison, pair.expected),
    )


def _of_band(band: Band, ratio: Located) -> RatioEvidence:
    return RatioEvidence(
        what=band.what,
        method=band.method,
        against=band.against,
        expected_low=band.low,
        expected_high=band.high,
        value=ratio.value,
        low=ratio.low,
        high=ratio.high,
        support=_inside(band, ratio),
    )


def _inside(band: Band, ratio: Located) -> Support:
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
