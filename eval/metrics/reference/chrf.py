"""Corpus chrF as sacreBLEU defines it, on what was written with the markers taken out."""

from __future__ import annotations

from collections import Counter

import numpy as np

from eval.metrics.base import Floats, ratio
from eval.metrics.reference.segments import BySection
from eval.metrics.texts import SIGNATURE, Pair

ORDER = 6
BETA = 2
WIDTH = 3 * ORDER


class ChrF(BySection):
    """F-score of character n-grams, recall counting twice; needs no tokenizer, so it suits any language.

    Counts of a segment: per order of 1 to 6, character n-grams written, in the reference, and in both.
    """

    name = "chrf"
    label = "chrF"
    unit = "chrF"
    lowest, highest = 0.0, 100.0
    direction = "higher"
    margin, margin_kind, margin_floor = 0.1, "gain", 0.1
    value_columns = WIDTH

    @property
    def signature(self) -> str:
        """SacreBLEU's own, with one reference, and what is done to the text before."""
        import sacrebleu

        version = sacrebleu.__version__
        return f"nrefs:1|case:mixed|eff:yes|nc:{ORDER}|nw:0|space:no|version:{version}|{SIGNATURE}"

    def counts(self, texts: Pair) -> list[float]:
        """Return sacreBLEU's counts."""
        return segment_counts(*texts)

    def formula(self, counts: Floats) -> Floats:
        """ChrF, 0 to 100."""
        return corpus_chrf(counts)


def segment_counts(hypothesis: str, reference: str) -> list[float]:
    """Return sacreBLEU's counts of a segment: n-grams written, wanted and matched, for each order."""
    hypothesis, reference = ("".join(text.split()) for text in (hypothesis, reference))
    row: list[float] = []
    for n in range(1, ORDER + 1):
        written, wanted = _characters(hypothesis, n), _characters(reference, n)
        both = sum(min(count, wanted[gram]) for gram, count in written.items() if gram in wanted)
        # sacreBLEU counts what was written only where the reference has n-grams of that order
        row += [float(written.total() if wanted else 0), float(wanted.total()), float(both)]
    return row


def _characters(text: str, n: int) -> Counter[str]:
    return Counter(text[start : start + n] for start in range(len(text) - n + 1))


def corpus_chrf(sums: Floats) -> Floats:
    """ChrF2 from summed counts ``[..., 18] -> [...]``: F of the mean precision and mean recall.

    The means are over the orders that both sides have. (Popović, 2015; sacreBLEU's `eff:yes`.)
    """
    written, wanted, both = (sums[..., part:WIDTH:3] for part in range(3))
    there = (written > 0) & (wanted > 0)
    orders = there.sum(axis=-1)
    means = [
        ratio(np.where(there, np.nan_to_num(ratio(both, side)), 0.0).sum(axis=-1), orders)
        for side in (written, wanted)
    ]
    precision, recall = (np.nan_to_num(mean) for mean in means)
    factor = BETA**2
    return 100 * np.nan_to_num(ratio((1 + factor) * precision * recall, factor * precision + recall))


METRIC = ChrF()
