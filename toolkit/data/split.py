"""Which document goes to which part: by content alone, with exact sizes and no title in two parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]
Indices = npt.NDArray[np.int64]
SPLITS = ("test", "validation", "train")
"""In the order in which they are filled: the smaller first."""


@dataclass(frozen=True, kw_only=True)
class Split:
    """Indices of each part's documents, in order, and how many were left over and why."""

    parts: dict[str, Indices]
    held_back: int
    """Documents in no part because their title (or cluster) belongs to test or validation."""
    unused: int
    """Documents that were not asked for."""
    missing: dict[str, dict[int, int]]
    """Part -> source -> how many documents it lacks. Empty where every size was met."""


def group_keys(titles: Hashes, labels: Indices | None = None) -> Hashes:
    """One key a document; documents that must stay together share it.

    Without labels that is the hash of the title. With labels (a cluster of near-copies each), clusters that
    share a title are joined, and the lowest title hash of the whole is its key.
    """
    if labels is None:
        return titles
    keys = titles.copy()
    while True:
        before = keys
        for kind in (labels, titles):
            _, place = np.unique(kind, return_inverse=True)
            lowest = np.full(int(place.max(initial=-1)) + 1, np.iinfo(np.uint64).max, dtype=np.uint64)
            np.minimum.at(lowest, place, keys)
            keys = lowest[place]
        if np.array_equal(keys, before):
            return keys


def split(keys: Hashes, ids: Hashes, sources: Indices, sizes: Mapping[str, Mapping[int, int]]) -> Split:
    """Divide documents into parts. ``sizes``: part -> source -> documents.

    Documents stand in the order of their key. Test takes from the low end until it is full, validation from
    where test ended, training from the high end downward. So the parts do not depend on the order of rows;
    a smaller training part is the start of a larger one, and neither moves test or validation. When documents
    are added, an old document's distance from either end only grows: test keeps only what was in it, and no
    document that was trained on is ever tested or validated on.
    """
    owner: dict[int, str] = {}
    upward = np.lexsort((ids, keys))
    downward = np.lexsort((ids, ~keys))
    parts: dict[str, Indices] = {}
    missing: dict[str, dict[int, int]] = {}
    for part in SPLITS:
        left = dict(sizes[part])
        order = downward if part == "train" else upward
        parts[part] = _fill(part, left, order, keys, sources, owner)
        if any(left.values()):
            missing[part] = {source: count for source, count in left.items() if count}
    taken = sum(len(members) for members in parts.values())
    held_out = [key for key, part in owner.items() if part != "train"]
    in_held_out = int(np.isin(keys, np.array(held_out, dtype=np.uint64)).sum())
    held_back = in_held_out - len(parts["test"]) - len(parts["validation"])
    return Split(parts=parts, held_back=held_back, unused=len(keys) - taken - held_back, missing=missing)


def _fill(
    part: str, left: dict[int, int], order: Indices, keys: Hashes, sources: Indices, owner: dict[int, str]
) -> Indices:
    taken: list[int] = []
    wanted = sum(left.values())
    for index in order.tolist():
        if len(taken) == wanted:
            break
        source = int(sources[index])
        key = int(keys[index])
        if left.get(source, 0) and owner.get(key, part) == part:
            owner[key] = part
            left[source] -= 1
            taken.append(index)
    return np.array(taken, dtype=np.int64)
