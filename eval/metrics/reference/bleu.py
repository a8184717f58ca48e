"""Corpus BLEU by sacreBLEU, on what was written with the markers taken out."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from eval.metrics.base import Context, Floats, Metric, number, ratio
from eval.metrics.texts import SIGNATURE, pair, section_pairs
from toolkit.records import Outcome

ORDER = 4
WIDTH = 2 + 2 * ORDER


class Bleu(Metric):
    """A document is a segment. By section, each section body is a segment of its own.

    Statistics of a segment: length, reference length, matched n-grams of order 1 to 4, n-grams of order 1
    to 4; first of the whole, then of each section (zeros where the prompt holds it).
    """

    name = "bleu"
    label = "BLEU"
    unit = "BLEU"
    direction = "higher"
    margin, margin_kind, margin_floor = 0.1, "gain", 0.1
    headline = True
    value_columns = WIDTH

    @property
    def signature(self) -> str:
        """SacreBLEU's own, with one reference, and what is done to the text before."""
        import sacrebleu

        return f"nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:{sacrebleu.__version__}|{SIGNATURE}"

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
        """BLEU of the whole, 0 to 100."""
        return corpus_bleu(sums[..., :WIDTH])

    def details(self, sums: Floats, context: Context) -> dict[str, float | None]:
        """Brevity penalty, length ratio, precisions by order; BLEU by section."""
        parts = sums.reshape(-1, WIDTH)
        whole = parts[0]
        precisions = 100 * ratio(whole[2 : 2 + ORDER], whole[2 + ORDER :])
        found = {
            "brevity_penalty": number(brevity_penalty(whole)),
            "length_ratio": number(ratio(whole[0], whole[1])),
            **{f"precision_{n}": number(p) for n, p in enumerate(precisions, start=1)},
        }
        for section, part in zip(context.form.sections, parts[1:], strict=True):
            if part[1] > 0:
                found[section.name] = number(corpus_bleu(part))
        return found


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
    """
    matched, total = sums[..., 2 : 2 + ORDER], sums[..., 2 + ORDER : WIDTH]
    missed = matched == 0
    halvings = np.cumsum(missed, axis=-1)
    precision = 100 * ratio(np.where(missed, 0.5**halvings, matched), total)
    some = (matched.sum(axis=-1) > 0) & (total > 0).all(axis=-1)
    logs = np.log(np.where(some[..., None], precision, 1.0)).sum(axis=-1)
    return np.where(some, brevity_penalty(sums) * np.exp(logs / ORDER), 0.0)


METRIC = Bleu()
