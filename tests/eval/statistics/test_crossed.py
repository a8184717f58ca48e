"""Tails and quantiles of the sum of two t's, however far out and however many comparisons."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate
from scipy import stats as theirs

from eval.statistics.compare import compare
from eval.statistics.crossed import SeedPrior, Spread, spread, two_sided


@pytest.mark.parametrize("x", [0.1, 3.0, 30.0, 1000.0])
@pytest.mark.parametrize(
    ("a", "df_a", "b", "df_b"), [(1.0, 2, 0.5, 39), (0.05, 1, 1.0, 47), (1, 4.6, 1, 500)]
)
def test_tails_agree_with_adaptive_quadrature(x, a, df_a, b, df_b):
    """P(|A + B| > x) by scipy's quad over A's density, pieced at its bends; eight digits."""
    bends = sorted({0.0, x / a, *(x / a + k * b / a for k in (-20, -5, -1, 1, 5, 20)), -3.0, 3.0, x / a / 2})
    ends = [-np.inf, *bends, np.inf]

    def integrand(t):
        return theirs.t.pdf(t, df_a) * theirs.t.sf((x - a * t) / b, df_b)

    parts = [
        integrate.quad(integrand, *pair, epsabs=0, epsrel=1e-11, limit=200)[0]
        for pair in zip(ends, ends[1:], strict=False)
    ]
    assert float(two_sided(x, a, b, df_a, df_b)) == pytest.approx(2 * sum(parts), rel=1e-7)


def test_two_cauchys_add_up_to_a_wider_one():
    """t(1) + t(1) is a Cauchy variable of scale 2: P(|sum| > x) = 2 atan(2 / x) / pi, exactly, at any x."""
    for x in (1.0, 1e3, 1e6):
        assert float(two_sided(x, 1.0, 1.0, 1, 1)) == pytest.approx(2 * np.arctan(2 / x) / np.pi, rel=1e-7)


@pytest.mark.parametrize("seeds", [2, 3, 5, 8])
@pytest.mark.parametrize("tests", [1, 101, 299, 1000])
def test_any_number_of_comparisons_can_be_concluded(mean, table, seeds, tests):
    """The bound of the first of 1,000 is finite, its p-value is .05 / 1,000, and nothing is raised."""
    values = np.random.default_rng(seeds).normal(size=(seeds, 30))
    error = spread(values)
    bound = error.quantile(1 - 0.05 / tests)
    assert error.p(bound) == pytest.approx(0.05 / tests, rel=1e-6)
    found = compare(mean, table(values), table(np.zeros((1, 30))), margin=0.1, tests=tests)
    assert found.smallest_detectable > bound / 1000
    assert np.isfinite(found.smallest_detectable)


def test_an_interval_excludes_zero_exactly_if_p_is_below_five_per_cent(mean, table):
    """One distribution for both: shifted so that an end of the interval is 0, p is .05."""
    values = np.random.default_rng(3).normal(size=(3, 40)) + np.array([[0.0], [0.2], [0.3]])
    found = compare(mean, table(values), table(np.zeros((1, 40))), margin=None)
    at_zero = compare(mean, table(values - found.low), table(np.zeros((1, 40))), margin=None)
    assert (at_zero.low, at_zero.p) == (pytest.approx(0, abs=1e-9), pytest.approx(0.05, rel=1e-6))


def test_moderation_pools_the_seeds_variance_with_the_others_by_degrees_of_freedom():
    """Own 9 with 2 degrees of freedom, others 1.5 x rest = 3 with 4: (4 x 3 + 2 x 9) / 6 = 5, and t(6)."""
    own = Spread(by_seed=3.0, by_document=0.0, rest=2.0 * 3 * 10, seeds=3, documents=10)
    moderated = own.moderated(SeedPrior(((1.0, 1.5, 4.0),)))
    assert moderated.by_seed**2 == pytest.approx(5)
    assert moderated.p(4.0) == pytest.approx(2 * theirs.t.sf(4 / 5**0.5, 6))
    assert moderated.quantile(0.95) == pytest.approx(5**0.5 * theirs.t.ppf(0.975, 6))
    two = own.moderated(SeedPrior(((0.25, 1.5, 4.0), (0.75, 4.5, 4.0))))  # a mixture: p is the mean
    parts = [own.moderated(SeedPrior(((1.0, ratio, 4.0),))).p(4.0) for ratio in (1.5, 4.5)]
    assert two.p(4.0) == pytest.approx(0.25 * parts[0] + 0.75 * parts[1])
