"""What a size of study can decide, against formulas that hold when variances are known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from eval.metrics import metric
from eval.statistics.crossed import spread
from eval.statistics.power.assurance import Variances, decided, detectable, reachable_margin, typical
from eval.statistics.power.changes import Needed, cheapest_change, needed

DOCUMENTS_ONLY = Variances(seed=0.0, document=1.0, rest=0.0)


def test_many_documents_at_one_seed_need_the_textbooks_difference():
    """Deviation 1, 10,000 documents: (1.96 + 0.84) / 100 = .0280; as the first of 12, (2.865 + .84) / 100."""
    assert detectable(DOCUMENTS_ONLY, 1, 10_000) == pytest.approx(0.02802, rel=1e-3)
    assert detectable(DOCUMENTS_ONLY, 1, 10_000, tests=12) == pytest.approx(0.03707, rel=2e-3)
    assert decided(DOCUMENTS_ONLY, 1, 10_000, 0.02802, None) == pytest.approx(0.8, abs=0.002)


def test_the_reachable_margin_takes_both_sides():
    """1.96 errors, and 1.2816 more, since each side may miss in 10 %: .0324 (Chow, Shao and Wang)."""
    assert reachable_margin(DOCUMENTS_ONLY, 1, 10_000) == pytest.approx(0.03242, rel=1e-3)
    assert decided(DOCUMENTS_ONLY, 1, 10_000, 0.0, 0.03242) == pytest.approx(0.8, abs=0.06)  # or a false call


def test_a_look_at_a_smaller_level_sees_less():
    """At .01 instead of .05 the call takes (2.576 + .842) / (1.960 + .842) = 1.22 times the difference."""
    plain = detectable(DOCUMENTS_ONLY, 1, 10_000)
    assert detectable(DOCUMENTS_ONLY, 1, 10_000, level=0.01) == pytest.approx(1.22 * plain, rel=2e-3)
    values = np.random.default_rng(0).normal(size=(1, 100))
    error = spread(values - values.mean())
    usual, strict = (needed(error, 0.2, None, level=level).documents for level in (0.05, 0.01))
    assert strict == pytest.approx(1.49 * usual, rel=0.05)


def test_without_a_better_way_only_equivalence_is_decided():
    """Beyond the margin, or without one, nothing decides; within it, documents do."""
    assert decided(DOCUMENTS_ONLY, 1, 10_000, 0.5, None, directed=False) == 0
    assert decided(DOCUMENTS_ONLY, 1, 10_000, 0.0, 0.05, directed=False) > 0.8
    error = spread(np.random.default_rng(0).normal(size=(1, 100)))
    assert needed(error, 0.08, 0.05, directed=False) == needed(error, 0.08, None, directed=False) == Needed()
    assert needed(error, 0.01, 0.2, directed=False).documents > 100


def test_what_is_not_known_detects_nothing():
    """One document has no variance: the answer is nan, not a tiny difference."""
    assert math.isnan(detectable(Variances(seed=0.0, document=1.0, rest=0.0), 1, 1))
    assert math.isnan(reachable_margin(Variances(seed=0.0, document=1.0, rest=0.0), 3, 1))
    assert math.isnan(detectable(Variances(seed=0.0, document=math.nan, rest=0.0), 1, 100))


def test_documents_do_not_help_if_seeds_differ():
    """Seeds of deviation .1, three of them: nothing below about .1 is seen at any number of documents."""
    seeds_only = Variances(seed=0.01, document=0.09, rest=0.04)
    assert detectable(seeds_only, 3, 1_000_000) > 0.1
    assert detectable(seeds_only, 3, 1_000_000) == pytest.approx(detectable(seeds_only, 3, 100_000), rel=0.02)
    assert detectable(seeds_only, 10, 500) < 0.4 * detectable(seeds_only, 3, 1_000_000)


def test_the_cheapest_change_is_documents_seeds_both_or_none():
    """Without a seed effect documents; a floor from seeds needs seeds; what none sees is None."""
    assert cheapest_change(DOCUMENTS_ONLY, 1, 10_000, 0.03) == ("enough", 1, 10_000)
    more = cheapest_change(DOCUMENTS_ONLY, 1, 1_000, 0.03)
    assert more is not None
    assert (more.kind, more.seeds) == ("documents", 1)
    assert 8_500 < more.documents < 9_000  # (2.802 / .03)^2 = 8,723
    floor = Variances(seed=0.01, document=0.0001, rest=0.0001)
    seeds = cheapest_change(floor, 3, 500, 0.1)
    assert seeds is not None
    assert (seeds.kind, seeds.documents) == ("seeds", 500)
    assert 9 <= seeds.seeds <= 13  # (2.802 x .1 / .1)^2 = 7.9, and a t of 10 for the normal
    assert cheapest_change(floor, 3, 500, 0.001) is None


def test_a_reachable_margin_of_shares_is_reached_four_times_in_five():
    """48 documents of which 4 are expected to differ: four in five at the margin, and fewer below it."""
    few = Variances(seed=0.0, document=0.04, rest=0.043, share=True)
    margin = reachable_margin(few, 1, 48)
    assert decided(few, 1, 48, 0.0, margin, directed=False) >= 0.8
    assert decided(few, 1, 48, 0.0, 0.95 * margin, directed=False) < 0.8


def test_nothing_is_needed_of_a_study_that_decides():
    """A mean of 5 errors is decided; a mean of 0 without a margin can never be."""
    values = np.random.default_rng(0).normal(size=(1, 100))
    values = values - values.mean()
    assert needed(spread(values), 0.6, None) == Needed()
    assert needed(spread(values), 0.0, None) == Needed()


def test_shipped_variances_reach_the_quickstarts_interval():
    """48 documents at one seed: 2.01 x .0131 / sqrt(48) = .0038 bits per byte, as the quickstart printed."""
    usual = typical("bits_per_byte")
    assert usual is not None
    total = usual.variances.document + usual.variances.rest
    assert 2.01 * (total / 48) ** 0.5 == pytest.approx(0.0038, rel=0.01)
    assert usual.base_model == "smollm2-135m-embedded"
    assert typical("no_such_metric") is None
    for name in ("bits_per_byte", "content_bits_per_byte", "bleu", "structure_compliance"):
        assert metric(name).margin is not None
        assert typical(name) is not None
