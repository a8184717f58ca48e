"""Texts as sets of hashed word shingles, and titles as the words that make two of them the same."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from toolkit.data.conversations.turns import Dialogue
from toolkit.data.format import Document
from toolkit.data.split import Hashes

SHINGLE_WORDS = 3
"""A shingle is this many consecutive words."""

MIX = tuple(np.uint64(c) for c in (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9))
"""Odd 64-bit multipliers."""
_UNSPACED = r"\u0e00-\u0eff\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_SIGNED = r"\u0900-\u0963\u0966-\u0dff\u1000-\u1049\u1050-\u109f"
"""Scripts of India, Sri Lanka and Burma: their vowel signs are no letters to `re`, and part of words."""
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}{_SIGNED}]+|[{_SIGNED}]+")
"""A word, or a character of a script that is written without spaces: Thai, Lao, Khmer, Japanese, Chinese."""
_ACCENTED = 0x0530
"""Latin, Greek and Cyrillic letters lie below it: their accents make no other letter."""
_ROMAN = re.compile(r"[ivx]+")


def stable_hash(text: str) -> int:
    """64 bits of BLAKE2b: the same on every machine and in every process, unlike ``hash``."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def normalised_title(title: str) -> str:
    """Words of a title without case, accents and punctuation: what makes two titles the same.

    A Roman numeral at the end goes too: "Saj Bread II" and "Saj Bread III" are one dish told twice.
    """
    found = words(_without_accents(unicodedata.normalize("NFKD", title).casefold()))
    if len(found) > 1 and _ROMAN.fullmatch(found[-1]):
        found.pop()
    return " ".join(found) or title


def title_key(document: Document | Dialogue) -> str:
    """What makes two titles the same: their words; of prompts all but white space: 2 + 2 is not 2 - 2.

    A system turn is in no prompt that is compared.
    """
    if isinstance(document, Dialogue):
        return unicodedata.normalize("NFC", " ".join(document.bodies[0].split()))
    return normalised_title(document.title)


def words(text: str) -> list[str]:
    """Return the words of a text in their order, of scripts without spaces the characters."""
    return _WORD.findall(unicodedata.normalize("NFC", text))


def _without_accents(text: str) -> str:
    """Drop combining marks where a letter stays the same without: é is e, but バ is not ハ."""
    kept, base = [], ""
    for character in text:
        if not unicodedata.combining(character):
            base = character
        elif base and ord(base) < _ACCENTED:
            continue
        kept.append(character)
    return "".join(kept)


class _Vocabulary(dict[str, int]):
    """Word -> hash, computed once a word."""

    def __missing__(self, word: str) -> int:
        value = self[word] = stable_hash(word)
        return value


class Shingles(NamedTuple):
    """Shingle hashes of several documents, one after the other; document i has ``flat[at[i]:at[i+1]]``."""

    flat: Hashes
    at: Hashes

    def document(self, index: int) -> Hashes:
        """The set of one document's shingles, sorted."""
        return np.unique(self.flat[int(self.at[index]) : int(self.at[index + 1])])


class Shingler:
    """Turns texts into hashed word shingles. Holds the hashes of the words it has seen."""

    def __init__(self) -> None:
        self._words = _Vocabulary()

    def __call__(self, texts: Sequence[str]) -> Shingles:
        """Shingles of each text; one of fewer than three words has one shingle."""
        flat: list[int] = []
        lengths = np.empty(len(texts), dtype=np.int64)
        for number, text in enumerate(texts):
            found = words(text.casefold())
            found += [""] * (SHINGLE_WORDS - len(found))
            flat.extend(map(self._words.__getitem__, found))
            lengths[number] = len(found)
        hashes = np.array(flat, dtype=np.uint64)
        count = max(0, len(hashes) - SHINGLE_WORDS + 1)
        mixed = np.zeros(count, dtype=np.uint64)
        for place in range(SHINGLE_WORDS):  # order matters: "salt and pepper" is not "pepper and salt"
            mixed = (mixed ^ hashes[place : place + count]) * MIX[place]
            mixed ^= mixed >> np.uint64(29)
        ends = np.cumsum(lengths)
        crossing = (ends[:-1, None] - np.arange(1, SHINGLE_WORDS)).ravel()  # shingles of two documents
        within = np.delete(mixed, crossing)
        at = np.concatenate([[0], np.cumsum(lengths - SHINGLE_WORDS + 1)]).astype(np.uint64)
        return Shingles(within, at)
