"""The answer to the project's own question, in a few sentences from the kept studies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import get_args

from experiments.analysis.recommend import choose
from experiments.publishing.board.rows import COSTS, Standing, rows_of, without_value
from experiments.publishing.findings.across import comparisons, trained_on
from experiments.publishing.findings.headline import (
    CONTENT,
    FORGETTING,
    FULL,
    GENERAL,
    HEADLINE,
    both_tuned,
    compared,
    device_of_times,
    ratios,
    recipes,
    share,
)
from experiments.publishing.kept import Kept
from figures.wording.names import count, joined
from figures.wording.pairs import metric_of, verdict_text
from toolkit.records import Comparison, Condition


def opening(studies: Mapping[str, Kept]) -> list[str]:
    """Return the answer in three sentences: quality, cost, and whether anything else is better.

    Without the records that one of them needs, it states what has not been run.
    """
    quality = (use(studies), _quality(studies), _elsewhere(studies), _forgetting(studies))
    return [" ".join(filter(None, quality)), _cost(studies), _others(studies)]


def use(studies: Mapping[str, Kept]) -> str:
    """Return which method to use by the headline; empty without its recommendation."""
    recommendations = studies[HEADLINE].conclusions.recommendations if HEADLINE in studies else ()
    chosen = [(recipes(one.condition), choose(one, "memory").method) for one in recommendations]
    names = {method for _, method in chosen}
    if not chosen or None in names:
        return ""
    if len(names) == 1:
        return f"**Use `{names.pop()}` for these recipes.**"
    return f"**Use {joined([f'`{method}` with {size}' for size, method in chosen])}.**"


def _quality(studies: Mapping[str, Kept]) -> str:
    """What the headline says of LoRA by size, the metrics with one verdict together."""
    if HEADLINE not in studies:
        return f"Whether LoRA is as good as full fine-tuning has not been run yet (`bakeoff run {HEADLINE}`)."
    kept = studies[HEADLINE]
    told = (CONTENT, kept.conclusions.headline[0])
    by_size = {
        condition: [one for one in compared(kept, condition) if one.metric in told]
        for condition in kept.conclusions.conditions
    }
    parts = [f"{_verdicts(pairs)} with {recipes(size)}" for size, pairs in by_size.items() if pairs]
    if not parts:
        return f"The kept records of `{HEADLINE}` do not compare LoRA with full fine-tuning."
    seeds = {one.seeds for pairs in by_size.values() for one in pairs if one.verdict != "refused"}
    some = f"{min(seeds)} to " if len(seeds) > 1 else ""
    with_seeds = f" and with {some}{count(max(seeds), 'seed')}" if seeds else ""
    tuned = all(both_tuned(kept, condition) for condition in by_size)
    how = "each tuned over the same number of learning rates" if tuned else "not both tuned"
    bases = joined([f"`{base}`" for base in dict.fromkeys(size.base_model for size in by_size)])
    against = f"Against full fine-tuning of {bases}, {how}{with_seeds}"
    return f"{against}, LoRA of rank 16 is {'; it is '.join(parts)}."


def _verdicts(pairs: Sequence[Comparison]) -> str:
    by_verdict: dict[str, list[str]] = {}
    for one in pairs:
        words = verdict_text(one)
        if one.verdict == "refused":
            words = f"not compared ({one.reason or 'see its report'})"
        by_verdict.setdefault(words, []).append(metric_of(one))
    return joined([f"{words} on {joined(metrics)}" for words, metrics in by_verdict.items()])


def _elsewhere(studies: Mapping[str, Kept]) -> str:
    """What studies of other sizes, base models or data say of the same two methods; empty without any."""
    if HEADLINE not in studies:
        return ""
    conditions = studies[HEADLINE].conclusions.conditions
    bases = {one.base_model for one in conditions}
    by_verdict: dict[str, dict[Condition, list[Condition]]] = {}
    for one in comparisons(studies):
        if one.condition not in conditions:
            words = "not compared" if one.pair.verdict == "refused" else verdict_text(one.pair)
            alike = one.condition._replace(train_size=None)
            by_verdict.setdefault(words, {}).setdefault(alike, []).append(one.condition)
    parts = []
    for words, groups in by_verdict.items():
        where = [
            trained_on(*sizes) + ("" if alike.base_model in bases else f" ({alike.base_model})")
            for alike, sizes in groups.items()
        ]
        parts.append(f"{words} with {joined(where)}")
    return f"In other studies it is {'; '.join(parts)}." if parts else ""


def _forgetting(studies: Mapping[str, Kept]) -> str:
    """What the study of forgetting says of the same two methods; empty without it."""
    if FORGETTING not in studies:
        return ""
    kept = studies[FORGETTING]
    parts = [
        f"{verdict_text(one)} with {recipes(condition)}"
        for condition in kept.conclusions.conditions
        for one in compared(kept, condition)
        if one.metric == GENERAL and one.verdict != "refused"
    ]
    if not parts:
        return ""
    return f"On text that is no recipe, which tells what was forgotten, it is {joined(parts)}."


def _cost(studies: Mapping[str, Kept]) -> str:
    """What LoRA takes by size; no time if other work had the cores, or nobody knows."""
    if HEADLINE not in studies:
        return "What it saves has not been measured in a kept study."
    kept = studies[HEADLINE]
    parts, timed = [], True
    for condition in kept.conclusions.conditions:
        known = ratios(kept, condition)
        shares = [
            f"{share(known[by].value)} of the {noun}"
            + (f" ({device_of_times(kept, condition)})" if by == "time" else "")
            for by, noun in COSTS
            if by in known
        ]
        if shares:
            parts.append(f"{joined(shares)} with {recipes(condition)}")
            timed = timed and "time" in known
    if not parts:
        return "What it saves was not measured on one machine."
    rest = (
        ""
        if timed
        else " Training time is left out if not every run is known to have had the machine to itself."
    )
    return f"LoRA takes {'; '.join(parts)}.{rest}"


def _others(studies: Mapping[str, Kept]) -> str:
    if "board" not in studies:
        return "Whether another method is better than LoRA has not been run yet (`bakeoff run board`)."
    kept = studies["board"]
    condition = kept.conclusions.conditions[0]
    rows = [row for row in rows_of(kept, condition) if row.method != FULL]  # told above, with more seeds
    of = {name: [f"`{r.method}`" for r in rows if r.standing == name] for name in get_args(Standing)}
    lost = without_value(kept, condition)
    rest = [
        f"{len(of[name])} {words}"
        for name, words in (("worse", "worse"), ("undecided", "undecided"), ("refused", "not compared"))
        if of[name]
    ]
    if lost:
        rest.append(f"{len(lost)} without a value")
    left = kept.missing
    have = "has" if len(left) == 1 else "have"
    part = f" {count(len(left), 'more method')} {have} not been run yet." if left else ""
    seeds = count(max((row.estimate.seeds for row in rows), default=0), "seed")
    return (
        f"On the [board](board.md), of {count(len(rows) - 1 + len(lost), 'other method')} compared with LoRA "
        f"at {recipes(condition)} and {seeds}, besides full fine-tuning, {joined(of['better']) or 'none'} "
        f"may be called better. As good, within the margin: {joined(of['equivalent']) or 'none'}"
        f"{'; ' if rest else ''}"
        f"{', '.join(rest)}.{part}"
    )
