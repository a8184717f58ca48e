"""Perplexity and bits per byte, against sums worked by hand."""

from __future__ import annotations

import math

import pytest

from eval.metrics import measure, metric

LN2 = math.log(2)
PARTS = {  # nats, tokens, bytes
    "title": (2 * LN2, 2, 8),
    "ingredients": (6 * LN2, 4, 8),
    "scaffold": (0.0, 2, 8),
    "stop": (100 * LN2, 1, 0),
}


def test_bits_per_byte_is_total_bits_by_total_bytes_without_the_stop(context, outcome, text):
    """(2 + 6 + 0) bits / (8 + 8 + 8) bytes = 1/3; the stop's 100 bits have no byte and are not in."""
    value, _ = measure(metric("bits_per_byte"), [outcome(text(), likelihood=PARTS)], context)
    assert value.value == pytest.approx(1 / 3, rel=1e-12)
    assert value.details["title"] == pytest.approx(0.25)
    assert value.details["ingredients"] == pytest.approx(0.75)
    assert value.details["scaffold"] == 0
    assert value.details["directions"] is None  # no such part: undefined, not 0


def test_bits_per_byte_of_documents_is_weighted_by_their_bytes(context, outcome, text):
    """4 bits over 4 bytes and 4 bits over 12 bytes: 8 / 16 = 0.5, where the mean of 1 and 1/3 is 0.67."""
    short = outcome(text(), likelihood={"title": (4 * LN2, 1, 4)})
    long = outcome(text(), likelihood={"title": (4 * LN2, 1, 12)})
    value, rows = measure(metric("bits_per_byte"), [short, long], context)
    assert value.value == pytest.approx(0.5)
    assert value.documents == len(rows) == 2


def test_perplexity_is_exp_of_summed_nats_by_summed_tokens(context, outcome, text):
    """8 bits over 8 tokens: 2 ** 1 = 2. By section: title 2 ** 1, ingredients 2 ** 1.5."""
    value, _ = measure(metric("perplexity"), [outcome(text(), likelihood=PARTS)], context)
    assert value.value == pytest.approx(2.0)
    assert value.details["ingredients"] == pytest.approx(2**1.5)


def test_a_perplexity_past_all_numbers_is_none(context, outcome, text):
    """exp(1000) is not a float: undefined, and not infinity in a record."""
    value, _ = measure(metric("perplexity"), [outcome(text(), likelihood={"title": (1000.0, 1, 1)})], context)
    assert value.value is None
