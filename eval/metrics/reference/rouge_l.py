"""ROUGE-L: the longest common subsequence of words, as an F-score averaged over documents."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

from eval.metrics.base import Floats, ratio
from eval.metrics.reference.segments import BySection
from eval.metrics.texts import SIGNATURE, Pair

_OTHER = re.compile(r"[^a-z0-9]+")


class RougeL(BySection):
    """As the `rouge-score` package has it, without stemming: lower-case Latin letters and digits only.

    Other letters divide words there, so for languages that need them chrF is the better choice.
    """

    name = "rouge_l"
    label = "ROUGE-L"
    unit = "ROUGE-L F1"
    lowest, highest = 0.0, 1.0
    direction = "higher"
    signature = f"rougeL|fmeasure|stemmer:no|mean:document|{SIGNATURE}"
    margin, margin_kind, margin_floor = 0.1, "gain", 0.001
    value_columns = 2

    def counts(self, texts: Pair) -> list[float]:
        """Return the F-score and 1."""
        return [rouge_l(texts), 1.0]

    def formula(self, counts: Floats) -> Floats:
        """Mean over documents, 0 to 1."""
        return ratio(counts[..., 0], counts[..., 1])


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
