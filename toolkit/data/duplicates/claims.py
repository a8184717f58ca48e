"""Titles that a document claims for its split beside its own: of dropped copies, of what it begins with."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from toolkit.data.conversations.turns import Dialogue, from_text
from toolkit.data.duplicates.shingles import stable_hash, title_key
from toolkit.data.split import Hashes, Indices


def claims_of(
    used: Indices, titles: Hashes, keys: Hashes, clusters: Indices | None, trained: Iterable[tuple[int, str]]
) -> dict[int, tuple[int, ...]]:
    """Return index in ``used`` -> further keys of a document, for those that have some; see `split`.

    ``titles`` and ``clusters`` are of all documents, the latter None if no near-copies were dropped; ``keys``
    of those used. ``trained``: index in ``used`` and text of each conversation that is trained on all its
    answers: what continues another one holds the answer of that one.
    """
    claimed = {} if clusters is None else _of_copies(used, titles, clusters)
    for number, text in trained:
        if begun := _begun(text):
            claimed.setdefault(number, set()).update(begun)
    if not claimed:
        return {}
    key_of = dict(zip(titles[used].tolist(), keys.tolist(), strict=True))
    return {
        number: tuple(sorted({key_of.get(title, title) for title in found}))
        for number, found in claimed.items()
    }


def _of_copies(used: Indices, titles: Hashes, clusters: Indices) -> dict[int, set[int]]:
    """Return index in ``used`` -> titles of the dropped copies of a document, other than its own."""
    sizes = np.bincount(clusters)
    members: dict[int, set[int]] = {}
    for index in np.flatnonzero(sizes[clusters] > 1).tolist():
        members.setdefault(int(clusters[index]), set()).add(int(titles[index]))
    claimed = {}
    for number in np.flatnonzero(sizes[clusters[used]] > 1).tolist():
        index = int(used[number])
        further = members[int(clusters[index])] - {int(titles[index])}
        if further:
            claimed[number] = further
    return claimed


def _begun(text: str) -> list[int]:
    """Return the titles of the conversations that a stored one begins with."""
    turns = from_text(text).turns
    ends = [at for at, turn in enumerate(turns[:-1], start=1) if turn.role == "assistant"]
    return [stable_hash(title_key(Dialogue(turns[:at]))) for at in ends]
