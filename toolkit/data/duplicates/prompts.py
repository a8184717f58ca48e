"""Which prompts are near-copies of each other, whatever follows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from toolkit.data.duplicates.minhash import Forest, band_keys, candidates, near_pairs
from toolkit.data.duplicates.shingles import Shingler
from toolkit.data.split import Indices
from toolkit.data.texts import CHUNK, Texts
from toolkit.events import Listener, ignore


class _Prompts(Sequence[str]):
    """The first body of each document: the title, or all turns before the last answer."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts

    def __len__(self) -> int:
        return len(self._texts)

    def __getitem__(self, index: Any) -> Any:
        return self._texts.bodies(index)[0]


def near_prompts(texts: Texts, threshold: float, progress: Listener = ignore) -> Indices:
    """Return one label per document: two prompts have the same if they, or a chain of others, are alike.

    Alike: a Jaccard similarity of their word shingles of ``threshold`` or more.
    """
    prompts, shingler = _Prompts(texts), Shingler()
    starts = range(0, len(prompts), CHUNK)
    chunks = [[prompts[i] for i in range(start, min(start + CHUNK, len(prompts)))] for start in starts]
    keys = [band_keys(shingler(chunk), threshold) for chunk in chunks]
    forest = Forest(len(prompts))
    pairs = candidates(np.concatenate(keys)) if keys else np.empty((0, 2), np.int64)
    for _ in near_pairs(pairs, prompts, threshold, forest, progress):
        pass
    return forest.labels()
