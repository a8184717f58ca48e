"""How close a finished split's held-out documents come to its training documents, whatever made the split.

Nothing here is shared with the deduplication: words are compared as words and not as hashes, and every
pair that has three consecutive words in common is counted, not only sketched candidates.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from statistics import quantiles
from typing import Any

from toolkit.data.format import Format, section_bodies

THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9)
RUNS = (20, 50)
SHORTEST_RUN = 8
"""Common runs of fewer words are everyday phrases and are not looked for."""
_WORDS = re.compile(r"[^\W_]+")
_PAIRS_SHOWN = 3


@dataclass
class _Closest:
    """What is known about one held-out document."""

    similarity: float = 0.0
    neighbour: int | None = None
    run: int = SHORTEST_RUN - 1
    phrase: str | None = None


@dataclass
class _Held:
    words: list[list[str]] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    index: dict[tuple[str, ...], list[int]] = field(default_factory=dict)


def _compared(text: str, forms: Sequence[Format]) -> tuple[str, list[str]]:
    """Title, and the words of all other sections (of the title where there is no other)."""
    form = next(form for form in forms if text.startswith(form.markers[0]))
    first, *others = section_bodies(text, form).values()
    return first, _WORDS.findall(" ".join(others or [first]).lower())


def _triples(words: list[str]) -> set[tuple[str, ...]]:
    return set(zip(words, words[1:], words[2:], strict=False)) or {tuple(words)}


def leak_report(train: Sequence[str], held_out: Sequence[str], forms: Sequence[Format]) -> dict[str, Any]:
    """Highest similarity to training of each held-out document: distribution, counts, the closest pairs.

    Similarity is the exact Jaccard similarity of the sets of three consecutive words, over all pairs; a run
    is the longest stretch of words that a held-out document shares with any training document.
    """
    held = _Held()
    titles = set()
    for number, text in enumerate(held_out):
        title, words = _compared(text, forms)
        titles.add(" ".join(_WORDS.findall(title.lower())))
        triples = _triples(words)
        held.words.append(words)
        held.sizes.append(len(triples))
        for triple in triples:
            held.index.setdefault(triple, []).append(number)
    closest = [_Closest() for _ in held_out]
    shared_titles: set[str] = set()
    for number, text in enumerate(train):
        title, words = _compared(text, forms)
        plain = " ".join(_WORDS.findall(title.lower()))
        if plain in titles:
            shared_titles.add(plain)
        _meet(number, words, held, closest)
    return {
        "train": len(train),
        "held_out": len(held_out),
        "shared_titles": len(shared_titles),
        **_similarities(closest, train, held_out, forms),
        **_runs(closest),
    }


def _meet(number: int, words: list[str], held: _Held, closest: list[_Closest]) -> None:
    triples = _triples(words)
    common: Counter[int] = Counter()
    for triple in triples:
        if triple in held.index:
            common.update(held.index[triple])
    for other, count in common.items():
        known = closest[other]
        similarity = count / (len(triples) + held.sizes[other] - count)
        if similarity > known.similarity:
            known.similarity, known.neighbour = similarity, number
        if count + 2 > known.run:  # n shared triples make a common run of at most n + 2 words
            match = SequenceMatcher(None, held.words[other], words, autojunk=False).find_longest_match()
            if match.size > known.run:
                known.run, known.phrase = match.size, " ".join(words[match.b : match.b + match.size])


def _similarities(
    closest: list[_Closest], train: Sequence[str], held_out: Sequence[str], forms: Sequence[Format]
) -> dict[str, Any]:
    values = [known.similarity for known in closest]
    ranked = sorted(range(len(values)), key=lambda i: -values[i])
    pairs = [
        {
            "similarity": round(values[i], 4),
            "held_out": _compared(held_out[i], forms)[0],
            "train": _compared(train[j], forms)[0],
        }
        for i in ranked[:_PAIRS_SHOWN]
        if (j := closest[i].neighbour) is not None
    ]
    cuts = quantiles(values, n=100, method="inclusive") if len(values) > 1 else values * 99
    histogram = [0] * 20
    for value in values:
        histogram[min(19, int(value * 20))] += 1
    return {
        "highest": round(max(values), 4) if values else None,
        "percentiles": {str(p): round(cuts[p - 1], 4) for p in (50, 90, 99)} if cuts else {},
        "histogram": histogram,
        "at_least": {str(t): sum(v >= t for v in values) for t in THRESHOLDS},
        "closest": pairs,
    }


def _runs(closest: list[_Closest]) -> dict[str, Any]:
    longest = max(closest, key=lambda known: known.run, default=_Closest())
    return {
        "longest_common_words": longest.run if longest.phrase else None,
        "longest_common_text": longest.phrase,
        "common_words_at_least": {str(n): sum(known.run >= n for known in closest) for n in RUNS},
    }
