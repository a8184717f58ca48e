"""What a table or sentence says of two methods: their values, and whether they were tuned."""

from __future__ import annotations

import math

from figures.wording.names import method_label, metric_label
from toolkit.records import Comparison, Conclusions, Condition


def shown_name(conclusions: Conclusions, method: str) -> str:
    """Return the label that the study chose for a method, or its name."""
    look = conclusions.looks.get(method)
    return (look and look.label) or method


def metric_of(pair: Comparison) -> str:
    """Return the label of the metric that two methods are compared on."""
    return metric_label(pair.metric, pair.label)


def verdict_text(pair: Comparison) -> str:
    """Return the verdict with its size, such as ``better, but by less than the margin``."""
    return sized(pair.verdict, within=pair.within_margin, beyond=pair.beyond_margin)


def sized(verdict: str, *, within: bool, beyond: bool) -> str:
    """Return a verdict with its size, by where the interval lies relative to the margin."""
    if verdict in ("better", "worse"):
        if within:
            return f"{verdict}, but by less than the margin"
        if beyond:
            return f"{verdict} by more than the margin"
    return verdict


def value_of(conclusions: Conclusions, pair: Comparison, method: str) -> float | None:
    """A method's estimate on the metric of a comparison; None if there is none."""
    here = (pair.condition, method, pair.metric)
    values = (e.value for e in conclusions.estimates if (e.condition, e.method, e.metric) == here)
    return next(values, None)


def untuned(conclusions: Conclusions, condition: Condition, method: str) -> bool:
    """Whether any evaluated run of a method had a learning rate that was not searched for."""
    return any(
        not cell.tuned
        for cell in conclusions.cells
        if (cell.condition, cell.method) == (condition, method) and cell.phase == "confirm"
    )


def untuned_methods(conclusions: Conclusions, condition: Condition) -> list[str]:
    """Return the evaluated methods that are untuned under a condition, in the study's order."""
    cells = [cell for cell in conclusions.cells if cell.condition == condition and cell.phase == "confirm"]
    names = dict.fromkeys(cell.method for cell in cells)
    return [name for name in names if untuned(conclusions, condition, name)]


def confidence_text(conclusions: Conclusions) -> str:
    """Return the confidence of the intervals of differences: 95 %, or that of a growing study's last look."""
    if conclusions.sequential is None:
        return "95 %"
    level = 100 * conclusions.sequential.now.level
    if level >= 0.5:
        return f"{100 - level:.3g} %"
    places = 1 - math.floor(math.log10(level))  # two digits of what is missing to 100 %
    return f"{100 - level:.{places}f}".rstrip("0") + " %"


def metric_labels(conclusions: Conclusions) -> dict[str, str]:
    """Return metric -> label, of the metrics whose records carry one."""
    return {one.metric: one.label for one in conclusions.estimates if one.label}


def versus(conclusions: Conclusions, pair: Comparison) -> str:
    """``lora-r16 vs full`` by the labels that the study chose, with *untuned* beside whichever is."""
    raw = [untuned(conclusions, pair.condition, name) for name in (pair.method, pair.baseline)]
    names = [shown_name(conclusions, name) for name in (pair.method, pair.baseline)]
    if all(raw):
        return f"{names[0]} vs {names[1]} (both untuned)"
    return " vs ".join(method_label(name, tuned=not flag) for name, flag in zip(names, raw, strict=True))
