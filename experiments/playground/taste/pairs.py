"""Which generations are shown against each other: pairs for the same prompt, sides and order drawn."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Mapping
from itertools import combinations
from typing import NamedTuple

from toolkit.errors import UserError
from toolkit.records.base import Record

Couple = tuple[str, str]
"""Two methods."""


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
    texts: Mapping[str, Mapping[str, str]],
    *,
    seed: int,
    most: int | None = None,
    baseline: str | None = None,
) -> tuple[list[Shown], list[PairKey]]:
    """Pair the methods' texts: ``texts`` is method -> prompt -> text.

    Every prompt that all methods answered gives one pair per two methods, unless both wrote the same text.
    Sides are drawn so that each method stands on the left about as often as on the right; the order is drawn
    too. ``most`` keeps at most that many pairs, the same number of each two methods; if there are fewer than
    couples of methods, only couples with the ``baseline`` are shown. Raises UserError if fewer than two
    methods share a prompt, and if ``most`` is below one.
    """
    methods = sorted(texts)
    shared = sorted(set.intersection(*(set(texts[m]) for m in methods))) if methods else []
    if len(methods) < 2 or not shared:
        raise UserError("a taste test needs two methods with generations for the same prompts")
    if most is not None and most < 1:
        raise UserError(f"taste: --pairs is at least 1, got {most}")
    differing = {
        (one, other): [prompt for prompt in shared if texts[one][prompt] != texts[other][prompt]]
        for one, other in combinations(methods, 2)
    }
    couples = [couple for couple, prompts in differing.items() if prompts]
    if not couples:
        raise UserError(
            "the methods wrote the same text for every prompt: there is nothing to choose between"
        )
    drawn = random.Random(f"taste {seed}")
    if most is not None and most < len(couples):
        couples = _chosen(couples, most, baseline, drawn)
    per_couple = None if most is None else most // len(couples)
    shown: list[tuple[Shown, PairKey]] = []
    lead: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    for couple in couples:
        prompts = differing[couple]
        drawn.shuffle(prompts)
        prompts = prompts[:per_couple]
        sides = _sides(couple, len(prompts), lead, drawn)
        for prompt, pair in zip(prompts, sides, strict=True):
            shown.append(_pair(texts, prompt, pair, seed, seen))
    drawn.shuffle(shown)
    return [pair for pair, _ in shown], [key for _, key in shown]


def _chosen(couples: list[Couple], most: int, baseline: str | None, drawn: random.Random) -> list[Couple]:
    """Return the couples with the baseline, or all if it has none; if they are too many, ``most`` by lot."""
    with_baseline = [couple for couple in couples if baseline in couple] or couples
    return with_baseline if len(with_baseline) <= most else drawn.sample(with_baseline, most)


def _sides(couple: Couple, count: int, lead: Counter[str], drawn: random.Random) -> list[Couple]:
    """Return ``count`` pairs of a couple as (left, right): a bias for one side cancels, as half are each way.

    An odd one has on the left who stood there less often in all; ``lead`` counts left less right.
    """
    sides = [couple, couple[::-1]] * (count // 2)
    if count % 2:
        one, other = couple
        behind = lead[one] < lead[other] or (lead[one] == lead[other] and drawn.random() < 0.5)
        left, right = couple if behind else (other, one)
        lead[left] += 1
        lead[right] -= 1
        sides.append((left, right))
    drawn.shuffle(sides)
    return sides


def _pair(
    texts: Mapping[str, Mapping[str, str]], prompt: str, sides: Couple, seed: int, seen: Counter[str]
) -> tuple[Shown, PairKey]:
    """A pair under a name of its own, which tells nothing of the methods; ``seen`` counts equal texts."""
    left, right = sides
    content = f"{seed}\0{prompt}\0{texts[left][prompt]}\0{texts[right][prompt]}"
    before = f"\0{seen[content]}" if seen[content] else ""
    seen[content] += 1
    identity = hashlib.sha256(f"{content}{before}".encode()).hexdigest()[:12]
    shown = Shown(identity, prompt, texts[left][prompt], texts[right][prompt])
    return shown, PairKey(pair=identity, prompt=prompt, left=left, right=right)
