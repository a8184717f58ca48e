"""Token F1: the harmonic mean of precision and recall of an answer's words, averaged over answers."""

from __future__ import annotations

from collections import Counter

from eval.metrics.answers.answer import NORMALISED, answers, normalised
from eval.metrics.base import Context, RatioMetric
from toolkit.records import Outcome
from toolkit.specs import AnyFormat, Conversation


class TokenF1(RatioMetric):
    """As SQuAD's evaluation script counts it: words are a bag, each as often as it stands there."""

    name = "token_f1"
    label = "token F1"
    unit = "F1"
    lowest, highest = 0.0, 1.0
    direction = "higher"
    signature = f"mean-of-answers|words:white-space|{NORMALISED}"
    margin, margin_kind, margin_floor = 0.05, "gain", 0.01

    def defined_on(self, form: AnyFormat) -> bool:
        """Only conversations have answers."""
        return isinstance(form, Conversation)

    def statistics(self, outcome: Outcome, context: Context) -> tuple[float, ...] | None:
        """F1, 1."""
        texts = answers(outcome, context)
        return None if texts is None else (token_f1(*texts), 1.0)


def token_f1(answer: str, reference: str) -> float:
    """Return F1 of two texts' words; 1 if neither has any, 0 if only one has."""
    written, wanted = Counter(normalised(answer).split()), Counter(normalised(reference).split())
    if not written or not wanted:
        return float(written == wanted)
    common = (written & wanted).total()
    return 2 * common / (written.total() + wanted.total())


METRIC = TokenF1()
