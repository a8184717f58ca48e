"""How close a finished split's held-out documents come to its training documents, whatever made the split.

Nothing here is shared with the deduplication: words are compared as words and not as hashes, and every
pair that has three consecutive words in common is counted, not only sketched candidates.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import quantiles
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from toolkit.data.format import section_bodies
from toolkit.specs import Format

THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9)
RUNS = (20, 50)
SHORTEST_RUN = 8
"""Common runs of fewer words are everyday phrases and are not looked for."""
BINS = 20
_WORDS = re.compile(r"[^\W_]+")
_PAIRS_SHOWN = 3
Words = tuple[str, ...]


class _Text(NamedTuple):
    title: str
    words: list[str]

    @property
    def triples(self) -> set[Words]:
        words = self.words
        return set(zip(words, words[1:], words[2:], strict=False)) or {tuple(words)}


class _Closest:
    """Held-out documents, and for each what is known of the training documents closest to it."""

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
        """Let one training document meet all held-out ones."""
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
    train: Sequence[str], held_out: Mapping[str, Sequence[str]], forms: Sequence[Format]
) -> dict[str, Any]:
    """Part -> highest similarity to training of each held-out document: distribution, counts, closest pairs.

    Similarity is the exact Jaccard similarity of the sets of three consecutive words, over all pairs; a run
    is the longest stretch of words that a held-out document shares with any training document.
    """
    parts = {part: [_read(text, forms) for text in texts] for part, texts in held_out.items()}
    closest = _Closest([text for texts in parts.values() for text in texts])
    titles = {part: {_plain(text.title) for text in texts} for part, texts in parts.items()}
    shared: dict[str, set[str]] = {part: set() for part in parts}
    for number, rendered in enumerate(train):
        text = _read(rendered, forms)
        plain = _plain(text.title)
        for part, known in titles.items():
            if plain in known:
                shared[part].add(plain)
        closest.meet(number, text)
    said, first = {}, 0
    for part, texts in parts.items():
        members = range(first, first + len(texts))
        first += len(texts)
        said[part] = {
            "train": len(train),
            "held_out": len(texts),
            "shared_titles": len(shared[part]),
            **_similarities(members, closest, train, forms),
            **_runs(members, closest),
        }
    return said


def _read(text: str, forms: Sequence[Format]) -> _Text:
    """Title, and the words of all other sections (of the title where there is no other)."""
    form = next(form for form in forms if text.startswith(form.markers[0]))
    first, *others = section_bodies(text, form).values()
    return _Text(first, _WORDS.findall(" ".join(others or [first]).lower()))


def _plain(title: str) -> str:
    return " ".join(_WORDS.findall(title.lower()))


def _similarities(
    members: range, closest: _Closest, train: Sequence[str], forms: Sequence[Format]
) -> dict[str, Any]:
    values = [float(closest.similarity[n]) for n in members]
    ranked = sorted(members, key=lambda n: -closest.similarity[n])
    cuts = quantiles(values, n=100, method="inclusive") if len(values) > 1 else values * 99
    bins = Counter(min(BINS - 1, int(value * BINS)) for value in values)
    return {
        "highest": round(max(values), 4) if values else None,
        "percentiles": {str(p): round(cuts[p - 1], 4) for p in (50, 90, 99)} if cuts else {},
        "histogram": [bins[number] for number in range(BINS)],
        "at_least": {str(t): sum(value >= t for value in values) for t in THRESHOLDS},
        "closest": [
            {
                "similarity": round(float(closest.similarity[n]), 4),
                "held_out": closest.held[n].title,
                "train": _read(train[int(closest.neighbour[n])], forms).title,
            }
            for n in ranked[:_PAIRS_SHOWN]
            if closest.neighbour[n] >= 0
        ],
    }


def _runs(members: range, closest: _Closest) -> dict[str, Any]:
    runs = {n: closest.run[n] for n in members if n in closest.phrase}
    longest = max(runs, key=lambda n: runs[n], default=None)
    return {
        "longest_common_words": None if longest is None else runs[longest],
        "longest_common_text": None if longest is None else closest.phrase[longest],
        "common_words_at_least": {str(n): sum(run >= n for run in runs.values()) for n in RUNS},
    }
