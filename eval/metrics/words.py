"""Words and runs of words: what diversity, copying and ingredient metrics count."""

from __future__ import annotations

import re
from collections.abc import Sequence

_WORD = re.compile(r"\w+")
_LETTERS = re.compile(r"[^\W\d_]+")


def words(text: str) -> list[str]:
    """Lower-case runs of letters and digits."""
    return _WORD.findall(text.lower())


def folded(text: str) -> list[str]:
    """Lower-case words without digits, an English plural's ending taken off: `tomatoes` is `tomato`."""
    return [_singular(word) for word in _LETTERS.findall(text.lower())]


def ngrams(tokens: Sequence[str], n: int) -> list[tuple[str, ...]]:
    """All runs of ``n`` tokens, repeated ones as often as they stand there."""
    return list(zip(*(tokens[start:] for start in range(n)), strict=False))


def _singular(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith("oes"):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith("ss"):
        return word[:-1]
    return word
