"""Which generations are shown against each other: pairs for the same prompt, sides and order drawn."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

from toolkit.errors import UserError
from toolkit.records.base import Record


class Shown(NamedTuple):
    """One pair as a rater sees it: no method, no markers."""

    pair: str
    """Identity of the pair: it tells nothing about the methods."""
    prompt: str
    left: str
    right: str


class PairKey(Record):
    """One line of the key: which methods a pair shows. It never leaves the results folder."""

    pair: str
    prompt: str
    left: str
    """Method on the left."""
    right: str


def draw(
    texts: Mapping[str, Mapping[str, str]], *, seed: int, most: int | None = None
) -> tuple[list[Shown], list[PairKey]]:
    """Pair the methods' texts: ``texts`` is method -> prompt -> text.

    Every prompt that all methods answered gives one pair per two methods, unless both wrote the same text.
    Sides are drawn so that each method stands on the left about as often as on the right; the order is drawn
    too. ``most`` keeps that many pairs, the same number of each two methods. Raises UserError if fewer than
    two methods share a prompt.
    """
    methods = sorted(texts)
    shared = sorted(set.intersection(*(set(texts[m]) for m in methods))) if methods else []
    if len(methods) < 2 or not shared:
        raise UserError("a taste test needs two methods with generations for the same prompts")
    drawn = random.Random(f"taste {seed}")
    shown: list[tuple[Shown, PairKey]] = []
    by_couple: list[list[tuple[Shown, PairKey]]] = []
    for couple in combinations(methods, 2):
        different = [prompt for prompt in shared if texts[couple[0]][prompt] != texts[couple[1]][prompt]]
        drawn.shuffle(different)
        # half of a couple's pairs each way round: a bias for one side then cancels
        sides = [index % 2 == 0 for index in range(len(different))]
        drawn.shuffle(sides)
        by_couple.append([
            _pair(texts, prompt, couple if first else couple[::-1], seed)
            for prompt, first in zip(different, sides, strict=True)
        ])  # fmt: skip
    per_couple = None if most is None else max(1, most // len(by_couple))
    for couple_pairs in by_couple:
        shown += couple_pairs[:per_couple]
    if not shown:
        raise UserError(
            "the methods wrote the same text for every prompt: there is nothing to choose between"
        )
    drawn.shuffle(shown)
    return [pair for pair, _ in shown], [key for _, key in shown]


def _pair(
    texts: Mapping[str, Mapping[str, str]], prompt: str, sides: Sequence[str], seed: int
) -> tuple[Shown, PairKey]:
    left, right = sides
    name = hashlib.sha256(f"{seed}\0{prompt}\0{texts[left][prompt]}\0{texts[right][prompt]}".encode())
    identity = name.hexdigest()[:12]
    shown = Shown(identity, prompt, texts[left][prompt], texts[right][prompt])
    return shown, PairKey(pair=identity, prompt=prompt, left=left, right=right)
