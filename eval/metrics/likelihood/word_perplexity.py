"""Word perplexity: exp of the summed negative log-likelihood by the number of words."""

from __future__ import annotations

import re

from eval.metrics.base import Context, Floats, Metric, ratio
from eval.metrics.likelihood.likelihood import STOP, exp, of_what
from toolkit.data.format import section_bodies
from toolkit.records import Outcome
from toolkit.specs import Conversation


class WordPerplexity(Metric):
    """Words are what white space divides, as lm-evaluation-harness counts; comparable across tokenizers."""

    name = "word_perplexity"
    label = "word perplexity"
    unit = "perplexity per word"
    lowest = 1.0
    direction = "lower"
    signature = "weighting:word|words:white-space|logs:natural|text:whole|stop:no"
    of_generations = False

    def statistics(self, outcome: Outcome, context: Context) -> tuple[float, ...] | None:
        """Nats and words of the whole."""
        if outcome.likelihood is None:
            return None
        nats = sum(part.nll for name, part in outcome.likelihood.items() if name != STOP)
        text = outcome.reference
        if isinstance(context.form, Conversation):
            text = section_bodies(text, context.form)["answer"].strip()
        return nats, float(len(re.split(r"\s+", text)))

    def settings(self, context: Context) -> str:
        """Of a conversation only the last answer is scored."""
        return of_what(context)

    def aggregate(self, sums: Floats) -> Floats:
        """``exp(nats / words)``."""
        return exp(ratio(sums[..., 0], sums[..., 1]))


METRIC = WordPerplexity()
