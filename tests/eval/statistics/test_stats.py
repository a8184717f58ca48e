"""Intervals, p-values and their scope, against sums worked by hand and other libraries."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from scipy import stats as theirs

from eval.metrics import metric
from eval.statistics.compare import compare, estimate, mcnemar, stack, wilson
from eval.statistics.crossed import Spread, influence, spread
from eval.statistics.resampling import randomisation
from toolkit.errors import UserError


def _noise(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def test_the_spread_of_two_seeds_and_three_documents_by_hand():
    """Values 1 2 3 / 3 4 8: means by seed 2, 5; by document 2, 3, 5.5; mean 3.5.

    MS seeds = 3 x 4.5 = 13.5; MS documents = 2 x 3.25 = 6.5; residuals +-.5, .5, 1, so
    SS = 2 (.25 + .25 + 1) = 3 and MS rest = 3 / 2 = 1.5. Errors squared: seeds 13.5 / 6,
    documents (6.5 - 1.5) / 6: what they share at every seed.
    """
    found = spread(np.array([[1.0, 2, 3], [3, 4, 8]]))
    assert found.by_seed**2 == pytest.approx(13.5 / 6)
    assert found.by_document**2 == pytest.approx(5 / 6)
    assert found.rest == pytest.approx(1.5)


def test_the_seeds_part_is_never_below_what_it_is_if_seeds_do_not_differ():
    """Values 0 2 / 1 1: seed means are equal, so MS seeds 0; MS rest 1 (residuals +-.5): 1 / 4."""
    found = spread(np.array([[0.0, 2], [1, 1]]))
    assert found.by_seed**2 == pytest.approx(1 / 4)


def test_the_quantile_of_a_sum_of_two_ts_agrees_with_drawing_them():
    """Errors 1 of 3 seeds and 0.5 of 40 documents: t(2) + t(39) / 2, a million draws."""
    found = Spread(by_seed=1.0, by_document=0.5, rest=0.1, seeds=3, documents=40)
    draw = np.random.default_rng(1)
    sums = np.abs(draw.standard_t(2, size=1_000_000) + 0.5 * draw.standard_t(39, size=1_000_000))
    assert found.quantile(0.95) == pytest.approx(np.quantile(sums, 0.95), rel=0.01)
    assert found.p(2.0) == pytest.approx((sums > 2).mean(), abs=0.002)
    assert found.p(found.quantile(0.95)) == pytest.approx(0.05)


def test_the_quantile_of_one_part_alone_is_students():
    """No seeds' part: t of documents - 1; no documents' part: t of seeds - 1."""
    parts = {"rest": 0.0, "seeds": 3, "documents": 40}
    documents = Spread(by_seed=0.0, by_document=2.0, **parts)
    seeds = Spread(by_seed=2.0, by_document=0.0, **parts)
    assert documents.quantile(0.95) == pytest.approx(2 * theirs.t.ppf(0.975, 39))
    assert seeds.quantile(0.95) == pytest.approx(2 * theirs.t.ppf(0.975, 2))
    assert seeds.p(3.0) == pytest.approx(2 * theirs.t.sf(1.5, 2))


def test_the_influence_of_a_document_on_a_mean_is_its_own_value(mean, table):
    """N f - (N - 1) f(-i) = x_i."""
    assert influence(mean, table([[1.0, 5, 9]])) == pytest.approx(np.array([[1.0, 5, 9]]))


def test_one_seed_difference_is_a_paired_bootstrap_about_two_checkpoints(mean, table):
    """Differences with a clear mean of 1: close to the paired t interval, p is what draws allow, twice."""
    base = _noise((1, 100)) * 5
    gain = 1 + _noise((1, 100), 1)
    found = compare(mean, table(base + gain), table(base), margin=0.1)
    low, high = theirs.t.interval(0.95, 99, gain.mean(), gain.std(ddof=1) / 10)
    assert found.difference == pytest.approx(gain.mean())
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.05)
    assert found.p == pytest.approx(2 / 10_001)
    assert found.verdict == "better"
    assert (found.speaks_about, found.unseeded) == ("checkpoints", None)
    assert (found.seeds, found.documents, found.excluded) == (1, 100, 0)


def test_three_documents_have_the_wide_interval_they_deserve(mean, table):
    """Gains 1, 2, 3: at least Student's 2 +- 4.303 / sqrt(3); 2 of 8 ways to exchange are as far apart."""
    found = compare(mean, table([[1.0, 2, 3]]), table([[0.0, 0, 0]]), margin=0.1)
    half = 4.302653 / 3**0.5 * (1 - 1e-9)
    assert found.low <= 2 - half
    assert found.high >= 2 + half
    assert found.p >= 0.24
    alone = estimate(mean, table([[1.0, 2, 3]]))
    assert alone.low <= 2 - half
    assert alone.high >= 2 + half


