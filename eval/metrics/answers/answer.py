"""What the metrics of answers share: the answer that was written, and the share of right ones."""

from __future__ import annotations

import re
import string
from abc import abstractmethod

from eval.metrics.base import Context, RatioMetric
from eval.metrics.texts import Pair, continuation, pair
from toolkit.records import Outcome
from toolkit.specs import AnyFormat, Conversation, Scoring

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
NORMALISED = "normalised:squad(lower,punctuation-out,articles-out,spaces-one)"
"""What `normalised` does, for a signature."""


def answers(outcome: Outcome, context: Context) -> Pair | None:
    """Return what was written and the right answer, as they are; None without a generation.

    Of texts that are no conversation, without markers and with single spaces.
    """
    generation = context.generation(outcome)
    if generation is None or not isinstance(context.form, Conversation):
        return pair(outcome, context)
    return Pair(generation.text, continuation(outcome, generation, context.form))


def normalised(text: str) -> str:
    """Return the text as SQuAD's evaluation compares it (Rajpurkar et al., 2016).

    Lower case, without ASCII punctuation, without the articles a, an and the, runs of white space one space.
    """
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def scoring_of(form: AnyFormat) -> Scoring:
    """Return what a format's data set says about scoring; nothing for documents."""
    return form.scoring if isinstance(form, Conversation) else Scoring()


class Share(RatioMetric):
    """The share of answers that are right in some way: statistics are (0 or 1, 1)."""

    unit = "share"
    direction = "higher"
    margin, margin_kind, margin_floor = 0.05, "gain", 0.01
    binary = True

    def defined_on(self, form: AnyFormat) -> bool:
        """Only conversations have answers."""
        return isinstance(form, Conversation)

    @abstractmethod
    def right(self, texts: Pair, context: Context) -> bool | None:
        """Return whether an answer is right; None if that can't be said."""

    def statistics(self, outcome: Outcome, context: Context) -> tuple[float, ...] | None:
        """Right, 1."""
        texts = answers(outcome, context)
        right = None if texts is None else self.right(texts, context)
        return None if right is None else (float(right), 1.0)
