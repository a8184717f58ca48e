"""Choice by likelihood: whether the right one of the possible answers is the likeliest."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from eval.metrics.base import Context, RatioMetric
from toolkit.records import Outcome
from toolkit.specs import AnyFormat, Conversation


class ChoiceAccuracy(RatioMetric):
    """Measured if the format names a column of `choices`. lm-evaluation-harness's `acc` and `acc_norm`."""

    name = "choice_accuracy"
    label = "choice accuracy"
    unit = "share"
    direction = "higher"
    signature = "argmax:log-likelihood|tie:first"
    margin, margin_kind, margin_floor = 0.05, "gain", 0.01
    binary = True
    of_generations = False
    headline = True
    by_length: ClassVar[bool] = False
    """Whether a log-likelihood is divided by its answer's characters."""

    def defined_on(self, form: AnyFormat) -> bool:
        """Only of questions of choice."""
        return isinstance(form, Conversation) and form.choices is not None

    def statistics(self, outcome: Outcome, context: Context) -> tuple[float, ...] | None:
        """Right, 1."""
        if not outcome.choices:
            return None
        lengths = [choice.characters if self.by_length else 1 for choice in outcome.choices]
        scores = [-choice.nll / length for choice, length in zip(outcome.choices, lengths, strict=True)]
        return float(outcome.choices[int(np.argmax(scores))].right), 1.0
