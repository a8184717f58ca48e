"""Pattern: the share of answers in which the data set's regular expression is found."""

from __future__ import annotations

import hashlib
import re

from eval.metrics.answers.answer import Share, scoring_of
from eval.metrics.base import Context
from eval.metrics.texts import Pair
from toolkit.specs import AnyFormat


class Pattern(Share):
    """Measured if the format's `scoring.pattern` is given. Looks at the answer alone."""

    name = "pattern"
    label = "answers that match the pattern"
    signature = "python-re:search"
    headline = True

    def defined_on(self, form: AnyFormat) -> bool:
        """Only if the data set gives a pattern."""
        return scoring_of(form).pattern is not None

    def settings(self, context: Context) -> str:
        """Hash of the pattern, which may hold any character."""
        pattern = scoring_of(context.form).pattern or ""
        return f"pattern:{hashlib.sha256(pattern.encode()).hexdigest()[:12]}"

    def right(self, texts: Pair, context: Context) -> bool | None:
        """Found anywhere in the answer."""
        pattern = scoring_of(context.form).pattern
        return None if pattern is None else re.search(pattern, texts.hypothesis) is not None


METRIC = Pattern()