def test_the_statistics_import_neither_torch_nor_scipy():
    """`bakeoff --help` and the report must not wait for either."""
    code = "import eval.statistics.compare, sys; sys.exit('torch' in sys.modules or 'scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0  # noqa: S603


def test_the_randomisation_p_value_agrees_with_scipys(mean, table):
    """Permutation of paired samples in scipy, 10,000 draws: within four standard errors of ours."""
    base, other = _noise((1, 30)), _noise((1, 30), 1) + 0.3
    ours = randomisation(mean, table(other)[0], table(base)[0])
    assert compare(mean, table(other), table(base), margin=None).p >= ours
    ref = theirs.permutation_test(
        (other[0], base[0]),
        lambda x, y, axis: np.mean(x - y, axis=axis),
        permutation_type="samples",
        n_resamples=10_000,
        rng=np.random.default_rng(5),
    ).pvalue
    assert 0.02 < ours < 0.98
    assert ours == pytest.approx(ref, abs=4 * np.sqrt(2 * ref * (1 - ref) / 10_000))


def test_several_seeds_are_crossed_with_documents(mean, table):
    """Differences 1 2 3 / 3 4 8 of the hand-worked spread: 3.5, and the error of 1.5 t(1) + .913 t(2)."""
    base = _noise((2, 3)) * 4
    found = compare(mean, table(base + [[1, 2, 3], [3, 4, 8]]), table(base), margin=0.1)
    expected = Spread(by_seed=1.5, by_document=(5 / 6) ** 0.5, rest=1.5, seeds=2, documents=3)
    half = expected.quantile(0.95)
    assert half > 1.5 * theirs.t.ppf(0.975, 1)
    assert found.difference == pytest.approx(3.5)
    assert (found.low, found.high) == pytest.approx((3.5 - half, 3.5 + half))
    assert found.p == pytest.approx(expected.p(3.5))
    one_of_many = compare(mean, table(base + [[1, 2, 3], [3, 4, 8]]), table(base), margin=0.1, tests=18)
    assert one_of_many.smallest_detectable > 2 * found.smallest_detectable  # p < .05 / 18 asks for much more
    assert found.speaks_about == "checkpoints"  # two seeds say too little about the methods
    assert found.verdict == "undecided"


def test_a_baseline_without_seeds_is_set_against_every_seed(mean, table):
    """The untouched base has one row; the same numbers as repeating it, and the record names the side."""
    base, method = _noise((1, 20)), _noise((3, 20), 1)
    found = compare(mean, table(method), table(base), margin=0.1)
    repeated = compare(mean, table(method), table(np.repeat(base, 3, axis=0)), margin=0.1)
    assert (found.difference, found.low, found.p) == (repeated.difference, repeated.low, repeated.p)
    assert (found.speaks_about, found.unseeded) == ("methods", "baseline")


def test_a_relative_margin_is_a_share_of_the_baselines_value(lower, table):
    """1 % of a baseline of 2.0 is 0.02; a method at 2.001 everywhere, give or take, is equivalent."""
    base = np.full((1, 50), 2.0)
    method = base + 0.001 + 0.001 * _noise((1, 50))
    found = compare(lower, table(method), table(base), margin=0.01)
    assert found.margin == pytest.approx(0.02)
    assert (found.verdict, found.within_margin) == ("worse", True)  # by .001, and by less than the margin


