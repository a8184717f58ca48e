"""Which documents are copies or near-copies of each other: MinHash-LSH candidates, verified exactly."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from toolkit.data.duplicates.shingles import MIX, Shingler, Shingles
from toolkit.data.split import Hashes, Indices
from toolkit.events import Advanced, Listener, ignore

PERMUTATIONS = 128
RECALL = 0.995
"""A pair exactly at the threshold becomes a candidate with at least this probability."""
_NEIGHBOURS = 32
_PAIRS_A_BLOCK = 20_000
_SEED = 42


def bands_for(threshold: float) -> tuple[int, int]:
    """(bands, rows): the longest bands with which a pair at the threshold still becomes a candidate."""
    for rows in range(PERMUTATIONS, 1, -1):
        bands = PERMUTATIONS // rows
        if 1 - (1 - threshold**rows) ** bands >= RECALL:
            return bands, rows
    return PERMUTATIONS, 1


def band_keys(shingles: Shingles, threshold: float) -> Hashes:
    """Return one key per document and band, [n, bands]: two documents that agree in one are candidates."""
    from rensa import RMinHash

    bands, rows = bands_for(threshold)
    matrix = RMinHash.digest_matrix_from_flat_token_hashes(
        shingles.flat, shingles.at, num_perm=PERMUTATIONS, seed=_SEED
    )
    signature = np.array(matrix.to_rows(), dtype=np.uint64)[:, : bands * rows]
    parts = signature.reshape(len(signature), bands, rows)
    keys = np.zeros((len(signature), bands), dtype=np.uint64)
    for row in range(rows):
        keys = (keys ^ parts[:, :, row]) * MIX[0]
        keys ^= keys >> np.uint64(31)
    return keys


class Forest:
    """Sets that merge: union-find with path halving. The lowest member stands for its set."""

    def __init__(self, size: int) -> None:
        self.parent = list(range(size))

    def find(self, item: int) -> int:
        """The member that stands for the item's set."""
        parent = self.parent
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    def join(self, one: int, other: int) -> None:
        """Merge two items' sets."""
        low, high = sorted((self.find(one), self.find(other)))
        self.parent[high] = low

    def labels(self) -> Indices:
        """For each item the member that stands for its set."""
        return np.array([self.find(item) for item in range(len(self.parent))], dtype=np.int64)


def candidates(keys: Hashes) -> Indices:
    """Pairs (i, j), i < j, of documents that agree in a band, each once. Shape (pairs, 2).

    In a band that very many share, each is paired with its 32 neighbours in the order of the next band's
    key, which puts the most alike side by side: pairs stay linear in documents.
    """
    pairs: list[Indices] = []
    bands = keys.shape[1] if keys.ndim == 2 else 0
    for band in range(bands):
        order = np.lexsort((keys[:, (band + 1) % bands], keys[:, band]))
        column = keys[order, band]
        for step in range(1, min(_NEIGHBOURS, len(order) - 1) + 1):
            same = np.flatnonzero(column[:-step] == column[step:])
            if len(same) == 0:
                break
            pairs.append(np.stack([order[same], order[same + step]], axis=1))
    if not pairs:
        return np.empty((0, 2), dtype=np.int64)
    return np.unique(np.sort(np.concatenate(pairs), axis=1), axis=0)


def jaccard(one: Hashes, other: Hashes) -> float:
    """Exact Jaccard similarity of two sorted sets."""
    common = len(np.intersect1d(one, other, assume_unique=True))
    return common / (len(one) + len(other) - common)


def near_pairs(
    pairs: Indices,
    texts: Sequence[str],
    threshold: float,
    forest: Forest,
    progress: Listener = ignore,
) -> Iterator[tuple[int, int, float]]:
    """Yield the candidate pairs that are near-copies, with their similarity, and join each in the forest.

    ``texts`` are what is compared. Pairs that are in one set already are skipped.
    """
    shingler = Shingler()
    for start in range(0, len(pairs), _PAIRS_A_BLOCK):
        block = pairs[start : start + _PAIRS_A_BLOCK]
        members = np.unique(block)
        shingles = shingler([texts[int(m)] for m in members])
        sets = {int(m): shingles.document(place) for place, m in enumerate(members)}
        for one, other in block.tolist():
            if forest.find(one) == forest.find(other):
                continue
            similarity = jaccard(sets[one], sets[other])
            if similarity >= threshold:
                forest.join(one, other)
                yield one, other, similarity
        progress(Advanced(work="comparing", done=start + len(block), total=len(pairs)))
