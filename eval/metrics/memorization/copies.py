"""Runs of words that a text shares with the training texts, by hashes of all their n-grams."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from eval.metrics.base import Context
from eval.metrics.texts import without_markers, written_words
from eval.metrics.words import words
from toolkit.data.format import plain_text
from toolkit.records import Outcome

Hashes = NDArray[np.uint64]

RUN = 13
"""A run of this many words is called copied: GPT-3's threshold for contamination (Brown et al., 2020)."""
_BASE = 0x9E3779B97F4A7C15  # odd, so it has an inverse modulo 2 ** 64
_MODULUS = 2**64


class Runs:
    """All n-grams of a collection of texts, for any n, as sorted 64-bit hashes made when first asked for."""

    def __init__(self, texts: Iterable[Sequence[str]]) -> None:
        stream: list[int] = []
        for number, tokens in enumerate(texts):
            stream += map(_hash, tokens)
            stream.append(number)  # no word's hash: no run of words goes from one text to the next
        self._prefix = _prefix(stream)
        self._grams: dict[int, Hashes] = {}
        self._longest: dict[str, int] = {}

    def has(self, tokens: Sequence[str], n: int) -> bool:
        """Whether any run of ``n`` words stands in the collection."""
        if len(tokens) < n:
            return False
        if n not in self._grams:
            self._grams[n] = np.sort(_windows(self._prefix, n))
        known = self._grams[n]
        windows = _windows(_prefix([_hash(token) for token in tokens]), n)
        places = np.searchsorted(known, windows)
        return bool((known[np.minimum(places, len(known) - 1)] == windows).any()) if len(known) else False

    def longest(self, tokens: Sequence[str]) -> int:
        """Return the number of words of the longest run that is in the collection; 0 if no word is.

        Remembered by text: two metrics need it of the same texts.
        """
        key = " ".join(tokens)
        if key not in self._longest:
            self._longest[key] = self._search(tokens)
        return self._longest[key]

    def _search(self, tokens: Sequence[str]) -> int:
        low, high = 0, 1
        while self.has(tokens, high):
            low, high = high, 2 * high
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.has(tokens, middle) else (low, middle)
        return low


def longest_copy(outcome: Outcome, context: Context) -> int | None:
    """Words of the longest run that a generation shares with the training texts; None without either."""
    tokens = written_words(outcome, context)
    if tokens is None or not context.train:
        return None
    form = context.form
    runs = context.from_train(
        "runs", lambda: Runs(words(without_markers(plain_text(text, form), form)) for text in context.train)
    )
    return runs.longest(tokens)


@lru_cache(maxsize=200_000)
def _hash(word: str) -> int:
    return int.from_bytes(blake2b(word.encode(), digest_size=8).digest())


def _prefix(stream: Sequence[int]) -> Hashes:
    """Sums of ``word * base ** place``, modulo 2 ** 64, of the first 0, 1, 2, … words."""
    powers = _powers(_BASE, len(stream))
    return np.concatenate(
        [np.zeros(1, np.uint64), np.cumsum(np.array(stream, dtype=np.uint64) * powers, dtype=np.uint64)]
    )


def _windows(prefix: Hashes, n: int) -> Hashes:
    """Hash of every run of ``n`` words, whatever its place."""
    sums = prefix[n:] - prefix[:-n]
    hashes: Hashes = sums * _powers(pow(_BASE, -1, _MODULUS), len(sums))
    return hashes


def _powers(base: int, count: int) -> Hashes:
    factors = np.full(count, base, dtype=np.uint64)
    factors[:1] = 1
    return np.cumprod(factors, dtype=np.uint64)
