"""Distinct-n: the share of different n-grams among all that were written, over the whole set."""

from __future__ import annotations

from collections import Counter

from eval.metrics.base import Context, Floats, RatioMetric, number, ratio
from eval.metrics.texts import SIGNATURE, written_words
from eval.metrics.words import ngrams
from toolkit.records import Outcome

ORDERS = (2, 1, 3)


class Distinct(RatioMetric):
    """Compare sets of the same size, and look at the references': neither way is better by itself.

    An n-gram that stands c times in the set adds 1/c where it stands, so documents add up to the number of
    different n-grams. (Li et al., 2016.)
    """

    name = "distinct"
    label = "distinct n-grams"
    unit = "share"
    direction = "neither"
    needs_references = False
    of_set = True
    signature = f"orders:2,1,3|case:lower|over:set|{SIGNATURE}"
    margin = 0.02
    value_columns = 2

    def statistics(self, outcome: Outcome, context: Context) -> tuple[float, ...] | None:
        """Share of the different n-grams, and n-grams: of bigrams, single words, trigrams."""
        tokens = written_words(outcome, context)
        if tokens is None:
            return None
        counts = context.from_outcomes("distinct", lambda: _count(context))
        row: list[float] = []
        for n in ORDERS:
            grams = ngrams(tokens, n)
            row += [sum(1 / counts[gram] for gram in grams), float(len(grams))]
        return tuple(row)

    def details(self, sums: Floats, context: Context) -> dict[str, float | None]:
        """Of single words and trigrams."""
        return {
            f"distinct_{n}": number(ratio(sums[2 * i], sums[2 * i + 1])) for i, n in enumerate(ORDERS) if i
        }


def _count(context: Context) -> Counter[tuple[str, ...]]:
    counts: Counter[tuple[str, ...]] = Counter()
    for outcome in context.outcomes:
        tokens = written_words(outcome, context) or []
        for n in ORDERS:
            counts.update(ngrams(tokens, n))
    return counts


METRIC = Distinct()
