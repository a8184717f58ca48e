"""Plain text files: one hypothesis per line against one reference per line, scored by sacreBLEU's counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from eval.foreign.sources import lines
from eval.foreign.sources.scores import Formula, ItemScores, hash_of
from eval.metrics.reference import bleu, chrf
from toolkit.errors import UserError

TOOL = "text file"
COUNTS: dict[Formula, Callable[[str, str], list[float]]] = {
    "bleu": bleu.segment_counts,
    "chrf": chrf.segment_counts,
}


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
            model=None,
            task=references.name,
            seed=None,
            metric=metric,
            direction="higher",
            formula=metric,
            items=items,
            statistics=np.asarray([counts(*pair) for pair in zip(ours, theirs, strict=True)]),
            targets=hashes,
        )
        for metric, counts in COUNTS.items()
    ]


def _lines(path: Path) -> list[str]:
    text = lines.text_of(path, blank=True)
    return text.removesuffix("\n").split("\n")


def sacrebleu_p_values(systems: Mapping[str, Path], references: Path, baseline: str) -> dict[str, float]:
    """sacreBLEU's own paired test of BLEU: name -> p-value against the baseline.

    Approximate randomisation with sacreBLEU's defaults (10,000 trials, seed 12345 unless the environment says
    otherwise), the same as `sacrebleu --paired-ar`.
    """
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.significance import PairedTest

    names = [baseline, *(name for name in systems if name != baseline)]
    named = [(name, _lines(systems[name])) for name in names]
    test = PairedTest(named, {"BLEU": BLEU(references=[_lines(references)])}, None, test_type="ar")
    _, results = test()
    pairs = list(zip(names, results["BLEU"], strict=True))[1:]
    return {name: float(result.p_value) for name, result in pairs if result.p_value is not None}
