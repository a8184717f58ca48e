"""What a verdict rests on: documents, the number of seeds, and values that mean something."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean, stdev

from eval.metrics import held_out
from toolkit.records import (
    Cell,
    Comparison,
    DocumentStatistics,
    EvaluationRecord,
    Finding,
    MetricValue,
    StudyRecords,
)
from toolkit.records.data import ForeignTraining

FEW_DOCUMENTS = 30
"""Held-out documents, or clusters of them, below which verdicts are flagged; docs/calibration.md checks them
from 50 on."""
FEW_SEEDS = 3
HEAVY = 0.25
"""Share of all weight that the heaviest 5 % of documents may carry: equal documents carry 5 %, lognormal
lengths of deviation 0.5, as recipes have, 13 %, of deviation 1, 26 %."""
UNEVEN = 0.8
"""Deviation of the logarithm of documents' lengths above which they count as heavy-tailed, whether or not a
heavy one is among them: recipes have 0.5, and at 1 intervals of several seeds miss (docs/calibration.md)."""


def documents(
    cells: Sequence[Cell], evaluations: Mapping[str, EvaluationRecord], records: StudyRecords
) -> list[Finding]:
    """Check the number of documents, or of clusters; fewer may be generated for than are scored."""
    counts = set()
    for cell in cells:
        if cell.run_id in evaluations:
            record = evaluations[cell.run_id]
            scored = max((value.documents for value in held_out(record.metrics).values()), default=0)
            counts.add((scored, min(scored, record.spec.generations or scored)))
    if not counts:
        return []
    scored, written = min(counts)
    text = f"{scored} scored, {written} generated for"
    labels = [row.cluster for row in _held_out(cells, records)]
    independent = len(set(labels[:written])) if labels else written
    if independent < min(scored, written):
        text += f", in {independent} clusters of documents that are not independent"
    if min(scored, written, independent) < FEW_DOCUMENTS:
        text += f": too few for intervals to be relied on (fewer than {FEW_DOCUMENTS})"
        return [Finding(check="held-out documents", status="flagged", text=text)]
    return [Finding(check="held-out documents", status="ok", text=text)]


def seeds(trained: Sequence[Cell]) -> list[Finding]:
    """Flag methods with one or two confirming seeds: what training varies by is then hardly known."""
    by_method: defaultdict[str, set[int]] = defaultdict(set)
    for cell in trained:
        by_method[cell.method].add(cell.seed)
    few = sorted(name for name, own in by_method.items() if len(own) < FEW_SEEDS)
    if not by_method:
        return []
    fewest = min(map(len, by_method.values()))
    if not few:
        return [Finding(check="seeds", status="ok", text=f"{fewest} or more for every method")]
    text = (
        "one seed: verdicts are about these checkpoints and not about the methods"
        if fewest == 1
        else f"{fewest} seeds: how much training varies is hardly known, and verdicts rest on it"
    )
    return [Finding(check="seeds", status="flagged", text=text, methods=tuple(few))]


def weights(cells: Sequence[Cell], records: StudyRecords) -> list[Finding]:
    """Flag documents of which a few carry most of a metric's weight, or would: intervals are too narrow."""
    text = heavy(_lengths(_held_out(cells, records)))
    return [] if text is None else [Finding(check="heavy documents", status="flagged", text=text)]


def heavy(lengths: Sequence[float]) -> str | None:
    """Return what is wrong with the weights of documents; None if nothing is, or with fewer than two."""
    if len(lengths) < 2:
        return None
    count = math.ceil(len(lengths) / 20)
    share = sum(sorted(lengths)[-count:]) / sum(lengths)
    logs = [math.log(length) for length in lengths if length > 0]
    deviation = stdev(logs) if len(logs) > 1 else 0.0
    if share <= HEAVY and deviation <= UNEVEN:
        return None
    text = f"the {count} longest of {len(lengths)} documents carry {share:.0%} of the weight"
    if deviation > UNEVEN:
        text += f", and lengths have a heavy tail (deviation of their logarithm {deviation:.2f})"
    return f"{text}: intervals may be too narrow"


