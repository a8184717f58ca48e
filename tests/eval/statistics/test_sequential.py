"""Looks at a growing study: levels against published bounds, and what is done after each."""

from __future__ import annotations

import numpy as np
import pytest

from eval.statistics.compare import compare
from eval.statistics.sequential import levels, mixture_width, spent, state
from toolkit.errors import UserError


def test_levels_agree_with_the_published_bounds():
    """Five equal looks, two-sided 5 %: bounds 4.877, 3.357, 2.680, 2.290, 2.031 (Lan and DeMets' type)."""
    from scipy.special import ndtri

    bounds = [-ndtri(level / 2) for level in levels([0.2, 0.4, 0.6, 0.8, 1.0])]
    assert bounds == pytest.approx([4.877, 3.357, 2.680, 2.290, 2.031], abs=0.004)


def test_one_look_at_the_end_has_the_whole_level():
    """Nothing is spent before: .05. At half the information 4 - 4 Phi(2.2414 / sqrt(.5)) = .00305."""
    assert levels([1.0]) == pytest.approx([0.05], rel=1e-6)
    assert spent(0.5) == pytest.approx(0.00305, abs=1e-5)
    assert spent(0.0) == 0


def test_the_level_is_spent_by_times_that_need_not_be_the_information():
    """All of it at the first of two looks: .05, and nothing is left. By half of it at half: see above."""
    assert levels([0.5, 1.0], times=[1.0, 1.0]) == pytest.approx([0.05, 0.0], rel=1e-6)
    assert levels([0.1, 1.0], times=[0.5, 1.0])[0] == pytest.approx(0.00305, abs=1e-5)


def test_looks_have_to_grow():
    """Two looks at the same size, or beyond the end."""
    with pytest.raises(UserError, match="rising information fractions"):
        levels([0.5, 0.5])
    with pytest.raises(UserError, match="rising information fractions"):
        levels([0.5, 1.2])


def test_a_look_has_a_wider_interval_and_a_larger_p(mean, table):
    """At level .005: p is ten times the usual one, and the interval that of 99.5 %."""
    values = np.random.default_rng(0).normal(size=(4, 30)) + 0.3
    usual = compare(mean, table(values), table(np.zeros((1, 30))), margin=None)
    look = compare(mean, table(values), table(np.zeros((1, 30))), margin=None, level=0.005)
    assert look.p == pytest.approx(min(1.0, 10 * usual.p))
    assert look.low < usual.low < usual.high < look.high


def test_a_study_stops_when_decided_futile_or_exhausted():
    """In this order; otherwise it goes on."""
    assert state("better", 0.9, last=False) == "decided"
    assert state("undecided", 0.01, last=True) == "exhausted"
    assert state("undecided", 0.01, last=False) == "futile"
    assert state("undecided", 0.5, last=False) == "continue"


def test_the_confidence_sequence_is_wider_at_the_last_look_than_the_last_level():
    """2.03 standard errors at the fifth look, against about 3 for every look there might be."""
    from scipy.special import ndtri

    last = -ndtri(levels([0.2, 0.4, 0.6, 0.8, 1.0])[-1] / 2)
    assert last == pytest.approx(2.03, abs=0.005)
    assert 1.25 * last < mixture_width(1.0) < 3.3
