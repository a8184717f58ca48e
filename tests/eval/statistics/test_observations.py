"""Arrays of statistics: clusters counted as one, and what seeds of other methods say."""

from __future__ import annotations

import numpy as np
import pytest

from eval.statistics.compare import compare, estimate
from eval.statistics.observations import by_cluster
from eval.statistics.variance_components import seed_priors
from toolkit.errors import UserError


def test_a_cluster_is_the_sum_of_its_documents():
    """Values 1, 2, 4 with labels a, b, a: 5 over 2 documents, and 2 over 1."""
    statistics = np.array([[[1.0, 1], [2, 1], [4, 1]]])
    assert by_cluster(statistics, ["a", "b", "a"]).tolist() == [[[5, 2], [2, 1]]]


def test_copies_of_a_document_count_once_if_they_are_a_cluster(mean, table):
    """Each of 20 documents ten times: ten times too sure without clusters, the same interval with them."""
    values = np.random.default_rng(0).normal(size=(3, 20))
    copies, labels = np.repeat(values, 10, axis=1), np.repeat(np.arange(20), 10).tolist()
    zero, zeros = table(np.zeros((1, 20))), table(np.zeros((1, 200)))
    plain = compare(mean, table(values), zero, margin=None)
    clustered = compare(mean, table(copies), zeros, margin=None, clusters=labels)
    assert clustered.documents == 20
    assert (clustered.low, clustered.high, clustered.p) == pytest.approx((plain.low, plain.high, plain.p))
    one = estimate(mean, table(copies[:1]), clusters=labels)
    unaware = estimate(mean, table(copies[:1]))
    assert one.high - one.low > 2.5 * (unaware.high - unaware.low)  # sqrt(10) = 3.2
    with pytest.raises(UserError, match="2 cluster labels for 200 documents"):
        compare(mean, table(copies), zeros, margin=None, clusters=["a", "b"])


def test_a_share_by_cluster_is_randomised_by_cluster(share, table):
    """Four clusters of ten that all gain: 2 of the 16 ways to exchange are as far apart, p at least .12."""
    after, before = table(np.ones((1, 40))), table(np.zeros((1, 40)))
    labels = np.repeat(np.arange(4), 10).tolist()
    assert compare(share, after, before, margin=None).p < 1e-9
    assert compare(share, after, before, margin=None, clusters=labels).p > 0.1


def test_other_methods_seeds_say_what_is_usual():
    """Ratios about 4 everywhere: weight on the usual size; one comparison at 80 on three metrics: on more."""
    even = seed_priors([[4.0, 4.0, 4.0]] * 3, [[4.0] * 6] * 3, seeds=3)
    total = sum(weight for weight, _, _ in even[0][0].components)
    assert total == pytest.approx(1)
    assert sum(w for w, ratio, _ in even[0][0].components if ratio < 6) > 0.85
    odd = seed_priors([[4.0, 4.0, 80.0]] * 3, [[4.0] * 5 + [80.0]] * 3, seeds=3)
    assert sum(w for w, ratio, _ in odd[0][2].components if ratio > 10) > 0.5
    assert sum(w for w, ratio, _ in odd[0][0].components if ratio > 10) < 0.15
    assert seed_priors([[4.0, None]], [[4.0, 5.0]], seeds=3) == [[None, None]]  # two pairs say too little


def test_equal_texts_on_which_a_metric_is_not_defined_do_not_change_its_test(share, table):
    """Twenty answers and two equal general texts: McNemar and Wilson as without the two."""
    passed = np.array([1.0] * 15 + [0.0] * 5), np.array([1.0] * 6 + [0.0] * 14)
    ours, theirs = (table(row[None]) for row in passed)
    gap = np.full((1, 2, ours.shape[2]), np.nan)
    labels = [*range(20), "general", "general"]
    with_general = [np.concatenate([side, gap], axis=1) for side in (ours, theirs)]
    plain = compare(share, ours, theirs, margin=None)
    both = compare(share, *with_general, margin=None, clusters=labels)
    assert (both.low, both.high, both.p) == (plain.low, plain.high, plain.p)
    assert estimate(share, with_general[0], clusters=labels) == estimate(share, ours)
