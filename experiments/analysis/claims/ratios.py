"""A ratio of costs or of best learning rates, and whether it lies in the band of a published finding."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from eval.audit import comparable, had_its_cores
from eval.statistics.optimum import located
from experiments.design.findings import Band
from toolkit.records import Cell, Optimum, RatioEvidence, RunRecord, Support


class Ratio(NamedTuple):
    """What a band is judged by, with its 95 % interval over seeds; None where it is not known."""

    value: float | None
    low: float | None
    high: float | None
    seeds: int | None = None
    without: int = 0
    """Tuning seeds at which one of the two methods has no optimum between the rates tried."""


UNKNOWN = Ratio(None, None, None)


def measured_ratio(
    band: Band,
    cells: Iterable[Cell],
    runs: Mapping[str, RunRecord],
    optima: Iterable[Optimum],
    baseline: str,
) -> Ratio:
    """Return a band's ratio under the condition of these cells: of optima, or of costs paired by seed.

    Optima are known relative to the study's ``baseline`` alone. Costs are those of the runs on one device.
    All None if the study does not know it, and for times if a run there shared its cores with other work, or
    nobody knows.
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
    both_sides = (band.method, band.against)
    confirmed = [cell for cell in cells if cell.phase == "confirm" and cell.method in both_sides]
    here = comparable(confirmed, runs, band.against)
    for cell in confirmed:
        run = here.get(cell.run_id)
        if run is None:
            continue
        value = _cost(band.what, run)
        if band.what == "seconds_per_token" and had_its_cores(run) is not True:
            return UNKNOWN
        if value is not None:
            spent.setdefault(cell.method, {})[cell.seed] = value
    ours, theirs = spent.get(band.method, {}), spent.get(band.against, {})
    both = sorted(ours.keys() & theirs.keys())
    return Ratio(*located([ours[seed] / theirs[seed] for seed in both]), len(both))


def _cost(what: str, run: RunRecord) -> float | None:
    costs = run.costs
    if what == "peak_memory_bytes":
        return costs.cuda_allocated_bytes or costs.peak_memory_bytes
    speed = costs.supervised_tokens_per_second
    return None if not speed else 1 / speed


def ratio_evidence(band: Band, ratio: Ratio) -> RatioEvidence:
    """Return what a ratio says about a band: inside with its whole interval, outside, or undecided."""
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
