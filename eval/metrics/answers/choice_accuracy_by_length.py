"""Choice accuracy by length: as `choice_accuracy`, log-likelihoods divided by characters of the answer."""

from __future__ import annotations

from eval.metrics.answers.choices import ChoiceAccuracy


class ChoiceAccuracyByLength(ChoiceAccuracy):
    """lm-evaluation-harness's `acc_norm`: without it, short answers win."""

    name = "choice_accuracy_by_length"
    label = "choice accuracy by length"
    signature = "argmax:log-likelihood/characters|tie:first"
    headline = False
    by_length = True


METRIC = ChoiceAccuracyByLength()
