"""How names and numbers are worded, the same in every table, figure and sentence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from figures.wording.escaping import one_line
from toolkit.records import ANCHOR_LABELS, Comparison, Condition

MISSING = "–"
MINUS = "−"


def metric_label(name: str, label: str | None) -> str:
    """Return a metric's label as its record carries it; the name in words for records older than labels."""
    return one_line(label) if label else name.replace("_", " ")


def capital(text: str) -> str:
    """The text with its first letter in upper case, unless its first word has capitals (`chrF`)."""
    first = text.split(" ", 1)[0]
    return text[:1].upper() + text[1:] if first == first.lower() else text


def anchor_label(name: str) -> str:
    """What an anchor is called next to its mark."""
    return ANCHOR_LABELS.get(name, name.replace("_", " "))


def condition_label(condition: Condition, among: Sequence[Condition]) -> str:
    """``distilgpt2 on recipe_nlg, 200 training documents``: size and epochs only where they vary."""
    sizes, epochs = ({c[place] for c in among} for place in (2, 3))
    words = f"{condition.base_model} on {condition.dataset}"
    if len(sizes) > 1 and condition.train_size is not None:
        words += f", {count(condition.train_size, 'training document')}"
    if len(epochs) > 1 and condition.epochs is not None:
        words += f", {condition.epochs:g} epoch{'' if condition.epochs == 1 else 's'}"
    return words


def method_label(method: str, *, tuned: bool) -> str:
    """A method's name; *untuned* stands beside it wherever its learning rate was not searched for."""
    return method if tuned else f"{method} (untuned)"


def direction_label(direction: str) -> str:
    """Which way is better, in words."""
    return {"lower": "lower is better", "higher": "higher is better"}.get(direction, "neither way is better")


def scope_text(speaks_about: str, seeds: int, documents: int) -> str:
    """Word what an estimate's interval is about: ``the method (3 seeds × 40 documents)``.

    0 documents: one number a seed, as a trainer's log has.
    """
    if seeds == 1:
        return "this checkpoint (documents only, one seed)"
    subject = "these checkpoints" if speaks_about == "checkpoints" else "the method"
    over = f" × {count(documents, 'document')}" if documents else ""
    return f"{subject} ({count(seeds, 'seed')}{over})"


def needed_text(pair: Comparison) -> str:
    """Word what decides a comparison: ``about 6 seeds (4 to 11)``; empty if nothing is known to."""
    ways = []
    for number, span, noun in (
        (pair.needed_seeds, pair.needed_seeds_range, "seed"),
        (pair.needed_documents, pair.needed_documents_range, "document"),
    ):
        if number is not None:
            ends = "" if span is None or span[0] == span[1] else f" ({_span(*span)})"
            ways.append(f"{count(number, noun)}{ends}")
    return f"about {' or '.join(ways)}" if ways else ""


def _span(low: int, high: int | None) -> str:
    return f"{low:,} or more" if high is None else f"{low:,} to {high:,}"


def count(number: int, noun: str) -> str:
    """``3 seeds``, ``1 seed``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def joined(items: list[str]) -> str:
    """``a, b and c``."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}" if items else ""


def present(value: Any) -> bool:
    """Whether a cell of a frame or a field of a record holds a number."""
    return value is not None and not (isinstance(value, float) and math.isnan(value))


def factor(unit: str) -> float:
    """Shares are shown in per cent; every other unit as it is."""
    return 100.0 if unit == "share" else 1.0


def decimals(unit: str, low: float | None, high: float | None) -> int:
    """As many decimals as show two digits of the interval's half width, or one if it is below 0.0005."""
    if low is None or high is None or not present(low) or not present(high) or high <= low:
        return 1 if unit == "share" else 3
    half = factor(unit) * (high - low) / 2
    two_digits = max(1, 1 - math.floor(math.log10(half)))
    return two_digits if two_digits <= 4 else max(4, two_digits - 1)


def value_text(value: float | None, unit: str, places: int) -> str:
    """A value of a metric: ``0.8312``, ``62.5 %``."""
    if value is None or not present(value):
        return MISSING
    return number(factor(unit) * value, places) + (" %" if unit == "share" else "")


def difference_text(value: float | None, unit: str, places: int) -> str:
    """A difference with its sign: ``+0.0210``, ``−2.5 points``."""
    if value is None or not present(value):
        return MISSING
    return signed(factor(unit) * value, places) + (" points" if unit == "share" else "")


def interval_text(low: float | None, high: float | None, unit: str, places: int) -> str:
    """The ends of an interval: ``0.0080 to 0.0340``."""
    if low is None or high is None or not present(low) or not present(high):
        return MISSING
    return " to ".join(signed(factor(unit) * end, places) for end in (low, high))


def signed(value: float, places: int) -> str:
    """A number with its sign, which one that rounds to zero does not have."""
    text = number(value, places)
    return f"+{text}" if value > 0 and text != number(0, places) else text


def number(value: float, places: int) -> str:
    """Fixed decimals, a true minus sign, and no negative zero."""
    text = f"{value:,.{places}f}"
    if text.startswith("-"):
        text = text[1:] if float(text.replace(",", "")) == 0 else MINUS + text[1:]
    return text


def p_text(p: float | None) -> str:
    """A p-value to two digits, never `0`."""
    if p is None or not present(p):
        return MISSING
    return "< 0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def amount(value: float | None, kind: str) -> str:
    """A cost as a reader wants it: ``bytes`` in GB, MB or kB, ``seconds`` in minutes, else a plain number."""
    if value is None or not present(value):
        return MISSING
    if kind == "bytes":
        return (
            f"{value / 1e9:,.2f} GB"
            if value >= 1e9
            else f"{value / 1e3:,.1f} kB"
            if 0 < value < 1e6
            else f"{value / 1e6:,.1f} MB"
        )
    if kind == "seconds":
        return (
            f"{value:,.1f} s"
            if value < 120
            else f"{value / 60:,.1f} min"
            if value < 7200
            else f"{value / 3600:,.1f} h"
        )
    return f"{value:,.0f}"
