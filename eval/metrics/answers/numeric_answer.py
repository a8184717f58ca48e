"""Numeric answer: the share of answers whose last number is the reference's, within a tolerance."""

from __future__ import annotations

import math
import re
import sys

from eval.metrics.answers.answer import Share, scoring_of
from eval.metrics.base import Context
from eval.metrics.texts import Pair
from toolkit.specs import AnyFormat

_LETTERS = "A-Za-z\u00c0-\u024f\u0370-\u052f"
"""Latin, Greek and Cyrillic ones: behind them a number is part of a name, as in A4. Scripts that are written
without spaces have numbers directly behind letters."""
_NUMBER = re.compile(
    rf"(?<![{_LETTERS}\d])(?<![{_LETTERS}\d]_)(?<!\d\.)"
    r"[-+]?(?:(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|(?<!\.)\.\d+)(?:[eE][-+]?\d+)?"
)
MINUS = "\N{MINUS SIGN}"
ROUNDING = 4 * sys.float_info.epsilon
"""Of the larger number: 1.1 and 1 differ by a little more than 0.1 in floating point."""


class NumericAnswer(Share):
    """Measured if the format's `scoring.tolerance` is given; undefined if a reference has no number."""

    name = "numeric_answer"
    label = "numeric answers"
    signature = "number:last,finite,leading-point,unicode-minus|before:no-letter-or-digit|commas:thousands"
    headline = True

    def defined_on(self, form: AnyFormat) -> bool:
        """Only if the data set gives a tolerance."""
        return scoring_of(form).tolerance is not None

    def settings(self, context: Context) -> str:
        """The tolerance."""
        return f"tolerance:{scoring_of(context.form).tolerance}"

    def right(self, texts: Pair, context: Context) -> bool | None:
        """The last numbers differ by the tolerance at most; one beyond floating point is right of none."""
        tolerance = scoring_of(context.form).tolerance
        wanted, written = last_number(texts.reference), last_number(texts.hypothesis)
        if wanted is None or tolerance is None or not math.isfinite(wanted):
            return None
        if written is None or not math.isfinite(written):
            return False
        rounding = ROUNDING * max(abs(wanted), abs(written))
        return abs(written - wanted) <= tolerance + rounding


def last_number(text: str) -> float | None:
    """Return the last number of a text; commas divide thousands. None if there is none."""
    numbers = _NUMBER.findall(text.replace(MINUS, "-"))
    return float(numbers[-1].replace(",", "")) if numbers else None


METRIC = NumericAnswer()
