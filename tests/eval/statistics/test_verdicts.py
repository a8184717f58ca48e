"""Verdicts and Holm's correction, case by case."""

from __future__ import annotations

import pytest

from eval.metrics import metric
from eval.statistics.compare import holm, judge
from eval.statistics.verdicts import margin_in_unit, margin_of_values, require_margin_of, supports, with_holm
from toolkit.errors import UserError
from toolkit.records import Comparison


@pytest.mark.parametrize(
    ("low", "high", "p", "margin", "direction", "expected"),
    [
        (0.1, 0.5, 0.01, 0.05, "higher", "better"),
        (0.1, 0.5, 0.01, 0.05, "lower", "worse"),
        (-0.5, -0.1, 0.01, 0.05, "lower", "better"),
        (-0.5, -0.1, 0.01, 0.05, "higher", "worse"),
        (0.1, 0.5, 0.2, 0.05, "higher", "undecided"),  # Holm took it away
        (-0.1, 0.5, 0.01, 0.05, "higher", "undecided"),  # the interval holds zero
        (-0.04, 0.04, 1.0, 0.05, "higher", "equivalent"),
        (0.01, 0.04, 0.001, 0.05, "higher", "better"),  # real, though within the margin
        (0.01, 0.04, 0.2, 0.05, "higher", "equivalent"),  # not after the correction
        (-0.05, 0.04, 1.0, 0.05, "higher", "undecided"),  # touches the margin
        (-0.04, 0.04, 1.0, None, "higher", "undecided"),  # no margin, no equivalence
        (0.1, 0.5, 0.01, 0.05, "neither", "undecided"),  # neither way is better
        (None, None, None, 0.05, "higher", "undecided"),
        (0.1, 0.5, None, 0.05, "higher", "undecided"),
    ],
)
def test_the_verdict(low, high, p, margin, direction, expected):
    """Equivalent is decided by the interval alone; better and worse need the interval and p."""
    assert judge(low, high, p, margin=margin, direction=direction).verdict == expected


def test_holm_multiplies_the_smallest_by_the_number_of_tests_and_never_decreases():
    """.01 x 3 = .03; .02 x 2 = .04; .03 x 1 = .03, raised to the .04 before it."""
    assert holm([0.03, 0.01, 0.02]) == pytest.approx([0.04, 0.03, 0.04])


def test_holm_leaves_none_out_of_the_count():
    """Of two known p-values: .02 x 2 = .04 and .5 x 1."""
    assert holm([None, 0.5, 0.02]) == [None, 0.5, 0.04]
    assert holm([]) == []


def test_holm_refuses_what_is_no_p_value():
    """1.2 is none."""
    with pytest.raises(UserError, match=r"1\.2 is not a p-value"):
        holm([0.1, 1.2])


def test_a_judgement_says_where_the_interval_lies_relative_to_the_margin():
    """Margin .05: .01 to .04 is better within it, .06 to .2 better by more, .01 to .2 neither."""
    shared = {"margin": 0.05, "direction": "higher"}
    assert judge(0.01, 0.04, 0.001, **shared) == ("better", True, False)
    assert judge(0.06, 0.2, 0.001, **shared) == ("better", False, True)
    assert judge(0.01, 0.2, 0.001, **shared) == ("better", False, False)
    assert judge(-0.01, 0.04, 0.3, **shared) == ("equivalent", True, False)


