"""Intervals and verdicts hold what they promise in simulated studies: a small part always, the rest slow."""

from __future__ import annotations

import numpy as np
import pytest

from eval.statistics.crossed import spread
from experiments.bench.calibration import boards, coverage, studies
from experiments.bench.calibration.draws import KINDS, noise
from experiments.bench.calibration.page import page


def share_covered(seeds, documents, deviation, repetitions=400):
    """How many intervals of seeds and documents crossed hold the true mean, 0."""
    draw = np.random.default_rng(seeds)
    covered = 0
    for _ in range(repetitions):
        values = noise(draw, seeds, documents, deviation)
        covered += spread(values).p(float(values.mean())) > 0.05
    return covered / repetitions


@pytest.mark.parametrize(("seeds", "documents", "deviation"), [(5, 48, 0.0), (3, 200, 0.5)])
def test_intervals_cover_whether_documents_or_seeds_decide(seeds, documents, deviation):
    """400 studies: 95 %, give or take three standard errors of 1.1 points; a little more is allowed."""
    assert 0.917 <= share_covered(seeds, documents, deviation) <= 0.99


@pytest.mark.parametrize(("kind", "seeds"), [("normal", 3), ("clusters", 1)])
def test_intervals_of_a_comparison_cover(kind, seeds):
    """120 studies through `compare`: 95 %, give or take three standard errors of 2 points."""
    row = coverage.coverage(kind, seeds, 48, 120)
    assert row.covered >= 0.89
    assert row.called <= 0.11
    assert row.equivalent <= 0.09


def test_intervals_of_one_seed_follow_the_skew_of_heavy_tails():
    """200 studies of lognormal lengths, the same each time: 92.5 % hold 0, and of symmetrical ones 90."""
    row = coverage.coverage("lognormal lengths", 1, 48, 200)
    assert row.covered >= 0.915
    assert row.equivalent <= 0.1


def test_documents_alone_would_not_cover():
    """What the crossed interval is for: at 3 seeds of deviation 0.1, one over documents covers about half."""
    draw = np.random.default_rng(12)
    covered = 0
    for _ in range(200):
        values = noise(draw, 3, 200, 0.1).mean(axis=0, keepdims=True)
        covered += spread(values).p(float(values.mean())) > 0.05
    assert covered / 200 < 0.7


def test_a_correction_holds_over_150_comparisons():
    """600 studies, seeds decide everything: 5 % have any false call; a coarse tail gave 10 %."""
    assert 0 < coverage.many(150, 3, 200, 600, 0.5) < 0.05 + 3 * (0.05 * 0.95 / 600) ** 0.5


def test_methods_that_inform_each_other_see_more():
    """Twelve comparisons at three seeds, 8 studies: the power at four errors more than doubles."""
    own, moderated = (coverage.family(3, 48, 0.05, None, m, 8) for m in (False, True))
    assert moderated.power > max(0.3, 2 * own.power)
    assert moderated.false_calls <= 1 / 8


def test_a_noisier_method_is_not_pooled_with_the_others():
    """20 studies of three metrics: 98 % of its intervals hold 0; without a test 87, all pooled 82."""
    row = coverage.family(3, 200, 0.1, coverage.METHODS, True, 20)
    assert row.noisier >= 0.9
    assert row.covered >= 0.92
    assert row.flagged >= 0.8


def test_the_parabola_decides_less_between_equal_methods_than_the_grid():
    """Three confirming seeds, 150 studies: about 13 % against 3 %."""
    grid, parabola = (studies.search(rule, 3, 200, 150) for rule in ("grid", "interpolated"))
    assert parabola <= 0.06
    assert grid > parabola


@pytest.mark.parametrize(
    ("what", "seeds", "documents", "difference"), [("documents", 1, 48, 1.5), ("detectable", 3, 200, 0.0)]
)
def test_what_was_promised_decides(what, seeds, documents, difference):
    """20 pilots, 20 followers each: 80 %, give or take 10 points."""
    row = studies.promise(what, seeds, documents, 0.05, 1, difference, 20, studies=20)
    assert row.named == 1
    assert 0.7 <= row.decided <= 0.9


@pytest.mark.slow
def test_looking_with_spending_makes_no_more_false_calls():
    """300 studies of five looks: at most 5 %, give or take; without it, more."""
    plain, spending = (studies.looks(rule, 200, 300) for rule in ("none", "spending"))
    assert spending.false_calls <= 0.09
    assert spending.false_calls <= plain.false_calls
    assert spending.covered >= 0.91


@pytest.mark.slow
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "one seed in six worse"])
def test_every_kind_covers(kind):
    """300 studies of five seeds and 200 documents: 95 %, give or take four points."""
    assert coverage.coverage(kind, 5, 200, 300).covered >= 0.91


@pytest.mark.slow
def test_a_board_of_one_method_under_twenty_names_crowns_nobody():
    """100 boards at a corrected p below .01: one at most is expected to crown somebody, and five may."""
    assert boards.board(20, 3, 48, 100).crowned <= 0.05


def test_a_board_recognises_a_method_that_is_clearly_better():
    """Six boards with one better by 12 errors of a difference: nearly always, and nobody else."""
    row = boards.board(20, 3, 48, 6, better=12.0)
    assert row.recognised >= 0.8
    assert row.crowned <= 0.05


@pytest.mark.slow
def test_the_page_has_every_section():
    """Four repetitions: numbers without meaning, every table with rows."""
    text = page(4)
    assert text.count("\n## ") == 8
    assert text.count("| --- ") > 20