def _held_out(cells: Sequence[Cell], records: StudyRecords) -> list[DocumentStatistics]:
    """Statistics of the held-out documents, of one run for all: the documents are the same for every run."""
    scored = next((cell for cell in cells if cell.eval_digest is not None), None)
    return [] if scored is None else [row for row in records.statistics(scored) if not row.general]


def _lengths(held: Sequence[DocumentStatistics]) -> list[float]:
    """Bytes of each document or cluster of documents, or words if there are no likelihoods."""
    for name in ("bits_per_byte", "bleu"):
        lengths: defaultdict[str, float] = defaultdict(float)
        for row in held:
            statistics = row.metrics.get(name)
            if statistics is not None:
                lengths[row.cluster] += statistics[1]
        if sum(lengths.values()) > 0:
            return list(lengths.values())
    return []


def matched_parameters(
    trained: Sequence[Cell], records: StudyRecords, tolerance: float = 0.05
) -> list[Finding]:
    """Check a study's claim that its adapters train as many weights; full fine-tuning is not among them."""
    counts: dict[str, int] = {}
    for cell in trained:
        costs = records.runs[cell.run_id].costs
        if costs.trainable_parameters and costs.trainable_parameters != costs.total_parameters:
            counts[cell.method] = costs.trainable_parameters
    if len(counts) < 2:
        return []
    fewest, most = min(counts.values()), max(counts.values())
    text = "; ".join(f"{name}: {count:,}" for name, count in sorted(counts.items()))
    if most > (1 + tolerance) * fewest:
        text = f"claimed, and apart by {most / fewest - 1:.0%} on this base ({text})"
        return [
            Finding(check="matched parameters", status="flagged", text=text, methods=tuple(sorted(counts)))
        ]
    return [Finding(check="matched parameters", status="ok", text=f"within {tolerance:.0%} ({text})")]


def training_data(method: str, trained: ForeignTraining) -> Finding:
    """Flag a method from elsewhere that was trained on test documents, or on near-copies of them."""
    tested = trained.leak.held_out
    about = f"in the {trained.documents:,} documents that {method} was trained on"
    refused = f" ({trained.refused:,} rows of it could not be read)" if trained.refused else ""
    if not trained.copies:
        text = f"no copy or near-copy of the {tested:,} test documents {about}{refused}"
        return Finding(
            check="training data",
            status="flagged" if trained.refused else "ok",
            text=text,
            methods=(method,),
        )
    text = (
        f"{trained.copies:,} of {tested:,} test documents have a copy or near-copy {about}{refused}, "
        f"{trained.exact:,} of them word for word: its scores may be of memory"
    )
    return Finding(check="training data", status="flagged", text=text, methods=(method,))


def under_the_floor(comparisons: Sequence[Comparison], records: StudyRecords) -> list[Finding]:
    """Flag *equivalent* verdicts on two methods that are both no better than unrelated text."""
    return [
        finding
        for pair in comparisons
        if pair.verdict == "equivalent" and pair.direction != "neither"
        for finding in _below(pair, records)
    ]


def _below(pair: Comparison, records: StudyRecords) -> list[Finding]:
    sides = {pair.method, pair.baseline}
    here = [c for c in records.evaluated if c.condition == pair.condition and c.method in sides]
    evaluations = [records.evaluations[cell.run_id, cell.eval_digest] for cell in here]
    floors = _values(e.anchors.get("unrelated", {}).get(pair.metric) for e in evaluations)
    values = _values(e.metrics.get(pair.metric) for e in evaluations)
    if not floors or not values:
        return []
    floor, sign = fmean(floors), 1 if pair.direction == "higher" else -1
    references = _values(e.anchors.get("references", {}).get(pair.metric) for e in evaluations)
    if references and not sign * fmean(references) > sign * floor:
        return []  # unrelated text is as well formed as the right one: it is no floor of such a metric
    if any(sign * value > sign * floor for value in values):
        return []
    text = (
        f"{pair.method} and {pair.baseline} are equivalent in {pair.label or pair.metric} and both no better "
        f"than unrelated text ({floor:.4g}): the verdict says nothing of either"
    )
    about = pair.condition._asdict()
    return [Finding(check="floor", status="flagged", text=text, methods=tuple(sorted(sides)), **about)]


def _values(measured: Iterable[MetricValue | None]) -> list[float]:
    return [one.value for one in measured if one is not None and one.value is not None]
