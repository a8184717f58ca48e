"""Which learning rates a method tries, which survive, and which one is confirmed. Pure arithmetic."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Literal, NamedTuple

from pydantic import Field, PositiveFloat

from eval.statistics.optimum import lowest
from toolkit.errors import UserError
from toolkit.records import RateChoice
from toolkit.specs import MethodSpec, Spec

ADAPTERS = 10.0
"""Full fine-tuning's best learning rate times this is about an adapter's best (Schulman et al. 2025, *LoRA
Without Regret*)."""
PROMPTS = 100.0
"""The same for methods that train a few vectors in front of the text (published rates: 1e-3 to 3e-1)."""
SMALLEST_SAFE_STEP = 1.1
"""From 1.0 times a power of ten on, rates this far apart differ in their second digit."""
PROMPT_TYPES = ("PROMPT_TUNING", "PREFIX_TUNING", "P_TUNING", "MULTITASK_PROMPT_TUNING", "CARTRIDGE")


class Search(Spec):
    """How a method that says `tune` finds its learning rate: the same number of tries for all."""

    rates: int = Field(default=3, ge=2, le=100)
    """Learning rates a method tries."""
    step: float = Field(default=math.sqrt(10), gt=1)
    """Factor from one rate to the next."""
    centre: PositiveFloat = 1e-4
    """Middle of the grid of full fine-tuning. That of other methods is ten times it, of trained prompts a
    hundred times."""
    strategy: Literal["grid", "bracket", "halving"] = "grid"
    """Every rate in full; or from the middle towards lower loss until the best rate has a worse one on either
    side; or short runs first, of which the better half gets twice the budget."""
    at_edge: Literal["extend", "flag"] = "extend"
    """If a best rate is the first or last: one more rate on that side for all methods, or a flag."""
    choose: Literal["interpolated", "grid"] = "interpolated"
    """Confirm at the minimum of a parabola through the best rate and its neighbours, or at the best rate.

    In a search by halving, neighbours that were left behind have no comparable loss: the best rate is taken.
    By chance a grid suits one method better than another: two equally good ones are called different at its
    best rate in 13 to 18 % of studies of three or five seeds, and in 3 to 5 % at the interpolated rate."""


class ChosenRate(NamedTuple):
    """The learning rate of a method's confirming runs."""

    rate: float
    choice: RateChoice


class Rung(NamedTuple):
    """One round of a search."""

    budget: float
    """Share of the epochs that its runs train."""
    keep: int
    """How many rates go on from it."""


def own_rates(method: MethodSpec, search: Search) -> tuple[float, ...]:
    """The method's grid: even steps on a log scale about the centre of its family, two digits each.

    Raises UserError if two rates, or one and that past the grid, are the same to two digits.
    """
    middle = search.centre * _family(method)
    rates = tuple(
        _two_digits(middle * search.step ** (k - (search.rates - 1) / 2)) for k in range(search.rates)
    )
    every = [*rates]
    if search.at_edge == "extend":
        every += [beyond(rates, search.step, side) for side in (-1, 1)]
    twice = [rate for place, rate in enumerate(every) if rate in every[:place]]
    if twice:
        raise UserError(
            f"search.step: {search.step:g} from one rate to the next gives {twice[0]:g} twice, as rates have "
            f"two digits; choose {SMALLEST_SAFE_STEP:g} or more"
        )
    return rates


def beyond(rates: Sequence[float], step: float, side: int) -> float:
    """The rate one step past the grid, below it (``side`` -1) or above it (1)."""
    return _two_digits(min(rates) / step if side < 0 else max(rates) * step)


def rungs(search: Search, rates: int) -> list[Rung]:
    """The rounds of a search among so many rates.

    Successive halving (Jamieson and Talwalkar 2016) with a factor of two: each round halves the rates and
    doubles the budget, so that a single one would be left for the whole budget; that last run decides nothing
    and is not made. Four rates: a quarter of the epochs for four, half for two.
    """
    if search.strategy != "halving":
        return [Rung(1.0, 1)]
    rounds = math.ceil(math.log2(rates))
    return [Rung(0.5 ** (rounds - k), max(1, math.ceil(rates / 2 ** (k + 1)))) for k in range(rounds)]


