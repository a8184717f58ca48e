"""Exact match: the share of answers that equal the reference once both are normalised."""

from __future__ import annotations

from eval.metrics.answers.answer import NORMALISED, Share, normalised
from eval.metrics.base import Context
from eval.metrics.texts import Pair


class ExactMatch(Share):
    """As SQuAD's evaluation script counts it."""

    name = "exact_match"
    label = "exact match"
    signature = f"equal|{NORMALISED}"

    def right(self, texts: Pair, context: Context) -> bool:
        """Equal once normalised."""
        return normalised(texts.hypothesis) == normalised(texts.reference)


METRIC = ExactMatch()
