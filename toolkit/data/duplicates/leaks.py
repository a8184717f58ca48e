"""How close a finished split's held-out documents come to its training documents, whatever made the split.

Nothing here is shared with the deduplication: words are compared as words and not as hashes, and every
pair that has three consecutive words in common is counted, not only sketched candidates.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import quantiles
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from toolkit.data.texts import Bodies
from toolkit.events import Advanced, Listener, ignore
from toolkit.records.data import ClosestPair, Leak

THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9)
RUNS = (20, 50)
SHORTEST_RUN = 8
"""Common runs of fewer words are everyday phrases and are not counted."""
BINS = 20
_UNSPACED = r"\u0e00-\u0eff\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORDS = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+")  # a character where no spaces are written
_FEWEST_WORDS = 10
_PAIRS_SHOWN = 3
_REPORTED_EVERY = 2_000
Words = tuple[str, ...]


class _Text(NamedTuple):
    title: str
    words: list[str]

    @property
    def triples(self) -> set[Words]:
        words = self.words
        return set(zip(words, words[1:], words[2:], strict=False)) or {tuple(words)}


class _Closest:
    """Held-out documents, and for each the training documents closest to it so far."""

    def __init__(self, held: list[_Text]) -> None:
        self.held = held
        places: dict[Words, list[int]] = {}
        self._starts: dict[Words, list[tuple[int, int]]] = {}
        for number, text in enumerate(held):
            for triple in text.triples:
                places.setdefault(triple, []).append(number)
            for at in range(len(text.words) - SHORTEST_RUN + 1):
                start = tuple(text.words[at : at + SHORTEST_RUN])
                self._starts.setdefault(start, []).append((number, at))
        self._places: dict[Words, npt.NDArray[np.int64]] = {k: np.array(v) for k, v in places.items()}
        self._sizes = np.array([len(text.triples) for text in held], dtype=np.int64)
        self.similarity = np.zeros(len(held))
        self.neighbour = np.full(len(held), -1, dtype=np.int64)
        self.run = [SHORTEST_RUN - 1] * len(held)
        self.phrase: dict[int, str] = {}

    def meet(self, number: int, text: _Text) -> None:
        """Compare one training document with all held-out ones."""
        triples = text.triples
        met = [self._places[triple] for triple in triples if triple in self._places]
        if met:
            common = np.bincount(np.concatenate(met), minlength=len(self.held))
            similarity = common / (len(triples) + self._sizes - common)
            closer = np.flatnonzero(similarity > self.similarity)
            self.similarity[closer] = similarity[closer]
            self.neighbour[closer] = number
        words = text.words
        for at in range(len(words) - SHORTEST_RUN + 1):
            for held, there in self._starts.get(tuple(words[at : at + SHORTEST_RUN]), ()):
                self._lengthen(held, there, words, at)

    def _lengthen(self, held: int, there: int, words: list[str], at: int) -> None:
        """Two texts agree in some words from ``there`` and ``at`` on: is it the longest run so far?"""
        other, longest = self.held[held].words, self.run[held]
        if words[at + longest : at + longest + 1] != other[there + longest : there + longest + 1]:
            return
        run = 0
        for one, two in zip(words[at:], other[there:], strict=False):
            if one != two:
                break
            run += 1
        if run > longest:
            self.run[held] = run
            self.phrase[held] = " ".join(words[at : at + run])


def leak_report(
    train: Sequence[Bodies],
    held_out: Mapping[str, Sequence[Bodies]],
    progress: Listener = ignore,
    thresholds: Sequence[float] = THRESHOLDS,
) -> dict[str, Leak]:
    """Return split -> highest similarity to training of each held-out document: distribution, closest pairs.

    Documents are given as their section bodies, the title first. Similarity is the exact Jaccard similarity
    of the sets of three consecutive words, over all pairs; a run is the longest stretch of words that a
    held-out document shares with any training document. ``thresholds`` are those of `Leak.at_least`.
    """
    splits = {split: [_read(bodies) for bodies in documents] for split, documents in held_out.items()}
    closest = _Closest([text for texts in splits.values() for text in texts])
    titles = {split: {_plain(text.title) for text in texts} for split, texts in splits.items()}
    shared: dict[str, set[str]] = {split: set() for split in splits}
    for number, bodies in enumerate(train):
        text = _read(bodies)
        plain = _plain(text.title)
        for split, known in titles.items():
            if plain in known:
                shared[split].add(plain)
        closest.meet(number, text)
        if (number + 1) % _REPORTED_EVERY == 0:
            progress(Advanced(work="checking", done=number + 1, total=len(train)))
    leaks, first = {}, 0
    for split, texts in splits.items():
        members = range(first, first + len(texts))
        first += len(texts)
        leaks[split] = Leak(
            train=len(train),
            held_out=len(texts),
            shared_titles=len(shared[split]),
            **_similarities(members, closest, train, thresholds),
            **_runs(members, closest),
        )
    return leaks


def _read(bodies: Bodies) -> _Text:
    """Title, and the words of all other sections; those of the title, too, if the others have few."""
    first, *others = bodies
    rest = " ".join(others)
    words = _WORDS.findall(unicodedata.normalize("NFC", rest.lower()))
    if len(words) < _FEWEST_WORDS and not (rest and rest.startswith(first)):
        words = _WORDS.findall(unicodedata.normalize("NFC", " ".join(bodies).lower()))
    return _Text(first, words)


def _plain(title: str) -> str:
    return " ".join(_WORDS.findall(title.lower()))


def _similarities(
    members: range, closest: _Closest, train: Sequence[Bodies], thresholds: Sequence[float]
) -> dict[str, Any]:
    values = [float(closest.similarity[n]) for n in members]
    ranked = sorted(members, key=lambda n: -closest.similarity[n])
    cuts = quantiles(values, n=100, method="inclusive") if len(values) > 1 else values * 99
    bins = Counter(min(BINS - 1, int(value * BINS)) for value in values)
    return {
        "highest": round(max(values), 4) if values else None,
        "percentiles": {str(p): round(cuts[p - 1], 4) for p in (50, 90, 99)} if cuts else {},
        "histogram": tuple(bins[number] for number in range(BINS)),
        "at_least": {str(t): sum(value >= t for value in values) for t in thresholds},
        "closest": tuple(
            ClosestPair(
                similarity=round(float(closest.similarity[n]), 4),
                held_out=closest.held[n].title,
                train=train[int(closest.neighbour[n])][0],
            )
            for n in ranked[:_PAIRS_SHOWN]
            if closest.neighbour[n] >= 0
        ),
    }


def _runs(members: range, closest: _Closest) -> dict[str, Any]:
    runs = {n: closest.run[n] for n in members if n in closest.phrase}
    longest = max(runs, key=lambda n: runs[n], default=None)
    return {
        "longest_common_words": None if longest is None else runs[longest],
        "longest_common_text": None if longest is None else closest.phrase[longest],
        "common_words_at_least": {str(n): sum(run >= n for run in runs.values()) for n in RUNS},
    }
