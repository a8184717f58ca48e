"""Tails and quantiles of the sum of two t's, however far out and however many comparisons."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate
from scipy import stats as theirs

from eval.statistics.compare import compare
from eval.statistics.crossed import SeedPrior, Spread, spread, two_sided
from eval.statistics.variance_components import odd_seed, uneven_seeds


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


def test_a_method_whose_seeds_vary_more_has_a_small_p():
    """Variances 1, 1 and 100 at three seeds: F(2, 4) = 100 and 2 / 101; p (1 + F / 2)^-2 = .00038 and .98.

    With two degrees of freedom above, P(F > f) = (1 + 2 f / d)^(-d / 2), here of d = 4. No variance: None.
    """
    noisier = uneven_seeds([[-1, 0, 1], [4, 5, 6], [-10, 0, 10]])
    assert noisier == pytest.approx([(1 + 1 / 101) ** -2] * 2 + [51**-2])
    assert uneven_seeds([[1, 1, 1], [2, 2, 2], [3]]) == [None, None, None]
    assert (
        uneven_seeds([[0.1, 0.1, 0.1], [0.7, 0.7, 0.7], [0.2, 0.3, 0.4]])[2] is None
    )  # rounding is no variance


def test_a_seed_apart_is_measured_by_the_spread_of_all_methods():
    """Seeds 0, 2 and 10: 9 from the mean of the first two, whose square is 2, with 2 of the other method's 1.

    Pooled (2 + 2) / 3; the error is sqrt(4 / 3 x 1.5) = 1.414, t = 6.36 of 3 degrees of freedom: two-sided
    .00786, six times for six seeds. Alone it has one degree of freedom: 9 / sqrt(3) = 5.2, p .121, times 3.
    """
    both = odd_seed([[0, 2, 10], [4, 5, 6]], 0)
    assert both.place == 2
    assert both.p == pytest.approx(6 * 2 * theirs.t.sf(9 / 2**0.5, 3))
    assert both.p == pytest.approx(0.047, abs=0.001)
    assert odd_seed([[0, 2, 10]], 0).p == pytest.approx(3 * 2 * theirs.t.sf(9 / 3**0.5, 1))
    assert odd_seed([[1, 9], [4, 5, 6]], 0) is None
    assert odd_seed([[1, 1, 2], [4, 4, 4]], 0) == (2, 0.0)


def test_a_bad_seed_is_found_more_often_than_by_chance():
    """Five methods of five seeds, one 4 deviations off: half are found, and 5 % of studies are wrong."""
    draw = np.random.default_rng(0)
    found = wrong = 0
    for _ in range(300):
        values = draw.normal(size=(5, 5))
        wrong += any(odd_seed(values.tolist(), method).p < 0.05 for method in range(5))
        values[0, 3] += 4
        odd = odd_seed(values.tolist(), 0)
        found += odd.p < 0.05 and odd.place == 3
    assert wrong <= 24
    assert found >= 120
