"""Plain text files: one hypothesis per line against one reference per line, scored by sacreBLEU's counts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from eval.foreign import lines
from eval.foreign.scores import ItemScores, hash_of
from toolkit.errors import UserError

TOOL = "text file"


def read(path: Path, references: Path) -> list[ItemScores]:
    """BLEU and chrF of a file of hypotheses. Raises UserError if the files differ in length."""
    ours, theirs = _lines(path), _lines(references)
    if len(ours) != len(theirs):
        raise UserError(
            f"{path} has {len(ours)} lines and {references} has {len(theirs)}: they have to match"
        )
    items = tuple(str(number) for number in range(1, len(ours) + 1))
    hashes = tuple(map(hash_of, theirs))
    return [
        ItemScores(
            source=str(path),
            tool=TOOL,
            model=path.stem,
            task=references.name,
            seed=None,
            metric=metric,
            direction="higher",
            formula=metric,
            items=items,
            statistics=np.asarray(counts, dtype=np.float64),
            targets=hashes,
        )
        for metric, counts in (("bleu", bleu_counts(ours, theirs)), ("chrf", chrf_counts(ours, theirs)))
    ]


def bleu_counts(hypotheses: Sequence[str], references: Sequence[str]) -> list[list[float]]:
    """sacreBLEU's counts by segment: length, reference length, matches and n-grams of orders 1 to 4."""
    from sacrebleu.metrics.bleu import BLEU

    scorer = BLEU(effective_order=True)  # changes a sentence's score, not its counts
    scores = [scorer.sentence_score(h, [r]) for h, r in zip(hypotheses, references, strict=True)]
    return [[float(x) for x in (s.sys_len, s.ref_len, *s.counts, *s.totals)] for s in scores]


def chrf_counts(hypotheses: Sequence[str], references: Sequence[str]) -> list[list[float]]:
    """sacreBLEU's chrF counts by segment: hypothesis, reference and matched n-grams of each order."""
    from sacrebleu.metrics.chrf import CHRF

    scorer = CHRF()
    rows = scorer._extract_corpus_statistics(list(hypotheses), [list(references)])
    return [[float(x) for x in row] for row in rows]


def _lines(path: Path) -> list[str]:
    text = lines.text_of(path)
    return text.removesuffix("\n").split("\n")