def test_documents_undefined_on_either_side_are_left_out_of_both_and_counted(mean, table):
    """Document 0 is missing from the method, 1 from the baseline's second seed: two of five left out."""
    method, base = _noise((2, 5)), _noise((2, 5), 1)
    method[0, 0] = base[1, 1] = np.nan
    found = compare(mean, table(method), table(base), margin=0.1)
    assert (found.documents, found.excluded) == (3, 2)
    assert found.difference == pytest.approx((method[:, 2:] - base[:, 2:]).mean())


def test_the_same_checkpoint_against_itself_is_no_difference(mean, share, table):
    """Difference 0, p 1; with a margin it is equivalent, where the documents suffice."""
    same = table(_noise((1, 40)))
    assert compare(mean, same, same, margin=0.1).verdict == "equivalent"
    assert compare(mean, same, same, margin=0.1).p == 1
    ones = table(np.zeros((1, 40)))
    found = compare(share, ones, ones, margin=0.02)
    assert found.p == 1
    assert found.verdict == "undecided"  # 0 of 40 on both sides does not show two points


@pytest.mark.parametrize("seeds", [1, 2])
def test_a_constant_difference_has_no_error_that_could_be_estimated(seeds, mean, table):
    """.1 more on each of three documents and every seed: it was p = 0 and *better*; rounding is no error."""
    base = _noise((seeds, 3))
    found = compare(mean, table(base + 0.1), table(base), margin=0.01)
    assert found.difference == pytest.approx(0.1)
    assert (found.low, found.high, found.p, found.verdict) == (None, None, None, "undecided")
    assert found.reason == "every document differs by the same amount: no error can be estimated"


@pytest.mark.parametrize("seeds", [1, 3])
def test_few_documents_without_a_difference_are_not_equivalent(seeds, mean, table):
    """Both score 0: on 29 documents undecided, and on 30 equivalent, since then fewer than 3 / 30 differ."""
    few, enough = table(np.zeros((seeds, 29))), table(np.zeros((seeds, 30)))
    found = compare(mean, few, few, margin=0.01)
    assert (found.low, found.p, found.verdict) == (None, None, "undecided")
    assert found.reason == "no document differs, and 29 are too few to call that no difference"
    found = compare(mean, enough, enough, margin=0.01)
    assert (found.low, found.high, found.p, found.verdict) == (0, 0, 1, "equivalent")


def test_equal_documents_have_a_value_and_no_interval(mean, table):
    """7 on every document of every seed: how much documents differ is unknown."""
    for seeds in (1, 3):
        assert estimate(mean, table(np.full((seeds, 40), 7.0)))[:3] == (7.0, None, None)


def test_a_share_that_never_differs_has_an_interval_that_shrinks_with_the_documents(share, table):
    """Bonett and Price: +-1.96 sqrt(2 / (N + 2) / (N + 1)) with no discordant document; N = 40: 0.0668."""
    found = compare(share, table(np.zeros((1, 40))), table(np.zeros((1, 40))), margin=0.02)
    half = 1.959964 * np.sqrt(2 / 41 / 42)
    assert (found.low, found.high) == pytest.approx((-half, half), rel=1e-5)
    many = table(np.zeros((1, 500)))
    assert compare(share, many, many, margin=0.02).verdict == "equivalent"


def test_mcnemar_is_the_binomial_test_of_the_discordant():
    """Gained 5, lost 0 of ten: 2 x (1/2)^5 = 0.0625. None discordant: 1."""
    before, after = np.zeros(10), np.array([1.0] * 5 + [0.0] * 5)
    assert mcnemar(after, before) == pytest.approx(0.0625)
    assert mcnemar(after, after) == 1


def test_a_share_at_one_seed_has_mcnemars_p_and_wilsons_interval(share, table):
    """5 of 10 against 0: p 0.0625. Wilson of 0 of 16: (0, 0.194), as z^2 / (16 + z^2)."""
    before, after = np.zeros((1, 10)), np.array([[1.0] * 5 + [0.0] * 5])
    assert compare(share, table(after), table(before), margin=0.02).p == pytest.approx(0.0625)
    assert wilson(0, 16) == pytest.approx((0, 3.841459 / 19.841459), rel=1e-6)
    assert wilson(16, 16) == pytest.approx((16 / 19.841459, 1), rel=1e-6)
    zero = estimate(share, table(np.zeros((1, 16))))
    assert (zero.value, zero.low) == (0, 0)
    assert zero.high == pytest.approx(0.19361, rel=1e-4)


