"""What kept studies say about published findings, decodings and learning rates, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from experiments.design.findings import PublishedFinding
from figures.wording.names import (
    count,
    difference_text,
    metric_label,
)
from toolkit.records import Claim, Conclusions, Condition, DecodingEffect

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
    """Return how far decodings and methods lie apart on each headline metric, from the first prompt's texts.

    Empty if the study has one decoding, or one method.
    """
    first = next((one.prompt_mode for one in concluded.decoding), None)
    sentences = []
    for one in concluded.decoding:
        if one.metric not in concluded.headline or one.prompt_mode != first:
            continue
        if one.over_decodings is None or one.over_methods is None:
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
        (one.share_noise, "noise"),
    )
    return "of all differences " + ", ".join(
        f"{value:.0%} {noun}".replace("%", " %") for value, noun in shares if value is not None
    )
