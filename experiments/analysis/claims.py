"""What a study says of published findings: reproduced, contradicted or undecided, each with its numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal

from eval.statistics.optimum import Located, located
from experiments.design.findings import Band, Pair, PublishedFinding, published_findings
from figures.wording.names import decimals, difference_text, interval_text, metric_label
from toolkit.records import Cell, Claim, Comparison, Condition, Optimum, RunRecord

Verdict = Literal["reproduced", "contradicted", "undecided"]
Judged = tuple[Verdict, str]
WORDS = {
    "optimum": "best learning rate",
    "peak_memory_bytes": "peak memory",
    "seconds_per_token": "time a token",
}


def pairs_of(names: Sequence[str]) -> list[Pair]:
    """The comparisons that the findings of these names need."""
    return [pair for published in published_findings() if published.name in names for pair in published.pairs]


def judge(
    names: Sequence[str],
    conditions: Sequence[Condition],
    compared: Callable[[Condition, Pair], Comparison | None],
    ratio: Callable[[Condition, Band], Located],
) -> list[Claim]:
    """Each finding under each condition.

    ``compared`` gives the comparison of a pair, None where the study lacks one of its sides; ``ratio`` that
    of a band, with an interval where there are several seeds.
    """
    claims = []
    for condition in conditions:
        for published in published_findings():
            if published.name in names:
                pairs = _there(published, condition, compared)
                said = [_pair(pair, compared(condition, pair)) for pair in pairs]
                said += [_band(band, ratio(condition, band)) for band in published.bands]
                claims.append(
                    Claim(
                        **condition._asdict(),
                        name=published.name,
                        text=published.text,
                        source=published.source,
                        verdict=_together([verdict for verdict, _ in said]),
                        evidence="; ".join(text for _, text in said),
                    )
                )
    return claims


def _there(
    published: PublishedFinding,
    condition: Condition,
    compared: Callable[[Condition, Pair], Comparison | None],
) -> list[Pair]:
    """A finding about several methods is judged on those that the study has."""
    there = {(pair.against, pair.metric) for pair in published.pairs if compared(condition, pair)}
    return [
        pair
        for pair in published.pairs
        if compared(condition, pair) or (pair.against, pair.metric) not in there
    ]


def measured_ratio(
    band: Band,
    cells: Iterable[Cell],
    runs: Mapping[str, RunRecord],
    optima: Iterable[Optimum],
    baseline: str,
) -> Located:
    """A band's ratio under the condition whose cells these are: of optima, or of costs paired by seed.

    Optima are known relative to the study's ``baseline`` alone.
    """
    if band.what == "optimum":
        for found in optima:
            if found.method == band.method and band.against == baseline:
                return Located(found.ratio, found.ratio_low, found.ratio_high)
        return Located(None, None, None)
    spent: dict[str, dict[int, float]] = {}
    places = set()
    for cell in cells:
        run = runs.get(cell.run_id)
        if cell.phase == "confirm" and cell.method in (band.method, band.against) and run is not None:
            value = _cost(band.what, run)
            if value is not None and run.status == "finished":
                spent.setdefault(cell.method, {})[cell.seed] = value
                places.add((run.environment.get("device"), run.costs.cuda_allocated_bytes is not None))
    if len(places) > 1:  # costs of two machines are no ratio
        return Located(None, None, None)
    ours, theirs = spent.get(band.method, {}), spent.get(band.against, {})
    return located([ours[seed] / theirs[seed] for seed in sorted(ours.keys() & theirs.keys())])


def _cost(what: str, run: RunRecord) -> float | None:
    costs = run.costs
    if what == "peak_memory_bytes":
        return costs.cuda_allocated_bytes or costs.peak_memory_bytes
    speed = costs.supervised_tokens_per_second
    return None if not speed else 1 / speed


def _pair(pair: Pair, found: Comparison | None) -> Judged:
    metric = metric_label(pair.metric, found.label if found else None)
    label = f"{pair.method} against {pair.against}, {metric}"
    if found is None:
        return "undecided", f"{label}: not in this study"
    if found.verdict == "refused":
        return "undecided", f"{label}: refused ({found.reason})"
    places, unit = decimals(found.unit or "", found.low, found.high), found.unit or ""
    size = difference_text(found.difference, unit, places)
    text = f"{label}: {size} ({interval_text(found.low, found.high, unit, places)}), {found.verdict}"
    if found.verdict == "undecided":
        return "undecided", text
    return ("reproduced" if found.verdict in pair.expected else "contradicted"), text


def _band(band: Band, found: Located) -> Judged:
    label = f"{WORDS[band.what]} of {band.method} over that of {band.against}"
    expected = f"{band.low:.3g} to {band.high:.3g}" if band.low else f"below {band.high:.3g}"
    if found.value is None:
        return "undecided", f"{label}: not known from this study (expected {expected})"
    if found.low is None or found.high is None:
        return (
            "undecided",
            f"{label}: {found.value:.3g} from one seed, no interval (expected {expected})",
        )
    text = f"{label}: {found.value:.3g} ({found.low:.3g} to {found.high:.3g}; expected {expected})"
    if band.low <= found.low and found.high <= band.high:
        return "reproduced", text
    return ("contradicted" if found.high < band.low or found.low > band.high else "undecided"), text


def _together(verdicts: Sequence[Verdict]) -> Verdict:
    if "contradicted" in verdicts:
        return "contradicted"
    return "undecided" if "undecided" in verdicts else "reproduced"
