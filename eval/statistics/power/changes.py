"""What an undecided comparison needs, and the cheapest study that sees a wanted difference."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal, NamedTuple

import numpy as np

from eval.statistics.crossed import ALPHA, Spread
from eval.statistics.power.assurance import POWER, Variances, decided, detectable, two_digits

MOST_SEEDS = 100
MOST_DOCUMENTS = 1_000_000
LIKELY = (0.1, 0.9)
"""Ends of the interval of the seeds' variance that ranges are made of."""


class Needed(NamedTuple):
    """How many documents, or how many seeds, decide; None for a way that does not, or if it is decided.

    The ranges are the same numbers if the seeds' variance lies at either end of its 80 % interval.
    """

    documents: int | None = None
    documents_range: tuple[int, int | None] | None = None
    seeds: int | None = None
    seeds_range: tuple[int, int | None] | None = None


def needed(
    spread: Spread,
    difference: float,
    margin: float | None,
    tests: int = 1,
    *,
    level: float = ALPHA,
    directed: bool = True,
    known: Variances | None = None,
) -> Needed:
    """Return what would decide with 80 % power if the true difference is the observed one.

    Documents are added at the seeds there are, and seeds at the documents there are. Empty if the study's
    own size does, or with no difference and no margin. ``level``, ``directed``: as in `assurance.decided`; if
    no way is better, a difference outside the margin is never decided. ``known``: the variances, if they
    are others than the error's own.
    """
    size, here = abs(difference), known or Variances.of(spread)

    def enough(of: Variances, seeds: int, documents: int) -> bool:
        chance = decided(of, seeds, documents, size, margin, tests, level=level, directed=directed)
        return chance >= POWER

    def ways(of: Variances) -> tuple[int | None, int | None]:
        more = _first(lambda n: enough(of, spread.seeds, n), spread.documents, MOST_DOCUMENTS)
        seeds = None
        if spread.seeds > 1:
            seeds = _first(lambda s: enough(of, s, spread.documents), spread.seeds, MOST_SEEDS)
        return None if more is None else two_digits(more), seeds

    never = margin is None or size >= margin if not directed else size == 0 and margin is None
    if never or spread.error == 0 or enough(here, spread.seeds, spread.documents):
        return Needed()
    documents, seeds = ways(here)
    if spread.seeds == 1:
        return Needed(documents)
    low, high = (ways(here.at(quantile)) for quantile in LIKELY)
    return Needed(
        documents,
        None if documents is None else (low[0] or documents, high[0]),
        seeds,
        None if seeds is None else (low[1] or seeds, high[1]),
    )


class Change(NamedTuple):
    """The size of a study that reaches a target."""

    kind: Literal["enough", "documents", "seeds", "both"]
    seeds: int
    documents: int


def cheapest_change(
    variances: Variances,
    seeds: int,
    documents: int,
    target: float,
    *,
    tests: int = 1,
    seed_cost: float = 1000.0,
    document_cost: float = 1.0,
) -> Change | None:
    """Return the cheapest study that detects ``target`` with 80 % power; None if 100 seeds do not.

    ``seed_cost``: of training one more seed, and ``document_cost``: of evaluating one more document at one
    seed, in any one unit. Sizes below the present ones are not considered.
    """
    if detectable(variances, seeds, documents, tests) <= target:
        return Change("enough", seeds, documents)

    def enough(s: int, n: int) -> bool:
        return decided(variances, s, n, target, None, tests) >= POWER

    fewest = _first(lambda s: enough(s, MOST_DOCUMENTS), seeds, MOST_SEEDS)
    best, least = None, np.inf
    for s in range(fewest or MOST_SEEDS + 1, MOST_SEEDS + 1):
        if (s - seeds) * seed_cost >= least:
            break
        n = _first(partial(enough, s), documents, MOST_DOCUMENTS)
        cost = np.inf if n is None else (s - seeds) * seed_cost + (s * n - seeds * documents) * document_cost
        if n is not None and cost < least:
            kind: Literal["documents", "seeds", "both"] = "documents" if s == seeds else "both"
            best, least = Change("seeds" if n == documents else kind, s, n), cost
    return best


def _first(enough: Callable[[int], bool], start: int, most: int) -> int | None:
    """Return the smallest number from ``start`` to ``most`` that is enough, by doubling and halving.

    None: none is. ``enough`` must stay true once it is.
    """
    if enough(start):
        return start
    if start >= most or not enough(most):
        return None
    low, high = start, min(most, 2 * start)
    while not enough(high):
        low, high = high, min(most, 2 * high)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
