"""What a study found, in plain sentences made from its comparisons: never *equal* for *undecided*."""

from __future__ import annotations

from collections.abc import Sequence

from figures.wording.names import (
    count,
    decimals,
    difference_text,
    direction_label,
    interval_text,
    joined,
    needed_text,
    value_text,
)
from figures.wording.pairs import confidence_text, metric_of, untuned_methods, value_of, verdict_text
from toolkit.records import BASE, Cell, Comparison, Conclusions, Condition

ORDER = ("better", "equivalent", "worse", "undecided", "refused")


def answer(conclusions: Conclusions, condition: Condition) -> list[str]:
    """Sentences for one condition: the finding first, then its limits."""
    here = [c for c in conclusions.comparisons if c.condition == condition]
    order = {metric: place for place, metric in enumerate(conclusions.headline)}
    here.sort(key=lambda pair: order.get(pair.metric, len(order)))
    pairs = [pair for pair in here if pair.baseline == conclusions.baseline]
    anchored = [pair for pair in here if pair.baseline == BASE and conclusions.baseline != BASE]
    if not pairs:
        return _nothing_compared(conclusions, condition, anchored)
    lead = [pair for pair in pairs if pair.metric == pairs[0].metric]
    rest = [pair for pair in pairs if pair.metric != pairs[0].metric]
    sentences = _one(conclusions, lead[0]) if len(lead) == 1 else [_several(conclusions, lead)]
    if rest:
        sentences.append(_others(rest))
    if anchored:
        sentences.append(_against_base(anchored))
    return [*sentences, *limits(conclusions, condition)]


def _nothing_compared(
    conclusions: Conclusions, condition: Condition, anchored: Sequence[Comparison]
) -> list[str]:
    """Sentences for a condition without a comparison to the baseline: why, and what to run."""
    cells = [cell for cell in conclusions.cells if cell.condition == condition]
    trained = [cell for cell in cells if cell.method != BASE]
    if trained and all(cell.status == "diverged" for cell in trained):
        lead = "Every trained run diverged, so nothing can be compared: try lower learning rates."
        return [lead, *limits(conclusions, condition)]
    if all(cell.status != "finished" for cell in trained):
        runs = "No run" if len(cells) == len(trained) or not conclusions.estimates else "No trained run"
        return [
            f"{runs} has finished, so nothing can be compared: fix the cause, which each run's log.txt "
            f"names, and run `bakeoff run {conclusions.study} --retry-failed`.",
            *limits(conclusions, condition),
        ]
    if anchored and {cell.method for cell in trained} == {conclusions.baseline}:
        lead = f"{conclusions.baseline} is the only method of the study, so nothing is compared with it."
        return [lead, _against_base(anchored), *limits(conclusions, condition)]
    lead = f"No method could be compared with {conclusions.baseline}: see the runs and the audit below."
    return [lead, *limits(conclusions, condition)]


def limits(conclusions: Conclusions, condition: Condition) -> list[str]:
    """What the finding speaks about: seeds, documents, a search for learning rates or none, failed runs."""
    cells = [c for c in conclusions.cells if c.condition == condition]
    estimates = [e for e in conclusions.estimates if e.condition == condition]
    judged = [e for e in estimates if e.metric in conclusions.headline] or estimates
    of_test = [e for e in judged if not e.metric.startswith("general_")] or judged
    numbers = sorted({e.documents for e in of_test}) or [0]
    documents = count(numbers[-1], "test document")
    if len(numbers) > 1:
        documents = f"{numbers[0]:,} to {documents}, by metric"
    seeds = {e.seeds for e in estimates if e.method != BASE}
    sentences = []
    if seeds == {1}:
        sentences.append(
            f"One seed per method, {documents}: "
            "this is a statement about these checkpoints, not about the methods."
        )
    elif seeds:
        span = (
            count(max(seeds), "seed") if len(seeds) == 1 else f"{min(seeds)} to {count(max(seeds), 'seed')}"
        )
        sentences.append(f"{span} per method, {documents}.")
    raw = untuned_methods(conclusions, condition)
    if raw:
        sentences.append(_why_untuned(raw, cells))
    lost = [cell for cell in cells if cell.status != "finished"]
    if lost:
        names = joined([f"{cell.method} (seed {cell.seed}, {cell.status})" for cell in lost])
        sentences.append(f"{len(lost)} of {count(len(cells), 'run')} did not finish: {names}.")
    return sentences


def _why_untuned(methods: Sequence[str], cells: Sequence[Cell]) -> str:
    at_edge = {cell.method for cell in cells if cell.phase == "confirm" and cell.rate_choice == "edge"}
    edge = [method for method in methods if method in at_edge]
    without = {cell.method for cell in cells if cell.phase == "confirm" and cell.learning_rate is None}
    elsewhere = [method for method in methods if method in without - at_edge]
    rest = [method for method in methods if method not in at_edge | without]
    reasons = []
    if elsewhere:
        were = "was" if len(elsewhere) == 1 else "were"
        reasons.append(f"{joined(elsewhere)} {were} not tuned here")
    if rest:
        reasons.append(
            f"the learning rate of {joined(rest)} was not chosen among as many as every other method had"
        )
    if edge:
        rates = "rate" if len(edge) == 1 else "rates"
        was = "was the first or last one tried" if len(edge) == 1 else "were the first or last ones tried"
        reasons.append(f"the best learning {rates} of {joined(edge)} {was}")
    return f"Untuned: {'; '.join(reasons)}; another rate may change the result."


