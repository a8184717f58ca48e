"""Which document goes to which split: by content alone, with exact sizes and no title in two splits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]
Indices = npt.NDArray[np.int64]
FILL_ORDER = ("test", "validation", "train")
"""The splits in the order in which they are filled: the smaller first."""


@dataclass(frozen=True, kw_only=True)
class Split:
    """Indices of each split's documents, in order, and how many were left over and why."""

    members: dict[str, Indices]
    excluded: int
    """Documents in no split because a title of theirs, or their cluster, belongs to test or validation."""
    unused: int
    """Documents that were not needed."""
    missing: dict[str, dict[int, int]]
    """Split -> source -> how many documents it lacks. Empty if every size was met."""


def group_keys(titles: Hashes, labels: Indices) -> Hashes:
    """Return one key per document; documents that must stay together share it.

    ``labels`` are clusters of near-copies. Clusters that share a title are joined, and the lowest title hash
    of the whole is its key.
    """
    keys = titles.copy()
    while True:
        before = keys
        for kind in (labels, titles):
            _, inverse = np.unique(kind, return_inverse=True)
            lowest = np.full(int(inverse.max(initial=-1)) + 1, np.iinfo(np.uint64).max, dtype=np.uint64)
            np.minimum.at(lowest, inverse, keys)
            keys = lowest[inverse]
        if np.array_equal(keys, before):
            return keys


def split(
    keys: Hashes,
    ids: Hashes,
    sources: Indices,
    sizes: Mapping[str, Mapping[int, int]],
    *,
    prompts: Hashes | None = None,
    claims: Mapping[int, tuple[int, ...]] | None = None,
    further: Mapping[int, int] | None = None,
) -> Split:
    """Divide documents into splits. ``sizes``: split -> source -> documents.

    Documents are ordered by their key. Test takes from the low end until it is full, validation from where
    test ended, training from the high end downward. So the splits do not depend on the order of rows; a
    smaller training split is the start of a larger one (of a mixture, a part of it), and neither moves test
    or validation. When documents are appended, an old document's distance from either end only grows: test
    keeps only what was in it, and no document that was trained on is ever tested or validated on. (In a
    mixture whose sources share titles, an appended document may take a title's place from another source's,
    and with `duplicates: together` an appended near-copy may move its whole cluster: there this holds only
    nearly.)

    ``prompts`` are hashes of what a model is prompted with; if given, test and validation take one document
    per prompt, the one of lowest identity. ``claims`` are further keys of a document, by index: those of
    near-copies of it that were dropped. A document is only in a split that no other split's document has a
    key in common with.

    ``further``: source -> documents that test takes once every split is full, again from the low end: they
    follow the others, and no split changes but test. None of them is tied by a claim to a document outside
    test: which of those are trained on depends on the size of training, and test must not.
    """
    filling = _Filling(keys, sources, prompts, claims or {})
    upward = np.lexsort((ids, keys))
    downward = np.lexsort((ids, ~keys))
    members: dict[str, Indices] = {}
    missing: dict[str, dict[int, int]] = {}
    for name in FILL_ORDER:
        left = dict(sizes[name])
        members[name] = filling.fill(name, left, downward if name == "train" else upward)
        if any(left.values()):
            missing[name] = {source: count for source, count in left.items() if count}
    more = dict(further or {})
    if any(more.values()):
        filling.leave_out_tied("test")
    members["test"] = np.concatenate([members["test"], filling.fill("test", more, upward)])
    if any(more.values()):
        lacks = missing.setdefault("test", {})
        lacks |= {source: lacks.get(source, 0) + count for source, count in more.items() if count}
    taken = sum(map(len, members.values()))
    excluded = filling.touching_held_out() - len(members["test"]) - len(members["validation"])
    return Split(members=members, excluded=excluded, unused=len(keys) - taken - excluded, missing=missing)


class _Filling:
    """The splits while they are filled: which split owns which key, and which prompts are held out."""

    def __init__(
        self, keys: Hashes, sources: Indices, prompts: Hashes | None, claims: Mapping[int, tuple[int, ...]]
    ) -> None:
        self._keys, self._sources, self._prompts, self._claims = keys, sources, prompts, claims
        self._owner: dict[int, str] = {}
        self._taken: set[int] = set()
        self._tied: set[int] = set()
        self._used: dict[str, set[int]] = {}

    def fill(self, name: str, left: dict[int, int], order: Indices) -> Indices:
        """Take documents in ``order`` until nothing is left to take, which is counted down in ``left``."""
        taken: list[int] = []
        wanted = sum(left.values())
        prompts = None if name == "train" else self._prompts
        used = self._used.setdefault(name, set())
        for index in order.tolist():
            if len(taken) == wanted:
                break
            source = int(self._sources[index])
            if not left.get(source, 0) or index in self._taken or index in self._tied:
                continue
            keys = (int(self._keys[index]), *self._claims.get(index, ()))
            if any(self._owner.get(key, name) != name for key in keys):
                continue
            if prompts is not None:
                prompt = int(prompts[index])
                if prompt in used:
                    continue
                used.add(prompt)
            self._owner.update(dict.fromkeys(keys, name))
            left[source] -= 1
            taken.append(index)
            self._taken.add(index)
        return np.array(taken, dtype=np.int64)

    def leave_out_tied(self, name: str) -> None:
        """Take no more documents that a claim, theirs or another's, ties to one outside split ``name``."""
        claimed = {
            key
            for index, keys in self._claims.items()
            if self._owner.get(int(self._keys[index])) != name
            for key in keys
        }
        self._tied = {*self._claims, *np.flatnonzero([int(key) in claimed for key in self._keys]).tolist()}

    def touching_held_out(self) -> int:
        """Return the number of documents that have a key of test or validation, those in them included."""
        owned = {key for key, name in self._owner.items() if name != "train"}
        # By sorting: the other kind, a table, overflows in numpy 2.0 at hashes above 2**63.
        touching = np.isin(self._keys, np.array(sorted(owned), dtype=np.uint64), kind="sort")
        for index, keys in self._claims.items():
            touching[index] |= not owned.isdisjoint(keys)
        return int(touching.sum())


def same_prompt(members: Indices, prompts: Hashes, eligible: npt.NDArray[np.bool_]) -> list[Indices]:
    """Return for each of ``members`` the other eligible documents of its prompt, by index."""
    wanted = np.unique(prompts[members])
    others = np.flatnonzero(eligible & np.isin(prompts, wanted, kind="sort"))
    by_prompt: dict[int, list[int]] = {}
    for index in others.tolist():
        by_prompt.setdefault(int(prompts[index]), []).append(index)
    groups = [by_prompt.get(int(prompts[index]), []) for index in members.tolist()]
    return [
        np.array([i for i in group if i != index], dtype=np.int64)
        for index, group in zip(members.tolist(), groups, strict=True)
    ]
