"""The search for a learning rate as arithmetic: grids, rounds, the better half, the edge."""

from __future__ import annotations

import math

import pytest

from experiments.design.learning_rates import (
    Search,
    beside,
    best,
    beyond,
    confirming_rate,
    downhill,
    fewest_runs,
    own_rates,
    rungs,
    sides,
)
from toolkit import config
from toolkit.errors import UserError
from toolkit.specs import MethodSpec


def test_an_adapters_grid_is_ten_times_that_of_full_fine_tuning():
    """Five rates, half a decade apart, about 1e-4 and 1e-3: 1e-4 / 10 = 1e-5 up to 1e-4 * 10 = 1e-3."""
    asked = Search(rates=5)
    assert own_rates(config.method("full"), asked) == (1e-5, 3.2e-5, 1e-4, 3.2e-4, 1e-3)
    assert own_rates(config.method("lora-r16"), asked) == (1e-4, 3.2e-4, 1e-3, 3.2e-3, 1e-2)


def test_an_even_grid_lies_about_its_centre():
    """Two rates, a factor of 4 apart, about 1e-4: 1e-4 / 2 and 1e-4 * 2."""
    assert own_rates(config.method("full"), Search(rates=2, step=4)) == (5e-5, 2e-4)


def test_steps_that_two_digits_cannot_tell_apart_are_refused():
    """1e-4 x 1.04^-.5 and 1e-4 x 1.04^.5 are 9.8e-5 and 1.0e-4; one step past, 1.04e-4, is 1.0e-4 again.

    If the grid is not extended, both are rates; of three, 9.6e-5, 1e-4 and 1.04e-4, two are the same.
    """
    with pytest.raises(UserError, match=r"search\.step: 1\.04 .* gives 0\.0001 twice.*; choose 1\.1 or more"):
        own_rates(config.method("full"), Search(rates=2, step=1.04))
    assert own_rates(config.method("full"), Search(rates=2, step=1.04, at_edge="flag")) == (9.8e-5, 1e-4)
    with pytest.raises(UserError, match="twice"):
        own_rates(config.method("full"), Search(rates=3, step=1.04, at_edge="flag"))
    for centre in (1e-4, 3.14e-4, 9.99e-4):
        own_rates(config.method("full"), Search(rates=100, step=1.1, centre=centre))


def test_patterns_of_some_weights_and_prompts_have_families_of_their_own():
    """Biases alone are moved as far as an adapter; a soft prompt a hundred times as far as all weights."""
    biases = MethodSpec(name="bitfit", trainable=("*.bias",))
    prompt = MethodSpec(name="prompt", peft={"peft_type": "PROMPT_TUNING", "num_virtual_tokens": 8})
    assert own_rates(biases, Search(rates=3))[1] == 1e-3
    assert own_rates(prompt, Search(rates=3))[1] == 1e-2


def test_a_grid_is_one_round_in_full():
    """Nothing goes on but the best."""
    assert rungs(Search(), 5) == [(1.0, 1)]


@pytest.mark.parametrize(
    ("rates", "rounds", "cost"),
    [
        (2, [(1 / 2, 1)], 1.0),
        (3, [(1 / 4, 2), (1 / 2, 1)], 1.75),
        (4, [(1 / 4, 2), (1 / 2, 1)], 2.0),
        (5, [(1 / 8, 3), (1 / 4, 2), (1 / 2, 1)], 2.375),
        (8, [(1 / 8, 4), (1 / 4, 2), (1 / 2, 1)], 3.0),
    ],
)
def test_halving_doubles_the_budget_and_halves_the_rates(rates, rounds, cost):
    """Five rates: 5/8 + 3/4 + 2/2 = 2.375 whole runs in place of 5."""
    found = rungs(Search(strategy="halving"), rates)
    assert found == rounds
    alive = [rates, *(rung.keep for rung in found[:-1])]
    assert sum(n * rung.budget for n, rung in zip(alive, found, strict=True)) == cost


@pytest.mark.parametrize(
    ("losses", "tried"),
    [
        ({1: 4, 2: 3, 4: 2, 8: 3, 16: 9}, [4, 8, 2]),
        ({1: 4, 2: 2, 4: 3, 8: 4, 16: 9}, [4, 8, 2, 1]),
        ({1: 6, 2: 5, 4: 4, 8: 3, 16: 9}, [4, 8, 16]),
        ({1: 6, 2: 5, 4: 4, 8: 3, 16: 2}, [4, 8, 16]),
        ({1: 1, 2: 5, 4: 6, 8: 7, 16: 8}, [4, 8, 2, 1]),
        ({1: 2, 2: 3, 4: math.inf, 8: math.inf, 16: math.inf}, [4, 8, 2, 1]),
    ],
)
def test_a_bracketing_search_goes_downhill_from_the_middle(losses, tried):
    """Five rates: the middle and the next, then towards lower loss, until it rises or the grid ends."""
    scores = {}
    while rates := downhill(list(losses), scores):
        scores |= {rate: losses[rate] for rate in rates}
    assert list(scores) == tried


