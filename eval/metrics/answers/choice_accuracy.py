"""Choice accuracy: the share of questions whose right answer is the likeliest one."""

from __future__ import annotations

from eval.metrics.answers.choices import ChoiceAccuracy

METRIC = ChoiceAccuracy()