@pytest.mark.parametrize(
    ("verdict", "within", "beyond", "expected", "support"),
    [
        ("better", True, False, ["better"], "supports"),  # small, but in the direction that was published
        ("worse", False, False, ["better"], "contradicts"),
        ("equivalent", True, False, ["better"], "undecided"),  # no opposite direction
        ("worse", False, False, ["better", "equivalent"], "undecided"),  # perhaps within the margin
        ("worse", False, True, ["better", "equivalent"], "contradicts"),
        ("worse", True, False, ["equivalent"], "supports"),  # real and negligible
        ("worse", False, True, ["equivalent"], "contradicts"),
        ("undecided", False, False, ["better"], "undecided"),
    ],
)
def test_only_the_opposite_contradicts_a_finding(verdict, within, beyond, expected, support):
    """Sign before size: see each case."""
    numbers = dict.fromkeys(("difference", "low", "high", "p", "p_holm", "margin"))
    one = Comparison(
        base_model="b", dataset="d", method="m", baseline="full", metric="bleu", label="BLEU",
        direction="higher", verdict=verdict, within_margin=within, beyond_margin=beyond,
        speaks_about="methods", seeds=3, documents=9, **numbers,
    )  # fmt: skip
    assert supports(one, expected) == support


def test_a_margin_can_be_a_share_of_the_gain_over_the_untouched_base(mean, table):
    """5 % of the gain from 2 to 4 is 0.1; at a gain of 0 the floor; without a base unknown."""
    base = table([[1.0, 3.0]])
    assert margin_in_unit(mean, 0.05, 4.0, base, "gain") == pytest.approx(0.1)
    assert margin_in_unit(mean, 0.05, 2.0, base, "gain") == mean.margin_floor
    assert margin_in_unit(mean, 0.05, 4.0, None, "gain") is None
    assert margin_in_unit(mean, 0.05, -4.0, None, "relative") == pytest.approx(0.2)
    assert margin_in_unit(mean, 0.05, None, None, "absolute") == 0.05


def test_a_baseline_that_lost_against_the_base_leaves_only_the_least_margin(lower):
    """BLEU from 23.8 to 3.0: 10 % of the loss would be 2.08; the floor is 0.1. Lower: 4 to 2 is a gain."""
    bleu = metric("bleu")
    assert margin_of_values(bleu, 0.1, 3.0, 23.8) == bleu.margin_floor == 0.1
    assert margin_of_values(bleu, 0.1, 23.8, 3.0) == pytest.approx(2.08)
    assert margin_of_values(lower, 0.05, 2.0, 4.0, "gain") == pytest.approx(0.1)
    assert margin_of_values(lower, 0.05, 4.0, 2.0, "gain") == lower.margin_floor == 0.0


def test_families_do_not_share_their_five_percent():
    """Two primary comparisons at .03 are corrected to .06 each; the one with the base, at .03, stays .03.

    What was decided does not go on telling how many documents or seeds would decide.
    """
    one = Comparison(
        base_model="b", dataset="d", method="m", baseline="full", metric="bits_per_byte", direction="lower",
        difference=-0.2, low=-0.3, high=-0.1, p=0.03, p_holm=None, margin=None, verdict="undecided",
        speaks_about="methods", seeds=3, documents=48, needed_documents=90, needed_seeds=5,
    )  # fmt: skip
    base = one.model_copy(update={"family": "base", "baseline": "base"})
    first, second, third = with_holm([one, base, one])
    assert [c.p_holm for c in (first, second, third)] == pytest.approx([0.06, 0.03, 0.06])
    assert [c.verdict for c in (first, second, third)] == ["undecided", "better", "undecided"]
    assert (first.needed_documents, first.needed_seeds) == (90, 5)
    assert (second.needed_documents, second.needed_seeds) == (None, None)


@pytest.mark.parametrize(
    ("name", "largest", "message"),
    [
        ("bits_per_byte", 0.2, "1 is 100% of the baseline's value.*1 % is 0.01"),
        ("structure_compliance", 0.49, "1 is half of all values or more \\(0 to 1\\).*one point is 0.01"),
        ("bleu", 49, "60 is half of all values or more \\(0 to 100\\)"),
    ],
)
def test_a_margin_in_another_unit_is_refused(name, largest, message):
    """1 for 1 % of bits per byte or for one point of a share: everything would be called equivalent."""
    require_margin_of(metric(name), largest)
    with pytest.raises(UserError, match=message):
        require_margin_of(metric(name), 60 if name == "bleu" else 1)