def test_wilson_agrees_with_scipy():
    """7 of 25 by scipy's binomtest."""
    ref = theirs.binomtest(7, 25).proportion_ci(0.95, method="wilson")
    assert wilson(7, 25) == pytest.approx((ref.low, ref.high), rel=1e-9)


def test_an_estimate_over_seeds_is_wider_than_over_documents_alone(mean, table):
    """Seeds that differ by 1 move the mean more than 200 documents of deviation 0.1 do."""
    values = 0.1 * _noise((1, 200)) + np.array([[0.0], [1.0], [2.0]])
    several, one = estimate(mean, table(values)), estimate(mean, table(values[:1]))
    assert several.value == pytest.approx(values.mean())
    assert several.high - several.low > 2
    assert one.high - one.low < 0.05
    assert (several.speaks_about, one.speaks_about) == ("methods", "checkpoints")


def test_an_estimated_share_over_seeds_stays_a_share(share, table):
    """Three seeds of all passed: an upper end of 1, a lower below it."""
    found = estimate(share, table(np.ones((3, 30))))
    assert (found.value, found.high) == (1, 1)
    assert 0.8 < found.low < 1


@pytest.mark.parametrize("passed", [0.0, 1.0])
def test_a_clustered_share_of_none_or_all_has_an_interval(passed, share, table):
    """0 of 20 in ten clusters, and two more that passed and two that failed: 2 of 14, deviation sqrt(.1319).

    1/7 + 2.1604 sqrt(.1319 / 14) = .3525, below cut at 0, where it was 0 to 0; all of 20 the other way.
    """
    found = estimate(share, table(np.full((1, 20), passed)), clusters=[i // 2 for i in range(20)])
    ends = (0, 0.35253) if passed == 0 else (0.64747, 1)
    assert (found.low, found.high) == pytest.approx(ends, abs=1e-4)


def test_a_metric_of_a_whole_set_has_a_value_and_no_interval():
    """Distinct bigrams of forty texts, four words each: resampled as they stand they seem too certain."""
    found = estimate(metric("distinct"), np.array([[[1.5 + i % 2, 3.0] for i in range(40)]]))
    assert found[:3] == (pytest.approx(2 / 3), None, None)
    ours = np.array([[[1.5 + i % 2, 3.0] for i in range(40)]])
    apart = compare(metric("distinct"), ours, ours[:, ::-1] * [0.9, 1.0], margin=0.02)
    assert apart.difference == pytest.approx(0.1 * 2 / 3)
    assert (apart.low, apart.p, apart.verdict) == (None, None, "undecided")
    assert "depends on the other documents" in apart.reason
    assert metric("self_bleu").of_set


def test_intervals_end_where_values_are_impossible(table):
    """Structure checks of .1 and three of 1: Student's 3.18 x .225 beyond .775 is over 1; a difference at 1.

    Perplexities of 1.1 to 40 on three texts: cut at 1.
    """
    checks = metric("structure_partial")
    found = estimate(checks, table([[0.1, 1, 1, 1]]))
    assert found.value == pytest.approx(0.775)
    assert (found.low >= 0.0, found.high) == (True, 1.0)
    apart = compare(checks, table([[0.9, 1, 1, 1]]), table([[0.9, 0, 0, 0]]), margin=None)
    assert (apart.difference, apart.high) == (0.75, 1.0)
    assert apart.low < 0
    perplexity = metric("perplexity")
    assert estimate(perplexity, np.array([[[0.1, 1], [3.7, 1], [3.7, 1]]])).low == 1.0
    assert metric("bleu").bounds == (0, 100)
    assert metric("word_perplexity").bounds == (1, np.inf)


def test_the_difference_in_bleu_has_the_bootstraps_interval_and_the_jackknifes_agrees(table):
    """Corpus BLEU is no mean: bootstrap-t and the jackknife's Student interval have about the same width."""
    draw = np.random.default_rng(3)
    totals = draw.integers(20, 60, size=(2, 300, 1)) - np.arange(4)
    matched = draw.binomial(totals, [0.6, 0.4, 0.3, 0.2])
    sizes = np.stack([totals[..., 0], totals[..., 0] + draw.integers(-3, 9, size=(2, 300))], axis=-1)
    counts = np.concatenate([sizes, matched, totals], axis=-1).astype(float)
    found = compare(metric("bleu"), counts[:1], counts[1:], margin=1.0)
    apart = influence(metric("bleu"), counts[:1]) - influence(metric("bleu"), counts[1:])
    width = 2 * theirs.t.ppf(0.975, 299) * apart.std(ddof=1) / 300**0.5
    assert found.low < found.difference < found.high
    assert found.high - found.low == pytest.approx(width, rel=0.05)


def test_what_would_decide_grows_with_what_is_missing(mean, table):
    """A difference of 0.1 with deviation 1 needs (1.96 + 0.84)^2 x 100 = 785 documents: 'about 790'."""
    gain = _noise((1, 60))
    gain = 0.1 + (gain - gain.mean()) / gain.std(ddof=1)
    found = compare(mean, table(gain), table(np.zeros((1, 60))), margin=None)
    assert found.verdict == "undecided"
    assert (found.needed_documents, found.needed_seeds) == (790, None)


def test_seeds_are_asked_for_where_documents_do_not_help(mean, table):
    """Seeds at 0.2, 0.5, 1.5: no number of documents decides, some number of seeds does, most likely."""
    values = 0.01 * _noise((3, 50)) + np.array([[0.2], [0.5], [1.5]])
    found = compare(mean, table(values), table(np.zeros((1, 50))), margin=None)
    assert found.needed_documents is None
    assert 3 < found.needed_seeds_range[0] < found.needed_seeds < found.needed_seeds_range[1]


def test_one_document_and_none_have_no_interval(mean, table):
    """One: a difference and no interval. None defined: nothing, and a reason."""
    one = compare(mean, table([[2.0]]), table([[1.0]]), margin=0.1)
    assert (one.difference, one.low, one.p, one.verdict) == (1.0, None, None, "undecided")
    assert one.reason == "one document has no interval"
    none = compare(mean, table([[np.nan]]), table([[1.0]]), margin=0.1)
    assert (none.difference, none.documents, none.excluded) == (None, 0, 1)
    assert none.reason.startswith("the metric is not defined")
    assert estimate(mean, table([[np.nan, np.nan]])).value is None
    assert estimate(mean, np.zeros((1, 0, 2))).value is None


def test_a_value_that_rests_on_one_document_has_no_interval(mean):
    """Counts 0, 0, 1: leave the last out and nothing is left to divide by."""
    lone = np.array([[[0.0, 0.0], [0.0, 0.0], [1.0, 1.0]]])
    found = compare(mean, lone, lone, margin=0.1)
    assert found.difference == 0
    assert found.low is None
    assert "single document" in found.reason


def test_different_test_parts_and_seeds_are_refused(mean, table):
    """5 documents against 4, and 3 seeds against 2, each in one line."""
    with pytest.raises(UserError, match="on 5 documents and the baseline on 4"):
        compare(mean, table(np.zeros((1, 5))), table(np.zeros((1, 4))), margin=0.1)
    with pytest.raises(UserError, match="3 seeds against 2"):
        compare(mean, table(np.zeros((3, 5))), table(np.zeros((2, 5))), margin=0.1)


def test_stacking_keeps_undefined_documents_in_place():
    """Two seeds, two documents, one undefined at one seed."""
    found = stack([[(1.0, 2.0), None], [(3.0, 4.0), (5.0, 6.0)]])
    assert found.shape == (2, 2, 2)
    assert np.isnan(found[0, 1]).all()
    assert found[1, 1].tolist() == [5.0, 6.0]
    with pytest.raises(UserError, match="different numbers of documents"):
        stack([[(1.0,)], []])


def test_the_same_seed_gives_the_same_interval(mean, table):
    """Bootstrap and randomisation are seeded; another seed moves the interval a little."""
    a, b = table(_noise((1, 40))), table(_noise((1, 40), 2))
    first = compare(mean, a, b, margin=0.1, seed=1)
    assert compare(mean, a, b, margin=0.1, seed=1) == first
    other = compare(mean, a, b, margin=0.1, seed=2)
    assert other.p != first.p
    assert other.p == pytest.approx(first.p, abs=0.05)