def test_the_middle_of_an_even_grid_are_two_rates():
    """Of four the inner ones; of two both; of three the middle and the higher one."""
    assert downhill([1, 2, 3, 4], {}) == [2, 3]
    assert downhill([1, 2], {}) == [1, 2]
    assert downhill([1, 2, 3], {}) == [2, 3]


def test_rates_beside_those_tried_keep_a_grid_without_gaps():
    """Of 1 to 32, with 4, 8 and 16 tried and 8 best: 2 and 32 are as near, 2 lies past the grid; then 1."""
    grid, scores = [4, 8, 16, 32, 2, 1], {4: 0.9, 8: 0.8, 16: 0.9}
    assert beside(grid, scores, 1) == [32]
    assert beside(grid, scores, 2) == [32, 2]
    assert beside(grid, scores, 9) == [32, 2, 1]
    assert beside(grid, scores, 0) == []


def test_the_fewest_runs_of_a_search():
    """Eight rates: all; three to bracket a best one; 8 + 4 + 2 by halving."""
    assert [fewest_runs(Search(strategy=name), 8) for name in ("grid", "bracket", "halving")] == [8, 3, 14]
    assert fewest_runs(Search(strategy="bracket"), 2) == 2


def test_a_diverged_rate_is_no_candidate():
    """Of 0.9, infinity and 0.8 the last is best, and only two can go on."""
    scores = {1e-4: 0.9, 1e-3: math.inf, 3e-4: 0.8}
    assert best(scores, 3) == [3e-4, 1e-4]
    assert best({1e-3: math.inf}, 1) == []


def test_the_edge_is_that_of_the_rates_tried():
    """Best in the middle: none. One method at its lowest and one at its highest: both sides."""
    tried = {"full": (1e-5, 1e-4, 1e-3), "lora": (1e-4, 1e-3, 1e-2)}
    assert sides({"full": 1e-4, "lora": 1e-3}, tried) == []
    assert sides({"full": 1e-5, "lora": 1e-3}, tried) == [-1]
    assert sides({"full": 1e-5, "lora": 1e-2}, tried) == [-1, 1]


def test_one_step_past_the_grid():
    """1e-3 * sqrt(10) and 1e-5 / sqrt(10), two digits."""
    assert beyond((1e-5, 1e-4, 1e-3), math.sqrt(10), 1) == 3.2e-3
    assert beyond((1e-5, 1e-4, 1e-3), math.sqrt(10), -1) == 3.2e-6


def test_the_confirming_rate_is_the_vertex_of_the_parabola():
    """Losses 1, 0, 1 at 1e-5, 1e-4, 1e-3: the middle. 1, 0, 3: log10 -4 - (3 - 1) / (2 (3 + 1)) = -4.25."""
    even = {1e-5: 1.0, 1e-4: 0.0, 1e-3: 1.0}
    assert confirming_rate(even, "interpolated") == (1e-4, "interpolated")
    skewed = {1e-5: 1.0, 1e-4: 0.0, 1e-3: 3.0}
    assert confirming_rate(skewed, "interpolated") == (float(f"{10**-4.25:.2e}"), "interpolated")
    assert confirming_rate(skewed, "grid") == (1e-4, "grid")
    assert confirming_rate({1e-5: 1.0, 1e-4: 2.0}, "interpolated") == (1e-5, "edge")
    assert confirming_rate({1e-5: 2.0, 1e-4: 1.0, 1e-3: math.inf}, "interpolated") == (1e-4, "grid")
    assert confirming_rate({1e-5: math.inf}, "interpolated") is None


def test_a_parabola_goes_through_neighbours_of_the_whole_search_alone():
    """Halving left 3.2e-5 behind, between 3.2e-6 and 1e-4: no parabola; the edge is that of all five rates.

    Half a decade apart, losses 1, 0, 3 about 10^-3.5: log10 -3.5 - .5 (3 - 1) / (2 (3 + 1)).
    """
    tried = [3.2e-6, 1e-5, 3.2e-5, 1e-4, 3.2e-4]
    scores = {1e-4: 0.80, 3.2e-4: 0.83, 3.2e-6: 2.5}
    assert confirming_rate(scores, "interpolated", tried) == (1e-4, "grid")
    assert confirming_rate({1e-4: 0.83, 3.2e-4: 0.80}, "interpolated", tried) == (3.2e-4, "edge")
    assert confirming_rate({3.2e-5: 0.83, 1e-4: 0.80}, "interpolated", tried) == (1e-4, "grid")
    half = math.sqrt(10)
    three = {1e-4: 1.0, 1e-4 * half: 0.0, 1e-3: 3.0}
    vertex = float(f"{10 ** (-3.5 - 0.5 * 2 / 8):.2e}")
    assert confirming_rate(three, "interpolated", [1e-5, *three, 1e-2]) == (vertex, "interpolated")
