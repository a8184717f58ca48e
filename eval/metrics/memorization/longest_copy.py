"""Longest copy: how many words the longest run has that a generation shares with the training texts."""

from __future__ import annotations

from eval.metrics.base import Context, RatioMetric
from eval.metrics.memorization.copies import longest_copy
from eval.metrics.texts import SIGNATURE
from toolkit.records import Outcome


class LongestCopy(RatioMetric):
    """Mean over generations; the references' own says how much is only the way recipes are written."""

    name = "longest_copy"
    label = "longest copy from training"
    unit = "words"
    lowest = 0.0
    direction = "lower"
    needs_references, needs_train = False, True
    signature = f"mean:document|case:lower|{SIGNATURE}"

    def statistics(self, outcome: Outcome, context: Context) -> tuple[float, ...] | None:
        """Words, 1; None without training texts."""
        longest = longest_copy(outcome, context)
        return None if longest is None else (float(longest), 1.0)


METRIC = LongestCopy()
