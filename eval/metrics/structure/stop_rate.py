"""Stop rate: the share of generations that ended by themselves, and not at the length limit."""

from __future__ import annotations

from eval.metrics.base import Context, RatioMetric
from toolkit.records import Outcome


class StopRate(RatioMetric):
    """A model that never learned its end-of-text token runs to the limit."""

    name = "stop_rate"
    label = "stop rate"
    unit = "share"
    direction = "higher"
    needs_references, needs_endings = False, True
    signature = "ended:end-of-text"
    margin, margin_kind, margin_floor = 0.05, "gain", 0.01
    binary = True

    def statistics(self, outcome: Outcome, context: Context) -> tuple[float, ...] | None:
        """Ended by itself, 1."""
        generation = context.generation(outcome)
        return None if generation is None else (float(generation.ended == "end_of_text"), 1.0)


METRIC = StopRate()
