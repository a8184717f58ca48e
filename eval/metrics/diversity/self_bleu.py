"""Self-BLEU: corpus BLEU of every generation against all the others, as a measure of sameness."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass
from functools import cache
from typing import Any

from eval.metrics.base import Context, Floats, Metric
from eval.metrics.reference.bleu import ORDER, corpus_bleu
from eval.metrics.texts import SIGNATURE, written
from eval.metrics.words import ngrams
from toolkit.records import Outcome


class SelfBleu(Metric):
    """High is monotonous; compare sets of the same size, and look at the references' own.

    (Zhu et al., 2018; here the counts are summed as in corpus BLEU. Each generation has all others as its
    references: n-grams are clipped at the most that any other has, and the length is the closest other's.)
    """

    name = "self_bleu"
    label = "self-BLEU"
    unit = "BLEU"
    lowest, highest = 0.0, 100.0
    direction = "neither"
    needs_references = False
    of_set = True
    signature = f"nrefs:others|case:mixed|eff:no|tok:13a|smooth:exp|{SIGNATURE}"
    margin = 1.0

    def statistics(self, outcome: Outcome, context: Context) -> tuple[float, ...] | None:
        """Return BLEU's counts against all other texts; None if there are no others."""
        text = written(outcome, context)
        if text is None:
            return None
        others = context.from_outcomes("self_bleu", lambda: _survey(context))
        if len(others.lengths) < 2:
            return None
        grams = _grams(text)
        length = grams[0].total()
        matched = [
            float(sum(min(n, others.most_elsewhere(gram, n)) for gram, n in counts.items()))
            for counts in grams
        ]
        totals = [float(counts.total()) for counts in grams]
        return (float(length), float(others.closest(length)), *matched, *totals)

    def aggregate(self, sums: Floats) -> Floats:
        """Corpus BLEU, 0 to 100."""
        return corpus_bleu(sums)


@dataclass
class _Others:
    """For every n-gram the two highest counts among the generations, and all their lengths."""

    highest: dict[tuple[str, ...], tuple[int, int]]
    lengths: list[int]

    def most_elsewhere(self, gram: tuple[str, ...], own: int) -> int:
        """The highest count of another generation than the one that has it ``own`` times."""
        first, second = self.highest[gram]
        return second if own == first else first

    def closest(self, own: int) -> int:
        """The closest length of another generation; of two equally close ones the shorter."""
        place = bisect_left(self.lengths, own)
        around = self.lengths[max(0, place - 1) : place] + self.lengths[place + 1 : place + 2]
        return min(around, key=lambda length: (abs(length - own), length))


def _survey(context: Context) -> _Others:
    highest: dict[tuple[str, ...], tuple[int, int]] = {}
    lengths = []
    for outcome in context.outcomes:
        text = written(outcome, context)
        if text is None:
            continue
        grams = _grams(text)
        lengths.append(grams[0].total())
        for counts in grams:
            for gram, count in counts.items():
                first, second = highest.get(gram, (0, 0))
                highest[gram] = (max(first, count), max(second, min(first, count)))
    return _Others(highest, sorted(lengths))


@cache
def _tokenizer() -> Any:
    from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a

    return Tokenizer13a()


def _grams(text: str) -> list[Counter[tuple[str, ...]]]:
    tokens = _tokenizer()(text).split()
    return [Counter(ngrams(tokens, n)) for n in range(1, ORDER + 1)]


METRIC = SelfBleu()
