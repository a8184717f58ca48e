"""Copied: the share of generations that hold a long run of words of the training texts."""

from __future__ import annotations

from eval.metrics.base import Context, RatioMetric
from eval.metrics.memorization.copies import RUN, longest_copy
from eval.metrics.texts import SIGNATURE
from toolkit.records import Outcome


class Copied(RatioMetric):
    """The references' own share says how much is only the way recipes are written."""

    name = "copied"
    label = "copied from training"
    unit = "share"
    direction = "lower"
    needs_references, needs_train = False, True
    signature = f"run:{RUN}-words|case:lower|{SIGNATURE}"
    margin = 0.02
    binary = True

    def statistics(self, outcome: Outcome, context: Context) -> tuple[float, ...] | None:
        """Holds such a run, 1; None without training texts."""
        longest = longest_copy(outcome, context)
        return None if longest is None else (float(longest >= RUN), 1.0)


METRIC = Copied()
