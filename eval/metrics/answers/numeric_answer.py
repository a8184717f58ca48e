"""Numeric answer: the share of answers whose last number is the reference's, within a tolerance."""

from __future__ import annotations

import re

from eval.metrics.answers.answer import Share, scoring_of
from eval.metrics.base import Context
from eval.metrics.texts import Pair
from toolkit.specs import AnyFormat

_NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:[eE][-+]?\d+)?")


class NumericAnswer(Share):
    """Measured if the format's `scoring.tolerance` is given; undefined if a reference has no number."""

    name = "numeric_answer"
    label = "numeric answers"
    signature = "number:last|commas:thousands"
    headline = True

    def defined_on(self, form: AnyFormat) -> bool:
        """Only if the data set gives a tolerance."""
        return scoring_of(form).tolerance is not None

    def settings(self, context: Context) -> str:
        """The tolerance."""
        return f"tolerance:{scoring_of(context.form).tolerance}"

    def right(self, texts: Pair, context: Context) -> bool | None:
        """The last numbers differ by the tolerance at most."""
        tolerance = scoring_of(context.form).tolerance
        wanted, written = last_number(texts.reference), last_number(texts.hypothesis)
        if wanted is None or tolerance is None:
            return None
        return written is not None and abs(written - wanted) <= tolerance


def last_number(text: str) -> float | None:
    """Return the last number of a text; commas divide thousands. None if there is none."""
    numbers = _NUMBER.findall(text)
    return float(numbers[-1].replace(",", "")) if numbers else None


METRIC = NumericAnswer()
