"""Numbers and names are worded one way, with as many digits as they deserve."""

from __future__ import annotations

import pytest

from figures.wording import names as words
from figures.wording.pairs import verdict_text
from tests.figures.conftest import compare


@pytest.mark.parametrize(
    ("unit", "low", "high", "places"),
    [
        ("bits per byte", 0.841, 0.853, 4),  # half width 0.006: 0.0060
        ("BLEU", 4.0, 7.6, 1),  # 1.8
        ("BLEU", 1.0, 41.0, 1),  # 20 would need none; one is kept
        ("share", 0.40, 0.64, 1),  # 12 points
        ("perplexity", 8.10, 8.20, 3),  # 0.050
        ("bits per byte", None, None, 3),
        ("share", 0.5, 0.5, 1),
        ("loss", 0.0002, 0.0006, 4),  # half width 0.0002: one digit is enough
        ("loss", 1e-5, 3e-5, 5),  # 0.00001, not 0.0000
    ],
)
def test_decimals_show_two_digits_of_the_half_width(
    unit: str, low: float | None, high: float | None, places: int
) -> None:
    """Between one and four decimals, and more only where four would show nothing."""
    assert words.decimals(unit, low, high) == places


def test_shares_are_per_cent_and_their_differences_points() -> None:
    """0.625 is 62.5 %; -0.025 is -2.5 points, with a true minus sign."""
    assert words.value_text(0.625, "share", 1) == "62.5 %"
    assert words.difference_text(-0.025, "share", 1) == "−2.5 points"
    assert words.difference_text(0.021, "bits per byte", 4) == "+0.0210"


def test_a_difference_that_rounds_to_nothing_has_no_sign() -> None:
    """-0.0004 to one decimal is 0.0, not -0.0."""
    assert words.number(-0.0004, 1) == "0.0"
    assert words.difference_text(-0.0004, "BLEU", 1) == "0.0"
    assert words.difference_text(0.0004, "BLEU", 1) == "0.0"


def test_what_is_missing_is_a_dash_and_never_a_number() -> None:
    """None and the NaN that a frame makes of it."""
    assert words.value_text(None, "BLEU", 1) == "–"
    assert words.difference_text(float("nan"), "BLEU", 1) == "–"
    assert words.interval_text(None, 1.0, "BLEU", 1) == "–"
    assert words.p_text(None) == "–"
    assert words.amount(float("nan"), "bytes") == "–"


def test_a_p_value_is_never_zero() -> None:
    """0.0002 is below 0.001; from 0.1 on two digits are enough."""
    assert [words.p_text(p) for p in (0.0002, 0.0312, 0.456)] == ["< 0.001", "0.031", "0.46"]


def test_amounts_take_the_unit_that_reads_best() -> None:
    """3.9e9 bytes; 39e6; a soft prompt of 20 x 576 floats; 45 s; 126 s = 2.1 min; 9,000 s = 2.5 h."""
    assert words.amount(3.9e9, "bytes") == "3.90 GB"
    assert words.amount(39e6, "bytes") == "39.0 MB"
    assert words.amount(20 * 576 * 4, "bytes") == "46.1 kB"
    assert [words.amount(s, "seconds") for s in (45, 126, 9000)] == ["45.0 s", "2.1 min", "2.5 h"]


def test_lists_read_as_a_sentence() -> None:
    """One, two, three."""
    assert [words.joined(list(items)) for items in ("a", "ab", "abc")] == ["a", "a and b", "a, b and c"]


def test_a_metric_is_called_what_its_record_says() -> None:
    """Records older than labels have None: then it is the name in words."""
    assert words.metric_label("word_perplexity", None) == "word perplexity"
    assert words.metric_label("bleu", "BLEU") == "BLEU"


def test_a_title_keeps_capitals_that_are_part_of_a_name() -> None:
    """chrF is not ChrF."""
    assert [words.capital(text) for text in ("bits per byte", "chrF", "token F1", "")] == [
        "Bits per byte", "chrF", "Token F1", "",
    ]  # fmt: skip


def test_what_an_interval_is_about_depends_on_its_seeds() -> None:
    """One seed and two: checkpoints; three: the method."""
    assert words.scope_text("checkpoints", 1, 40) == "this checkpoint (documents only, one seed)"
    assert words.scope_text("checkpoints", 2, 40) == "these checkpoints (2 seeds × 40 documents)"
    assert words.scope_text("methods", 3, 1) == "the method (3 seeds × 1 document)"
    assert words.scope_text("methods", 3, 0) == "the method (3 seeds)"


def test_what_would_decide_is_a_number_with_its_range() -> None:
    """Seeds first; an open end is `or more`; nothing known is an empty text."""
    pair = compare("lora-r16", "full", "bleu", 3)
    empty = {"needed_documents": None, "needed_seeds": None}
    assert words.needed_text(pair.model_copy(update=empty)) == ""
    both = {"needed_documents": 1200, "needed_seeds": 6, "needed_seeds_range": (4, None)}
    assert words.needed_text(pair.model_copy(update=both)) == "about 6 seeds (4 or more) or 1,200 documents"
    alone = {"needed_documents": None, "needed_seeds": 6, "needed_seeds_range": (4, 11)}
    assert words.needed_text(pair.model_copy(update=alone)) == "about 6 seeds (4 to 11)"


def test_a_verdict_is_worded_with_its_size() -> None:
    """Better within the margin, beyond it, and neither; an equivalent one lies within by definition."""
    pair = compare("lora-r16", "full", "bleu", 3)
    cases = {
        ("better", True, False): "better, but by less than the margin",
        ("worse", False, True): "worse by more than the margin",
        ("better", False, False): "better",
        ("equivalent", True, False): "equivalent",
    }
    for (verdict, within, beyond), text in cases.items():
        update = {"verdict": verdict, "within_margin": within, "beyond_margin": beyond}
        assert verdict_text(pair.model_copy(update=update)) == text
