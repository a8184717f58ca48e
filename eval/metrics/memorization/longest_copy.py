"""Longest copy: how many words the longest run has that a generation shares with the training texts."""

from __future__ import annotations

from eval.metrics.base import Context, Floats, Metric, ratio
from eval.metrics.memorization.copies import longest_copy
from eval.metrics.texts import SIGNATURE
from toolkit.records import Outcome


class LongestCopy(Metric):
    """Mean over generations; the references' own says how much is only the way recipes are written."""

    name = "longest_copy"
    label = "longest copy from training"
    unit = "words"
    lowest = 0.0
    direction = "lower"
    signature = f"mean:document|case:lower|{SIGNATURE}"

    def statistics(self, outcome: Outcome, context: Context) -> tuple[float, ...] | None:
        """Words, 1; None without training texts."""
        longest = longest_copy(outcome, context)
        return None if longest is None else (float(longest), 1.0)

    def aggregate(self, sums: Floats) -> Floats:
        """Words by generations."""
        return ratio(sums[..., 0], sums[..., 1])


METRIC = LongestCopy()
