"""The optimum of a learning-rate response, and the ratio of two optima."""

from __future__ import annotations

import math

import pytest

from eval.statistics.optimum import located, lowest


def test_a_parabola_in_log_rate_is_found_exactly():
    """(log10 rate + 3.2)² at 1e-4, 1e-3 and 1e-2 is lowest at 10^-3.2, wherever the far rates lie."""
    scores = {rate: 0.8 + (math.log10(rate) + 3.2) ** 2 for rate in (1e-4, 1e-3, 1e-2)}
    assert lowest(scores) == pytest.approx(10**-3.2, rel=1e-9)
    assert lowest({**scores, 1e-1: 99.0, 1e-5: 1.0}) == pytest.approx(10**-3.2, rel=1e-9)


def test_uneven_steps_are_no_matter():
    """The same parabola through 10^-3.5, 10^-3 and 10^-1."""
    scores = {10**k: (k + 3.2) ** 2 for k in (-3.5, -3.0, -1.0)}
    assert lowest(scores) == pytest.approx(10**-3.2, rel=1e-9)


@pytest.mark.parametrize(
    "scores",
    [
        {1e-4: 0.7, 1e-3: 0.8, 1e-2: 0.9},  # the first is best
        {1e-4: 0.9, 1e-3: 0.8, 1e-2: 0.7},  # the last is best
        {1e-4: 0.9, 1e-3: 0.8, 1e-2: math.inf},  # what is beyond the best diverged
        {1e-4: math.inf, 1e-3: math.inf, 1e-2: math.inf},
        {1e-3: 0.8},
        {},
    ],
)
def test_an_optimum_that_is_not_bracketed_is_unknown(scores):
    """No number is made up for it."""
    assert lowest(scores) is None


def test_the_interval_is_students_on_logarithms():
    """Ratios 5, 10, 20: mean of logs ln 10, sd ln 2, half width 4.303 ln 2 / √3 = 1.722; 10 e^±1.722."""
    found = located([5.0, 10.0, 20.0])
    assert found.value == pytest.approx(10.0)
    assert found.low == pytest.approx(10 * math.exp(-4.30265 * math.log(2) / math.sqrt(3)), rel=1e-4)
    assert found.high == pytest.approx(10 * math.exp(4.30265 * math.log(2) / math.sqrt(3)), rel=1e-4)
    assert located([10.0]) == (pytest.approx(10.0), None, None)
    assert located([]) == (None, None, None)
