"""The table that the findings open with: LoRA against full fine-tuning, a column per size of the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from eval.audit import comparable
from eval.statistics.optimum import Located
from experiments.analysis.recommend import choose
from experiments.publishing.board.rows import COSTS, ratios_of
from experiments.publishing.kept import Kept
from figures.tables.table import Table
from figures.wording.names import (
    MISSING,
    amount,
    count,
    decimals,
    difference_text,
    direction_label,
    interval_text,
    joined,
)
from figures.wording.pairs import metric_of, verdict_text
from toolkit.records import Candidate, Cell, Comparison, Condition, CostKind

HEADLINE = "full-vs-lora-embedded"
FULL, LORA = "full", "lora-r16"
CONTENT = "content_bits_per_byte"
"""Shown first if the study judges it."""
FORGETTING = "forgetting"
GENERAL = "general_bits_per_byte"


def table(kept: Kept) -> Table | None:
    """Return the table; None if the two methods are compared nowhere."""
    conditions = [one for one in kept.conclusions.conditions if compared(kept, one)]
    if not conditions:
        return None
    columns = [_column(kept, condition) for condition in conditions]
    names = dict.fromkeys(name for column in columns for name in column)
    rows = [(name, *(column.get(name, MISSING) for column in columns)) for name in names]
    heads = ("", *(recipes(condition) for condition in conditions))
    return Table(name="headline", title="Headline", header=heads, rows=rows)


def recipes(condition: Condition) -> str:
    """Return the size of a condition in words."""
    return count(condition.train_size or 0, "recipe")


def compared(kept: Kept, condition: Condition) -> list[Comparison]:
    """Return LoRA against full fine-tuning on every metric of a condition: the content, then the headline."""
    headline = dict.fromkeys((CONTENT, *kept.conclusions.headline))
    pairs = {
        one.metric: one
        for one in kept.conclusions.comparisons
        if (one.condition, one.method, one.baseline) == (condition, LORA, FULL)
    }
    return [pairs[metric] for metric in headline if metric in pairs]


def ratios(kept: Kept, condition: Condition) -> Mapping[CostKind, Located]:
    """Return what LoRA takes over what full fine-tuning takes, where that is known."""
    found = ratios_of(kept, _confirmed(kept, condition), LORA, FULL)
    return {by: ratio for by, ratio in found.items() if ratio.value is not None}


def both_tuned(kept: Kept, condition: Condition) -> bool:
    """Return whether both methods chose their learning rates in a search as wide."""
    return all(cell.tuned for cell in _confirmed(kept, condition) if cell.method in (LORA, FULL))


def device_of_times(kept: Kept, condition: Condition) -> str:
    """Return where the times of a condition were taken."""
    timed = comparable(_confirmed(kept, condition), kept.runs, FULL)
    return joined(sorted({str(run.environment.get("device")) for run in timed.values()}))


def apart(one: Comparison) -> tuple[str, str, str]:
    """Return a difference, its interval, and `, margin ...` or nothing, each with its unit."""
    unit = one.unit or ""
    places = decimals(unit, one.low, one.high)
    margin = f", margin {difference_text(one.margin, unit, places).removeprefix('+')}" if one.margin else ""
    size = difference_text(one.difference, unit, places)
    return size, interval_text(one.low, one.high, unit, places), margin


def share(value: float | None) -> str:
    """Return a ratio with two digits, or more of a small one."""
    return MISSING if value is None else f"{value:.2f}" if value >= 0.1 else f"{value:.2g}"


def _confirmed(kept: Kept, condition: Condition) -> list[Cell]:
    return [c for c in kept.conclusions.cells if c.condition == condition and c.phase == "confirm"]


def _column(kept: Kept, condition: Condition) -> dict[str, str]:
    chosen = [one for one in kept.conclusions.recommendations if one.condition == condition]
    pairs = compared(kept, condition)
    column = {"recommended": ", ".join(choose(one, "memory").method or MISSING for one in chosen) or MISSING}
    for pair in pairs:
        label = f"{metric_of(pair)} ({direction_label(pair.direction)}): {LORA} − {FULL}"
        column[label] = _difference(pair)
    for one in chosen:
        column |= _costs(kept, condition, {candidate.method: candidate for candidate in one.candidates})
    rates = [_rates(_confirmed(kept, condition), method) for method in (LORA, FULL)]
    column[f"tuned learning rate: {LORA}, {FULL}"] = ", ".join(rates)
    seeds, documents = (max(of) for of in zip(*((one.seeds, one.documents) for one in pairs), strict=True))
    column["seeds per method, test documents"] = f"{seeds}, {documents}"
    return column


def _difference(one: Comparison) -> str:
    if one.verdict == "refused":
        return f"not compared: {one.reason or 'see its report'}"
    size, ends, margin = apart(one)
    return f"{size} ({ends}{margin}): {verdict_text(one)}"


def _costs(kept: Kept, condition: Condition, of: Mapping[str, Candidate]) -> dict[str, str]:
    if not {LORA, FULL} <= of.keys():
        return {}
    found = {}
    known = ratios(kept, condition)
    for by, noun in COSTS:
        if by not in known:
            continue
        ratio, kind = known[by], "seconds" if by == "time" else "bytes"
        sides = " / ".join(amount(of[name].cost(by), kind) for name in (LORA, FULL))
        ends = share(ratio.low), share(ratio.high)
        interval = f" ({' to '.join(ends)})" if ends[0] != ends[1] else ""
        where = f", on {device_of_times(kept, condition)}" if by == "time" else ""
        found[f"{noun}: {LORA} / {FULL}"] = f"{sides} = {share(ratio.value)}{interval}{where}"
    return found


def _rates(cells: Sequence[Cell], method: str) -> str:
    known = {cell.learning_rate for cell in cells if cell.method == method and cell.tuned}
    return " and ".join(f"{rate:.2g}" for rate in sorted(rate for rate in known if rate)) or "none"
