"""Token perplexity: exp of the summed negative log-likelihood by the number of tokens."""

from __future__ import annotations

from eval.metrics.base import Floats
from eval.metrics.likelihood.likelihood import PerUnit, exp
from toolkit.records import Likelihood


class Perplexity(PerUnit):
    """Comparable only between models with the same tokenizer; the end-of-text token is not counted."""

    name = "perplexity"
    label = "perplexity"
    unit = "perplexity per token"
    lowest = 1.0
    direction = "lower"
    signature = "weighting:token|logs:natural|text:whole|stop:no"

    def units(self, part: Likelihood) -> int:
        """Tokens."""
        return part.tokens

    def formula(self, nats_per_unit: Floats) -> Floats:
        """Exponential."""
        return exp(nats_per_unit)


METRIC = Perplexity()
