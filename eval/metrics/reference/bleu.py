"""Corpus BLEU by sacreBLEU, on what was written with the markers taken out."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from eval.metrics.base import Context, Floats, number, ratio
from eval.metrics.reference.segments import BySection
from eval.metrics.texts import SIGNATURE, Pair

ORDER = 4
WIDTH = 2 + 2 * ORDER
FEW_MATCHES = 5
"""Matched n-grams of an order below which a corpus has a BLEU without an interval."""


class Bleu(BySection):
    """As sacreBLEU has it with one reference, a document being a segment.

    Counts of a segment: length, reference length, matched n-grams and n-grams, each of order 1 to 4.
    """

    name = "bleu"
    label = "BLEU"
    unit = "BLEU"
    lowest, highest = 0.0, 100.0
    direction = "higher"
    margin, margin_kind, margin_floor = 0.1, "gain", 0.1
    headline = True
    value_columns = WIDTH

    @property
    def signature(self) -> str:
        """SacreBLEU's own, with one reference, and what is done to the text before."""
        import sacrebleu

        return f"nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:{sacrebleu.__version__}|{SIGNATURE}"

    def counts(self, texts: Pair) -> list[float]:
        """Return sacreBLEU's counts."""
        return segment_counts(*texts)

    def formula(self, counts: Floats) -> Floats:
        """BLEU, 0 to 100."""
        return corpus_bleu(counts)

    def unsupported(self, sums: Floats) -> bool:
        """Whether some order has fewer than five matches."""
        return few_matches(sums)

    def details(self, sums: Floats, context: Context) -> dict[str, float | None]:
        """Brevity penalty, length ratio, precisions by order; BLEU by section."""
        whole = sums[:WIDTH]
        precisions = 100 * ratio(whole[2 : 2 + ORDER], whole[2 + ORDER :])
        return {
            "brevity_penalty": number(brevity_penalty(whole)),
            "length_ratio": number(ratio(whole[0], whole[1])),
            **{f"precision_{n}": number(p) for n, p in enumerate(precisions, start=1)},
            **super().details(sums, context),
        }


@cache
def _scorer() -> Any:
    from sacrebleu.metrics.bleu import BLEU

    # Effective order changes a sentence's score, not its counts, and those are all that is read.
    return BLEU(effective_order=True)


def segment_counts(hypothesis: str, reference: str) -> list[float]:
    """Return sacreBLEU's counts of a segment: both lengths, matches and n-grams of order 1 to 4."""
    score = _scorer().sentence_score(hypothesis, [reference])
    return [float(x) for x in (score.sys_len, score.ref_len, *score.counts, *score.totals)]


def brevity_penalty(sums: Floats) -> Floats:
    """``min(1, exp(1 - reference length / length))``; 0 where nothing was written."""
    length, reference = sums[..., 0], sums[..., 1]
    penalty = np.exp(np.minimum(0.0, 1.0 - ratio(reference, length)))
    return np.where(length > 0, penalty, np.where(reference > 0, 0.0, 1.0))


def corpus_bleu(sums: Floats) -> Floats:
    """BLEU from summed counts ``[..., 10] -> [...]``, as sacreBLEU defines it with smoothing `exp`.

    An order without a match counts 1/2 of a match for the first such order, 1/4 for the second, and so on;
    a corpus without any match, or without any n-gram of some order, scores 0. (Chen and Cherry, 2014.)
    Between whole counts, where slopes are taken, it is continuous: an order counts as without a match below
    a quarter of one and not at all from three quarters on, and what scores 0 is reached in a straight line.
    """
    matched, total = sums[..., 2 : 2 + ORDER], sums[..., 2 + ORDER : WIDTH]
    missed = np.clip(1.5 - 2 * matched, 0.0, 1.0)
    smoothed = 0.5 ** (1 + np.cumsum(missed, axis=-1) - missed)
    precision = 100 * (np.maximum(matched, smoothed) / np.maximum(total, 1.0))
    some = np.minimum(1.0, matched.sum(axis=-1)) * np.minimum(1.0, total).prod(axis=-1)
    score: Floats = some * brevity_penalty(sums) * np.exp(np.log(precision).sum(axis=-1) / ORDER)
    return score


def few_matches(sums: Floats) -> bool:
    """Return whether any order has fewer than `FEW_MATCHES` matches at any seed, from sums ``[..., 10]``.

    BLEU then hangs on one match more or less: at one 4-gram match in 48 texts, none halves the order's
    precision, and neither the delta method nor resampling knows how often there is one.
    """
    return bool((sums[..., 2 : 2 + ORDER] < FEW_MATCHES).any())


METRIC = Bleu()
