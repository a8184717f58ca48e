"""What kept studies say about published findings, and the answer to the project's own question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, get_args

from experiments.design.findings import PublishedFinding
from experiments.publishing.board import COSTS, Standing, missing, ratios_of, rows_of, without_value
from experiments.publishing.kept import Kept
from figures.wording.names import (
    amount,
    count,
    decimals,
    difference_text,
    interval_text,
    joined,
    metric_label,
)
from figures.wording.pairs import metric_of, verdict_text
from toolkit.records import Claim, Comparison, Conclusions, Condition, DecodingEffect

HEADLINE = "full-vs-lora-embedded"
FULL, LORA = "full", "lora-r16"
CONTENT = "content_bits_per_byte"
"""Told beside the first metric by a study that judges it."""
LATER = "; the content was first counted apart after results on these documents had been seen"
Status = Literal["reproduced", "contradicted", "undecided", "it depends", "not run yet"]


class Judged(NamedTuple):
    """A published finding under one condition of a study."""

    study: str
    claim: Claim


def judged(published: PublishedFinding, studies: Mapping[str, Conclusions]) -> list[Judged]:
    """Return what each study says of a finding; a study that lacks all of its methods says nothing."""
    return [
        Judged(name, claim)
        for name, concluded in studies.items()
        for claim in concluded.claims
        if claim.name == published.name and _has_evidence(claim)
    ]


def _has_evidence(claim: Claim) -> bool:
    """Whether the study ran what the finding is about, whatever came of it."""
    known = [one.verdict is not None or one.reason is not None for one in claim.comparisons]
    return any([*known, *(one.value is not None or bool(one.without) for one in claim.ratios)])


def status(entries: Sequence[Judged]) -> Status:
    """Return what all of them say together: what is decided, if it is decided in one way only."""
    verdicts = {entry.claim.verdict for entry in entries}
    decided = verdicts - {"undecided"}
    if not verdicts:
        return "not run yet"
    if len(decided) == 2:
        return "it depends"
    return next(iter(decided), "undecided")


def status_words(entries: Sequence[Judged]) -> str:
    """Return the same, and in how many studies or conditions, if others could not tell: they may share runs.

    Of an undecided finding of several parts, how many of them agree; of one that expects a difference,
    whether there is none instead.
    """
    together = status(entries)
    if together == "undecided" and len(entries) == 1:
        claim = entries[0].claim
        if any(one.verdict == "equivalent" for one in claim.comparisons if one.support == "undecided"):
            return "undecided (equivalent here, which a larger study may not be)"
        supports = [*(one.support for one in claim.comparisons), *(one.support for one in claim.ratios)]
        agree = supports.count("supports")
        return f"undecided ({agree} of {len(supports)} parts agree)" if agree else together
    decided = sum(entry.claim.verdict == together for entry in entries)
    if together not in ("reproduced", "contradicted") or decided == len(entries):
        return together
    one_each = len({entry.study for entry in entries}) == len(entries)
    return f"{together} in {decided} of {len(entries)} {'studies' if one_each else 'conditions'}"


def left_out(published: PublishedFinding, claim: Claim) -> list[str]:
    """Return the methods of a finding about several that a study does not have, and judges it without."""
    there = {(one.method, one.against) for one in claim.comparisons}
    missing_pairs = [pair for pair in published.pairs if (pair.method, pair.against) not in there]
    return list(dict.fromkeys(pair.method for pair in missing_pairs))


def decoding_words(concluded: Conclusions) -> list[str]:
    """Return how far decodings and methods lie apart on each metric, from the first prompt's texts.

    Empty if the study has one decoding, or one method.
    """
    first = next((one.prompt_mode for one in concluded.decoding), None)
    sentences = []
    for one in concluded.decoding:
        if one.prompt_mode != first or one.over_decodings is None or one.over_methods is None:
            continue
        apart = [
            difference_text(value, one.unit, 1 if one.unit == "share" else 2).removeprefix("+")
            for value in (one.over_decodings, one.over_methods)
        ]
        label = metric_label(one.metric, one.label)
        sentences.append(
            f"{label}: the {len(one.decodings)} decodings lie {apart[0]} apart within a method, the "
            f"{len(one.methods)} methods {apart[1]} within a decoding"
            + ("" if one.share_decodings is None else f" ({_shares(one)})")
        )
    return sentences


def rates_words(concluded: Conclusions, condition: Condition) -> list[str]:
    """Return how far apart the best learning rates are, of a study that searched with several seeds."""
    sentences = []
    for one in concluded.optima:
        every = one.seeds + one.outside
        if one.condition != condition or one.ratio is None or one.ratio_seeds is None or every < 2:
            continue
        ends = f", 95 % interval {one.ratio_low:.2g} to {one.ratio_high:.2g}" if one.ratio_low else ""
        if one.ratio_seeds < every:
            left = every - one.ratio_seeds
            have = "has" if left == 1 else "have"
            ends = f", no interval: {count(left, 'seed')} {have} no optimum between the rates tried"
        theirs = next(
            o for o in concluded.optima if (o.condition, o.method) == (condition, concluded.baseline)
        )
        sentences.append(
            f"The best learning rate of {one.method} is {one.ratio:.2g} times that of {concluded.baseline} "
            f"({one.learning_rate:.2g} against {theirs.learning_rate:.2g}{ends}; {one.ratio_seeds} of "
            f"{count(every, 'tuning seed')}, on the same validation documents)."
        )
    return sentences


def _shares(one: DecodingEffect) -> str:
    shares = (
        (one.share_decodings, "decoding"),
        (one.share_methods, "method"),
        (one.share_both, "both together"),
        (one.share_noise, "chance"),
    )
    return "of all differences " + ", ".join(
        f"{value:.0%} {noun}".replace("%", " %") for value, noun in shares if value is not None
    )


def opening(studies: Mapping[str, Kept]) -> list[str]:
    """Return the answer in three sentences: quality, cost, and whether anything else is better.

    Without the records that one of them needs, it states what has not been run.
    """
    return [_quality(studies), _cost(studies), _others(studies)]


def _quality(studies: Mapping[str, Kept]) -> str:
    if HEADLINE not in studies:
        return f"Whether LoRA is as good as full fine-tuning has not been run yet (`bakeoff run {HEADLINE}`)."
    concluded = studies[HEADLINE].conclusions
    wanted = dict.fromkeys((concluded.headline[0], CONTENT))
    pairs = [
        one
        for condition in concluded.conditions
        for metric in wanted
        for one in concluded.comparisons
        if (one.condition, one.method, one.baseline, one.metric) == (condition, LORA, FULL, metric)
    ]
    if not pairs:
        return f"The kept records of `{HEADLINE}` do not compare LoRA with full fine-tuning."
    compared = [one for one in pairs if one.verdict != "refused"] or pairs
    fewest, most = (of(one.seeds for one in compared) for of in (min, max))
    seeds = count(most, "seed") if fewest == most else f"{fewest} to {count(most, 'seed')}"
    per_method = f", {seeds} per method" if most else ""
    tuned = all(
        cell.tuned for cell in concluded.cells if cell.phase == "confirm" and cell.method in (FULL, LORA)
    )
    how = "tuned alike" if tuned else "not both tuned"
    pairs.sort(key=lambda one: one.verdict in ("undecided", "refused"))  # what is decided first
    parts = [_in_words(one, count(one.condition.train_size or 0, "recipe")) for one in pairs]
    later = LATER if any(one.metric == CONTENT for one in pairs) else ""
    return f"LoRA of rank 16 against full fine-tuning, {how}{per_method}: {joined(parts)}{later}."


def _in_words(one: Comparison, recipes: str) -> str:
    if one.verdict == "refused":
        return f"not compared on {metric_of(one)} with {recipes} ({one.reason or 'see its report'})"
    unit = one.unit or ""
    places = decimals(unit, one.low, one.high)
    size = difference_text(one.difference, unit, places)
    margin = f", margin {difference_text(one.margin, unit, places).removeprefix('+')}" if one.margin else ""
    return (
        f"{verdict_text(one)} on {metric_of(one)} with {recipes} "
        f"({size}, 95 % interval {interval_text(one.low, one.high, unit, places)}{margin})"
    )


def _cost(studies: Mapping[str, Kept]) -> str:
    """What LoRA takes, with intervals over seeds; no time if other work had the cores, or nobody knows."""
    if HEADLINE not in studies:
        return "What it saves has not been measured in a kept study."
    kept = studies[HEADLINE]
    recommendations = kept.conclusions.recommendations
    largest = max(recommendations, key=lambda one: one.train_size or 0, default=None)
    if largest is None:
        return "What it saves was not measured on one machine."
    of_method = {one.method: one for one in largest.candidates}
    cells = [c for c in kept.conclusions.cells if c.condition == largest.condition and c.phase == "confirm"]
    parts = []
    for by, noun in COSTS:
        ratio = ratios_of(kept, cells, LORA, FULL).get(by)
        if ratio is None or ratio.value is None or not {LORA, FULL} <= of_method.keys():
            continue
        kind = "seconds" if by == "time" else "bytes"
        sides = " against ".join(amount(of_method[name].cost(by), kind) for name in (LORA, FULL))
        ends = ratio.low, ratio.high
        wide = None not in ends and f"{ends[0]:.2g}" != f"{ends[1]:.2g}"
        interval = f", {ends[0]:.2g} to {ends[1]:.2g}" if wide else ""
        parts.append(f"{ratio.value:.2g} of the {noun} ({sides}{interval})")
    if not parts:
        return "What it saves was not measured on one machine."
    sizes = len({one.train_size for one in recommendations})
    where = f" with {count(largest.train_size or 0, 'recipe')}" if sizes > 1 else ""
    timed = any("training time" in part for part in parts)
    rest = "" if timed else "; its time is left out: not every run is known to have had the machine to itself"
    return f"LoRA takes {joined(parts)}{where}{rest}."


def _others(studies: Mapping[str, Kept]) -> str:
    if "board" not in studies:
        return "Whether another method is better than LoRA has not been run yet (`bakeoff run board`)."
    kept = studies["board"]
    rows = rows_of(kept, kept.conclusions.conditions[0])
    of = {name: [f"`{r.method}`" for r in rows if r.standing == name] for name in get_args(Standing)}
    lost = without_value(kept, kept.conclusions.conditions[0])
    rest = [
        f"{len(of[name])} {words}"
        for name, words in (("worse", "worse"), ("undecided", "undecided"), ("refused", "not compared"))
        if of[name]
    ]
    if lost:
        rest.append(f"{len(lost)} without a value")
    part = f"; {count(len(left), 'more method')} not run yet" if (left := missing(kept)) else ""
    return (
        f"Of {count(len(rows) - 1 + len(lost), 'other method')}, {joined(of['better']) or 'none'} may be "
        f"called better than LoRA; as good within the margin: {joined(of['equivalent']) or 'none'}"
        f"{'; ' if rest else ''}{', '.join(rest)}{part} ([board](board.md))."
    )
