"""What kept studies say about published findings, and the answer to the project's own question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from experiments.design.findings import PublishedFinding
from experiments.publishing.board import rows_of
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
from toolkit.records import Claim, Comparison, Conclusions, DecodingEffect

HEADLINE = "full-vs-lora-embedded"
FULL, LORA = "full", "lora-r16"
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
    known = [one.verdict is not None for one in claim.comparisons]
    return any([*known, *(one.value is not None for one in claim.ratios)])


def status(entries: Sequence[Judged]) -> Status:
    """Return what all of them say together: what is decided, if it is decided in one way only."""
    verdicts = {entry.claim.verdict for entry in entries}
    decided = verdicts - {"undecided"}
    if not verdicts:
        return "not run yet"
    if len(decided) == 2:
        return "it depends"
    return next(iter(decided), "undecided")


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


def _shares(one: DecodingEffect) -> str:
    shares = ((one.share_decodings, "decoding"), (one.share_methods, "method"), (one.share_noise, "chance"))
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
    parts = []
    for condition in concluded.conditions:
        one = next(
            (
                one
                for one in concluded.comparisons
                if one.condition == condition and (one.method, one.baseline) == (LORA, FULL)
            ),
            None,
        )
        if one is not None:
            parts.append(_in_words(one, count(condition.train_size or 0, "recipe")))
    seeds = max((one.seeds for one in concluded.comparisons), default=0)
    return (
        f"Tuned alike, with {count(seeds, 'seed')} per method, LoRA of rank 16 is, against full fine-tuning, "
        f"{joined(parts)}."
    )


def _in_words(one: Comparison, recipes: str) -> str:
    unit = one.unit or ""
    places = decimals(unit, one.low, one.high)
    size = difference_text(one.difference, unit, places)
    return (
        f"{verdict_text(one)} on {metric_of(one)} with {recipes} "
        f"({size}, 95 % interval {interval_text(one.low, one.high, unit, places)})"
    )


def _cost(studies: Mapping[str, Kept]) -> str:
    if HEADLINE not in studies:
        return "What it saves has not been measured in a kept study."
    recommendations = studies[HEADLINE].conclusions.recommendations
    largest = max(recommendations, key=lambda one: one.train_size or 0, default=None)
    found = {one.method: one for one in largest.candidates} if largest else {}
    ours, theirs = found.get(LORA), found.get(FULL)
    parts = []
    if ours and theirs:
        for noun, kind, mine, other in (
            ("peak memory", "bytes", ours.memory_bytes, theirs.memory_bytes),
            ("training time", "seconds", ours.train_seconds, theirs.train_seconds),
            ("saved size", "bytes", ours.saved_bytes, theirs.saved_bytes),
        ):
            if mine and other:
                parts.append(
                    f"{mine / other:.2g} of the {noun} ({amount(mine, kind)} against {amount(other, kind)})"
                )
    return f"LoRA takes {joined(parts)}." if parts else "What it saves was not measured on one machine."


def _others(studies: Mapping[str, Kept]) -> str:
    if "board" not in studies:
        return "Whether another method is better than LoRA has not been run yet (`bakeoff run board`)."
    kept = studies["board"]
    rows = rows_of(kept, kept.conclusions.conditions[0])
    by = {name: [f"`{r.method}`" for r in rows if r.standing == name] for name in ("better", "equivalent")}
    others = count(len(rows) - 1, "other method")
    first = f"Of {others}, {joined(by['better']) or 'none'} may be called better than LoRA"
    return f"{first}; as good within the margin: {joined(by['equivalent']) or 'none'} ([board](board.md))."
