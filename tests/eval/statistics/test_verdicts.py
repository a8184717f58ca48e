"""Verdicts and Holm's correction, case by case."""

from __future__ import annotations

import pytest

from eval.statistics.compare import holm, verdict
from toolkit.errors import UserError


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
        (0.01, 0.04, 0.001, 0.05, "higher", "equivalent"),  # there, but of no account
        (-0.05, 0.04, 1.0, 0.05, "higher", "undecided"),  # touches the margin
        (-0.04, 0.04, 1.0, None, "higher", "undecided"),  # no margin, no equivalence
        (0.1, 0.5, 0.01, 0.05, "neither", "undecided"),  # neither way is better
        (None, None, None, 0.05, "higher", "undecided"),
        (0.1, 0.5, None, 0.05, "higher", "undecided"),
    ],
)
def test_the_verdict(low, high, p, margin, direction, expected):
    """Equivalent is decided by the interval alone; better and worse need the interval and p."""
    assert verdict(low, high, p, margin=margin, direction=direction) == expected


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