def _one(conclusions: Conclusions, pair: Comparison) -> list[str]:
    unit = pair.unit or ""
    places = decimals(unit, pair.low, pair.high)
    metric, method, baseline = metric_of(pair), pair.method, pair.baseline
    size = difference_text(pair.difference, unit, places)
    confidence = confidence_text(conclusions)
    interval = f"{confidence} interval {interval_text(pair.low, pair.high, unit, places)}"
    if pair.verdict == "refused":
        return [f"{method} and {baseline} may not be compared on {metric}: {pair.reason or 'see the audit'}."]
    if pair.verdict in ("better", "worse"):
        sides = [value_text(value_of(conclusions, pair, name), unit, places) for name in (method, baseline)]
        words = f"{sides[0]} against {sides[1]} (difference {size}, {interval})"
        rest = verdict_text(pair).removeprefix(pair.verdict)
        return [f"On {metric}, {method} is {pair.verdict} than {baseline}{rest}: {words}."]
    if pair.verdict == "equivalent":
        margin = difference_text(pair.margin, unit, places).removeprefix("+")
        words = f"the difference of {size} ({interval}) lies within the margin of {margin}"
        return [f"On {metric}, {method} is equivalent to {baseline}: {words}."]
    question = f"whether {method} or {baseline} is better"
    if pair.direction == "neither":
        question = f"whether {method} and {baseline} differ"
    sentences = [f"On {metric}, it is undecided {question}: {size} ({interval})."]
    if pair.smallest_detectable is not None:
        seen = difference_text(pair.smallest_detectable, unit, places).removeprefix("+")
        needed = needed_text(pair)
        more = f"; {needed} would decide if the difference stays the same" if needed else ""
        sentences.append(f"This study could detect a difference of {seen} (with 80 % power){more}.")
    elif pair.reason:
        sentences.append(f"{pair.reason}.")
    return sentences


def _by_verdict(pairs: Sequence[Comparison]) -> dict[str, list[Comparison]]:
    """Return verdict with its size -> comparisons, in the order of `ORDER`."""
    groups: dict[str, list[Comparison]] = {}
    for pair in sorted(pairs, key=lambda pair: ORDER.index(pair.verdict)):
        words = "not compared" if pair.verdict == "refused" else verdict_text(pair)
        groups.setdefault(words, []).append(pair)
    return groups


def _on(pairs: Sequence[Comparison]) -> list[str]:
    """One part of a sentence per verdict: ``equivalent on BLEU``."""
    return [
        f"{verdict}{',' * (',' in verdict)} on {joined([metric_of(pair) for pair in of])}"
        for verdict, of in _by_verdict(pairs).items()
    ]


def _several(conclusions: Conclusions, pairs: Sequence[Comparison]) -> str:
    parts = [
        f"{verdict}: {joined([_with_size(pair) for pair in of])}"
        for verdict, of in _by_verdict(pairs).items()
    ]
    first = pairs[0]
    about = f"{metric_of(first)} ({direction_label(first.direction)})"
    lead = f"On {about}, {len(pairs)} methods against {first.baseline}"
    lead += f", with {confidence_text(conclusions)} intervals"
    return f"{lead}: {'; '.join(parts)}."


def _with_size(pair: Comparison) -> str:
    if pair.verdict == "refused":
        return f"{pair.method} ({pair.reason or 'see the audit'})"
    unit = pair.unit or ""
    places = decimals(unit, pair.low, pair.high)
    size = difference_text(pair.difference, unit, places)
    if pair.low is None:
        return f"{pair.method} ({size})"
    return f"{pair.method} ({size}, {interval_text(pair.low, pair.high, unit, places)})"


def _others(pairs: Sequence[Comparison]) -> str:
    methods = dict.fromkeys(pair.method for pair in pairs)
    if len(methods) == 1:
        where = "On the other metrics" if len(pairs) > 1 else "In addition"
        return f"{where}, {pairs[0].method} against {pairs[0].baseline}: {'; '.join(_on(pairs))}."
    parts = "; ".join(f"{len(of)} {verdict}" for verdict, of in _by_verdict(pairs).items())
    return f"{count(len(pairs), 'comparison')} on the other metrics: {parts}."


def _against_base(pairs: Sequence[Comparison]) -> str:
    """Word every method against the untouched base; methods with the same verdicts share a part."""
    groups: dict[str, list[str]] = {}
    for method in dict.fromkeys(pair.method for pair in pairs):
        of_method = [pair for pair in pairs if pair.method == method]
        words = _on(of_method)
        if len(words) == 1 and len(of_method) > 1:
            (verdict,) = _by_verdict(of_method)
            metrics = "both metrics" if len(of_method) == 2 else f"all {len(of_method)} metrics"
            words = [f"{verdict}{',' * (',' in verdict)} on {metrics}"]
        groups.setdefault(", ".join(words), []).append(method)
    parts = [f"{joined(of)} {'is' if len(of) == 1 else 'are'} {words}" for words, of in groups.items()]
    return f"Against the untouched base, {'; '.join(parts)}."
