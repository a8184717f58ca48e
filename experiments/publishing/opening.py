"""The answer to the project's own question, in a few sentences from the kept studies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from experiments.analysis.recommend import choose
from experiments.publishing.board.rows import COSTS, Standing, ratios_of, rows_of, without_value
from experiments.publishing.kept import Kept
from figures.wording.names import amount, count, decimals, difference_text, interval_text, joined
from figures.wording.pairs import confidence_text, metric_of, verdict_text
from toolkit.records import Comparison

HEADLINE = "full-vs-lora-embedded"
SIZES = "data-size"
FULL, LORA = "full", "lora-r16"
CONTENT = "content_bits_per_byte"
"""Told beside the first metric by a study that judges it."""
LATER = "; the content was first counted apart after results on these documents had been seen"


def opening(studies: Mapping[str, Kept]) -> list[str]:
    """Return the answer in three sentences: quality, cost, and whether anything else is better.

    Without the records that one of them needs, it states what has not been run.
    """
    return [_quality(studies), _cost(studies), _others(studies)]


def which(studies: Mapping[str, Kept]) -> str:
    """Return which method to use by the headline, and which by every other study with another answer.

    Empty without a recommendation of the headline.
    """
    chosen: dict[str, dict[int, str]] = {}
    for name, one in studies.items():
        for recommendation in one.conclusions.recommendations:
            method = choose(recommendation, "memory").method
            seeds = {e.seeds for e in one.conclusions.estimates if e.method == method}
            if method and seeds != {1}:
                chosen.setdefault(name, {})[recommendation.train_size or 0] = f"`{method}`"
    here = chosen.pop(HEADLINE, {})
    if not here:
        return ""
    usual = next(iter(here.values())) if len(set(here.values())) == 1 else None
    use = f"{usual} for these recipes"
    if usual is None:
        use = joined([f"{method} with {count(size, 'recipe')}" for size, method in here.items()])
    others = {}
    for name, by_size in chosen.items():
        differ = dict.fromkeys(one for size, one in by_size.items() if one != here.get(size, usual))
        if differ:
            others[name] = joined([*differ])
    text = f"**Use {use}**, by `{HEADLINE}`, which compares it with most seeds."
    text = " ".join(filter(None, (text, _by_size(studies))))
    if not others:
        return text
    names = joined([f"{methods} by `{name}`" for name, methods in others.items()])
    return (
        f"{text} Other studies name another method: {names}. Each names the best mean among its own methods, "
        "by its own metrics, or what is cheaper and within the margin of it; the verdicts below decide "
        "whether one is known to be better."
    )


def _by_size(studies: Mapping[str, Kept]) -> str:
    """What becomes of it with amounts of training data that the headline lacks; empty if it has them all."""
    if SIZES not in studies:
        return ""
    concluded = studies[SIZES].conclusions
    wanted = (LORA, FULL, concluded.headline[0])
    told = {one.train_size for one in studies[HEADLINE].conclusions.recommendations}
    pairs = [
        one
        for one in concluded.comparisons
        if (one.method, one.baseline, one.metric) == wanted and one.condition.train_size not in told
    ]
    if not pairs:
        return ""
    confidence, seeds = confidence_text(concluded), count(max(one.seeds for one in pairs), "seed")
    parts = [_in_words(one, count(one.condition.train_size or 0, "recipe"), confidence) for one in pairs]
    return f"By the amount of training data (`{SIZES}`, {seeds} per method), it is {joined(parts)}."


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
    confidence = confidence_text(concluded)
    parts = [_in_words(one, count(one.condition.train_size or 0, "recipe"), confidence) for one in pairs]
    later = LATER if any(one.metric == CONTENT for one in pairs) else ""
    return f"LoRA of rank 16 against full fine-tuning, {how}{per_method}: {joined(parts)}{later}."


def _in_words(one: Comparison, recipes: str, confidence: str) -> str:
    if one.verdict == "refused":
        return f"not compared on {metric_of(one)} with {recipes} ({one.reason or 'see its report'})"
    unit = one.unit or ""
    places = decimals(unit, one.low, one.high)
    size = difference_text(one.difference, unit, places)
    margin = f", margin {difference_text(one.margin, unit, places).removeprefix('+')}" if one.margin else ""
    return (
        f"{verdict_text(one)} on {metric_of(one)} with {recipes} "
        f"({size}, {confidence} interval {interval_text(one.low, one.high, unit, places)}{margin})"
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
        wide = None not in ends and _share(ends[0]) != _share(ends[1])
        interval = f", {_share(ends[0])} to {_share(ends[1])}" if wide else ""
        parts.append(f"{_share(ratio.value)} of the {noun} ({sides}{interval})")
    if not parts:
        return "What it saves was not measured on one machine."
    sizes = len({one.train_size for one in recommendations})
    where = f" with {count(largest.train_size or 0, 'recipe')}" if sizes > 1 else ""
    timed = any("training time" in part for part in parts)
    rest = "" if timed else "; its time is left out: not every run is known to have had the machine to itself"
    return f"LoRA takes {joined(parts)}{where}{rest}."


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}" if value >= 0.1 else f"{value:.2g}"


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
    part = f"; {count(len(left), 'more method')} not run yet" if (left := kept.missing) else ""
    return (
        f"Of {count(len(rows) - 1 + len(lost), 'other method')}, {joined(of['better']) or 'none'} may be "
        f"called better than LoRA; as good within the margin: {joined(of['equivalent']) or 'none'}"
        f"{'; ' if rest else ''}{', '.join(rest)}{part} ([board](board.md))."
    )
