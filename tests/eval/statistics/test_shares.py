"""Shares at one seed: the chance that McNemar's exact test decides, against counting and simulation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from eval.statistics.compare import compare
from eval.statistics.crossed import ALPHA
from eval.statistics.power import assurance, shares


def test_six_gains_are_the_fewest_that_mcnemar_calls():
    """Of 48 documents, all changes gains: 2 (1/2)^6 < .05. Six or more of Binomial(48, .16) have 80 %."""
    from scipy.stats import binom

    assert shares.decided(0.0, 48, 0.16, None) == pytest.approx(binom.sf(5, 48, 0.16), abs=1e-9)
    none = assurance.Variances(seed=0.0, document=0.0, rest=0.0, share=True)
    assert assurance.detectable(none, 1, 48) == pytest.approx(0.160, abs=1e-3)
    assert assurance.detectable(none, 1, 48, tests=12) == pytest.approx(
        0.229, abs=1e-3
    )  # nine: 12 / 2^8 < .05
    assert assurance.detectable(none, 1, 5) == pytest.approx(1, abs=1e-3)  # five of five have p = .0625


def test_the_chance_is_that_of_drawn_studies(share, table):
    """150 documents, a fifth of them discordant, 0.1 apart: called in 2,000 draws as often as was summed."""
    draw = np.random.default_rng(0)
    called = 0
    for gained, lost, alike in draw.multinomial(150, [0.15, 0.05, 0.8], size=2000):
        ours = np.array([[1.0] * gained + [0.0] * (lost + alike)])
        theirs = np.array([[0.0] * gained + [1.0] * lost + [0.0] * alike])
        found = compare(share, table(ours), table(theirs), margin=None, predict=False)
        called += found.verdict == "better"
    assert called / 2000 == pytest.approx(shares.decided(0.2, 150, 0.1, None), abs=0.03)


def test_equal_outcomes_are_equivalent_from_the_documents_that_are_named(share, table):
    """No document differs: 1.96 sqrt(2 / (N + 2) / (N + 1)) < 0.05 from N = 54 on."""
    few = compare(share, table(np.ones((1, 40))), table(np.ones((1, 40))), margin=0.05)
    assert (few.verdict, few.needed_documents) == ("undecided", 54)
    enough = table(np.ones((1, 54)))
    assert compare(share, enough, enough, margin=0.05).verdict == "equivalent"


def test_many_discordant_documents_are_normal():
    """On either side of what is summed over, the two differ by less than 0.02."""
    exact = shares.decided(0.3, 1600, 0.03, None)
    variances = assurance.Variances(seed=0.0, document=0.3 - 0.03**2, rest=0.0)
    shared = replace(variances, share=True)
    assert assurance.decided(shared, 1, 1600, 0.03, None) == pytest.approx(exact)
    assert exact == pytest.approx(assurance.decided(variances, 1, 1600, 0.03, None), abs=0.02)
    assert assurance.decided(shared, 1, 2000, 0.03, None) == assurance.decided(variances, 1, 2000, 0.03, None)
    assert assurance.decided(shared, 3, 100, 0.03, None) == assurance.decided(variances, 3, 100, 0.03, None)


def test_a_share_without_a_better_way_is_only_ever_equivalent():
    """Ten of ten discordant: nothing is called, whatever the level."""
    assert shares.decided(0.5, 100, 0.5, None, directed=False) == 0
    assert shares.decided(0.0, 100, 0.0, 0.05, level=ALPHA, directed=False) == pytest.approx(1)
