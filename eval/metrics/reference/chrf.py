"""Corpus chrF as sacreBLEU defines it, on what was written with the markers taken out."""

from __future__ import annotations

from collections import Counter

import numpy as np

from eval.metrics.base import Context, Floats, Metric, number, ratio
from eval.metrics.texts import SIGNATURE, pair, section_pairs
from toolkit.records import Outcome

ORDER = 6
BETA = 2
WIDTH = 3 * ORDER


class ChrF(Metric):
    """F-score of character n-grams, recall counting twice; needs no tokenizer, so it suits any language.

    Statistics of a segment: per order of 1 to 6, character n-grams written, in the reference, and in both;
    first of the whole, then of each section (zeros where the prompt holds it).
    """

    name = "chrf"
    label = "chrF"
    unit = "chrF"
    direction = "higher"
    margin, margin_kind, margin_floor = 0.1, "gain", 0.1
    value_columns = WIDTH

    @property
    def signature(self) -> str:
        """SacreBLEU's own, with one reference, and what is done to the text before."""
        import sacrebleu

        version = sacrebleu.__version__
        return f"nrefs:1|case:mixed|eff:yes|nc:{ORDER}|nw:0|space:no|version:{version}|{SIGNATURE}"

    def statistics(self, outcome: Outcome, context: Context) -> tuple[float, ...] | None:
        """Counts of the whole, then of each section."""
        whole = pair(outcome, context)
        if whole is None:
            return None
        sections = section_pairs(outcome, context)
        row = segment_counts(*whole)
        for section in context.form.sections:
            row += segment_counts(*sections[section.name]) if section.name in sections else [0.0] * WIDTH
        return tuple(row)

    def aggregate(self, sums: Floats) -> Floats:
        """ChrF of the whole, 0 to 100."""
        return corpus_chrf(sums[..., :WIDTH])

    def details(self, sums: Floats, context: Context) -> dict[str, float | None]:
        """ChrF by section."""
        parts = sums.reshape(-1, WIDTH)[1:]
        named = zip(context.form.sections, parts, strict=True)
        return {section.name: number(corpus_chrf(part)) for section, part in named if part.any()}


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