def fewest_runs(search: Search, rates: int) -> int:
    """How many runs a search among so many rates has at least, with one tuning seed."""
    if search.strategy == "bracket":
        return min(3, rates)
    return rates + sum(rung.keep for rung in rungs(search, rates)[:-1])


def downhill(grid: Sequence[float], scores: Mapping[float, float]) -> list[float]:
    """The rates that a bracketing search tries next; none once the best rate has a worse one on either side.

    ``scores``: rate -> validation loss of those tried, next to each other in ``grid``. The first two are the
    middle ones. None either where the grid ends. If all diverged, the next one is lower.
    """
    rates = sorted(grid)
    if not scores:
        first = (len(rates) - 1) // 2
        return rates[first : first + 2]
    leader = min(scores, key=lambda rate: (scores[rate], rate))
    low, high = rates.index(min(scores)), rates.index(max(scores))
    if leader == rates[low]:
        return rates[max(0, low - 1) : low]
    return rates[high + 1 : high + 2] if leader == rates[high] else []


def beside(grid: Sequence[float], scores: Mapping[float, float], count: int) -> list[float]:
    """So many rates next to those tried, those nearest to the best one first; fewer where the grid ends.

    Of two that are as near, the one that comes first in ``grid``.
    """
    rates = sorted(grid)
    leader = rates.index(min(scores, key=lambda rate: (scores[rate], rate)))
    left = [rate for rate in grid if rate not in scores]
    return sorted(left, key=lambda rate: abs(rates.index(rate) - leader))[:count]


def best(scores: Mapping[float, float], keep: int) -> list[float]:
    """The rates with the lowest scores, best first; one that diverged is no candidate."""
    finite = [rate for rate in scores if math.isfinite(scores[rate])]
    return sorted(finite, key=lambda rate: (scores[rate], rate))[:keep]


def confirming_rate(
    scores: Mapping[float, float],
    choose: Literal["interpolated", "grid"],
    tried: Collection[float] | None = None,
) -> ChosenRate | None:
    """The rate that confirming runs use; None if every rate diverged.

    ``scores``: rate -> mean validation bits per byte over the tuning seeds, after equally long training.
    ``choose``: see `Search`. ``tried``: all rates of the search, of which a round may have left some behind;
    those of ``scores`` unless given. The best is at the edge if it is the first or last of them, and a
    parabola goes through it and its neighbours among them. Three significant digits.

    Confirming at the grid's best instead calls equally good methods better or worse more often, because a
    coarse grid happens to suit one of them (docs/calibration.md).
    """
    leaders = best(scores, 1)
    if not leaders:
        return None
    rates, leader = sorted(tried or scores), leaders[0]
    if leader in (rates[0], rates[-1]):
        return ChosenRate(leader, "edge")
    place = rates.index(leader)
    near = {rate: scores[rate] for rate in rates[place - 1 : place + 2] if rate in scores}
    vertex = lowest(near) if choose == "interpolated" else None
    if vertex is None or vertex == leader:
        return ChosenRate(leader, "grid")
    return ChosenRate(float(f"{vertex:.3g}"), "interpolated")


def sides(chosen: Mapping[str, float], tried: Mapping[str, Sequence[float]]) -> list[int]:
    """On which sides (-1, 1) some method's best rate is the last one it tried."""
    low = any(rate == min(tried[name]) for name, rate in chosen.items())
    high = any(rate == max(tried[name]) for name, rate in chosen.items())
    return [side for side, there in ((-1, low), (1, high)) if there]


def _family(method: MethodSpec) -> float:
    if method.peft is not None and str(method.peft["peft_type"]).upper() in PROMPT_TYPES:
        return PROMPTS
    return 1.0 if method.trainable == ("*",) else ADAPTERS


def _two_digits(rate: float) -> float:
    return float(f"{rate:.1e}")
