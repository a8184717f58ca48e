"""What BLEU, chrF and ROUGE-L share: counts of a segment, of the whole document and of each section."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from eval.metrics.base import Context, Floats, Metric, number
from eval.metrics.texts import Pair, pair, section_pairs
from toolkit.records import Outcome


class BySection(Metric):
    """A document is a segment. By section, each section body is a segment of its own.

    Statistics are the counts of the whole, then of each section: zeros if the prompt holds it. The subclass
    says in `value_columns` how many counts a segment has.
    """

    value_columns: ClassVar[int]

    @abstractmethod
    def counts(self, texts: Pair) -> list[float]:
        """Return the additive counts of a segment; not all are zero."""

    @abstractmethod
    def formula(self, counts: Floats) -> Floats:
        """Return the value from summed counts of segments, ``[..., value_columns] -> [...]``."""

    def statistics(self, outcome: Outcome, context: Context) -> tuple[float, ...] | None:
        """Counts of the whole, then of each section."""
        whole = pair(outcome, context)
        if whole is None:
            return None
        sections = section_pairs(outcome, context)
        row = self.counts(whole)
        for section in context.form.sections:
            texts = sections.get(section.name)
            row += [0.0] * self.value_columns if texts is None else self.counts(texts)
        return tuple(row)

    def aggregate(self, sums: Floats) -> Floats:
        """The value of the whole."""
        return self.formula(sums[..., : self.value_columns])

    def details(self, sums: Floats, context: Context) -> dict[str, float | None]:
        """The value by section, of those that any document was requested."""
        parts = sums.reshape(-1, self.value_columns)[1:]
        named = zip(context.form.sections, parts, strict=True)
        return {section.name: number(self.formula(part)) for section, part in named if part.any()}
