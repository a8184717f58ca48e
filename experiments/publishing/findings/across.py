"""LoRA against full fine-tuning across training sizes, base models and data sets: one row per condition."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from experiments.publishing.findings.headline import (
    FULL,
    HEADLINE,
    LORA,
    apart,
    both_tuned,
    compared,
    ratios,
    share,
)
from experiments.publishing.kept import Kept
from figures.tables.table import Table
from figures.wording.names import MISSING, decimals, joined, value_text
from figures.wording.pairs import confidence_text, metric_of, verdict_text
from toolkit.records import Comparison, Condition, CostKind

SHARES: tuple[CostKind, ...] = ("memory", "time")
"""The costs that are shown, as shares of those of full fine-tuning."""
HEADER = (
    "base model",
    "trained on",
    "metric",
    LORA,
    FULL,
    "difference",
    f"{LORA} is",
    *SHARES,
    "repeat with",
)
USUAL = "95 %"
NOTE = (
    "Each row shows bits per byte of the content, which leaves out section markers such as `RECIPE:`, or "
    "else the study's first headline metric; lower is better. Both methods were tuned over the same number "
    "of learning rates. *Difference*: LoRA minus full fine-tuning, with its 95 % interval over seeds and "
    "documents. *Memory* and *time*: LoRA's share of what full fine-tuning takes; – if the runs did not have "
    "one kind of machine to themselves. The command repeats the row."
)


class Compared(NamedTuple):
    """The two methods under one condition of a kept study, on the first metric that is shown."""

    kept: Kept
    condition: Condition
    pair: Comparison


def comparisons(studies: Mapping[str, Kept]) -> list[Compared]:
    """Return one entry per condition: by data set, base model and size, those of the headline first.

    A condition in several studies is taken from the headline, or else from the study with the most tuning
    seeds, of these from the first by name.
    """
    found: dict[Condition, Compared] = {}
    for name in sorted(studies, key=lambda name: (name != HEADLINE, -_tuning_seeds(studies[name]), name)):
        kept = studies[name]
        for condition in kept.conclusions.conditions:
            pairs = compared(kept, condition)
            if pairs and condition not in found:
                found[condition] = Compared(kept, condition, pairs[0])
    datasets, bases = (list(dict.fromkeys(one[at] for one in found)) for at in (1, 0))
    return sorted(
        found.values(),
        key=lambda one: (
            datasets.index(one.condition.dataset),
            bases.index(one.condition.base_model),
            one.condition.train_size or 0,
            one.condition.epochs or 0,
        ),
    )


def table(studies: Mapping[str, Kept]) -> Table | None:
    """Return the table; None if no kept study compares the two."""
    rows = [_row(one) for one in comparisons(studies)]
    return Table("across", "LoRA and full fine-tuning", HEADER, rows) if rows else None


def trained_on(condition: Condition, *others: Condition) -> str:
    """Return a condition's training data in words, with that of others that differ in their size only."""
    epochs = f", {condition.epochs:g} epochs" if condition.epochs not in (None, 1) else ""
    sizes = joined([f"{one.train_size or 0:,}" for one in (condition, *others)])
    return f"{sizes} {condition.dataset} documents{epochs}"


def _tuning_seeds(kept: Kept) -> int:
    return len({cell.seed for cell in kept.conclusions.cells if cell.phase == "tune"})


def _row(one: Compared) -> tuple[str, ...]:
    condition, pair = one.condition, one.pair
    values = {
        estimate.method: estimate.value
        for estimate in one.kept.conclusions.estimates
        if (estimate.condition, estimate.metric) == (condition, pair.metric)
    }
    unit, places = pair.unit or "", decimals(pair.unit or "", pair.low, pair.high)
    sides = [value_text(values.get(method), unit, places) for method in (LORA, FULL)]
    size, ends, _ = apart(pair)
    confidence = confidence_text(one.kept.conclusions)
    wider = "" if confidence == USUAL else f", {confidence} interval"
    untuned = "" if both_tuned(one.kept, condition) else " (not both tuned)"
    costs = ratios(one.kept, condition)
    shares = [share(costs[by].value) if by in costs else MISSING for by in SHARES]
    return (
        condition.base_model,
        trained_on(condition),
        metric_of(pair),
        *sides,
        f"{size} ({ends}{wider})" if pair.verdict != "refused" else MISSING,
        verdict_text(pair) + untuned,
        *shares,
        one.kept.command,
    )
