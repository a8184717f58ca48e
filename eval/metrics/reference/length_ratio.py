"""Length ratio: words written by words of the references."""

from __future__ import annotations

from eval.metrics.base import Context, RatioMetric
from eval.metrics.texts import SIGNATURE, pair
from eval.metrics.words import words
from toolkit.records import Outcome


class LengthRatio(RatioMetric):
    """1 is as long as the references; neither way is better, and BLEU moves with it."""

    name = "length_ratio"
    label = "length ratio"
    unit = "words per reference word"
    lowest = 0.0
    direction = "neither"
    signature = f"sum-of-words|{SIGNATURE}"
    margin = 0.05

    def statistics(self, outcome: Outcome, context: Context) -> tuple[float, ...] | None:
        """Words written, words of the reference."""
        texts = pair(outcome, context)
        return None if texts is None else (float(len(words(texts[0]))), float(len(words(texts[1]))))


METRIC = LengthRatio()
