"""ROUGE-L: the longest common subsequence of words, as an F-score averaged over documents."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

from eval.metrics.base import Context, Floats, Metric, number, ratio
from eval.metrics.texts import SIGNATURE, Pair, pair, section_pairs
from toolkit.records import Outcome

_OTHER = re.compile(r"[^a-z0-9]+")


class RougeL(Metric):
    """As the `rouge-score` package has it, without stemming: lower-case Latin letters and digits only.

    Other letters divide words there, so for languages that need them chrF is the better choice.
    """

    name = "rouge_l"
    label = "ROUGE-L"
    unit = "ROUGE-L F1"
    direction = "higher"
    signature = f"rougeL|fmeasure|stemmer:no|mean:document|{SIGNATURE}"
    margin, margin_kind, margin_floor = 0.1, "gain", 0.001
    value_columns = 2

    def statistics(self, outcome: Outcome, context: Context) -> tuple[float, ...] | None:
        """F-score and 1 of the whole, then of each section."""
        whole = pair(outcome, context)
        if whole is None:
            return None
        row = [rouge_l(whole), 1.0]
        sections = section_pairs(outcome, context)
        for section in context.form.sections:
            row += [rouge_l(sections[section.name]), 1.0] if section.name in sections else [0.0, 0.0]
        return tuple(row)

    def aggregate(self, sums: Floats) -> Floats:
        """Mean over documents, 0 to 1."""
        return ratio(sums[..., 0], sums[..., 1])

    def details(self, sums: Floats, context: Context) -> dict[str, float | None]:
        """Mean by section."""
        parts = sums[2:].reshape(-1, 2)
        means = ratio(parts[:, 0], parts[:, 1])
        named = zip(context.form.sections, parts, means, strict=True)
        return {section.name: number(mean) for section, part, mean in named if part[1] > 0}


def rouge_l(texts: Pair) -> float:
    """F1 of the longest common subsequence of one pair; 0 where either has no word."""
    written, wanted = (_OTHER.sub(" ", text.lower()).split() for text in texts)
    if not written or not wanted:
        return 0.0
    common = longest_common_subsequence(written, wanted)
    precision, recall = common / len(written), common / len(wanted)
    return 2 * precision * recall / (precision + recall) if common else 0.0


def longest_common_subsequence(one: Sequence[str], other: Sequence[str]) -> int:
    """Its length, a machine word of comparisons at a time (Hyyrö, 2004).

    Bit i of ``row`` is 0 where the length grows between the first i and i + 1 words of ``one``.
    """
    places: dict[str, int] = defaultdict(int)
    for place, word in enumerate(one):
        places[word] |= 1 << place
    full = (1 << len(one)) - 1
    row = full
    for word in other:
        match = row & places.get(word, 0)
        row = ((row + match) | (row - match)) & full
    return len(one) - row.bit_count()


METRIC = RougeL()
