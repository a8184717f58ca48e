"""Points of growth curves: documents of one length, medians by hand, and settings that are refused."""

from __future__ import annotations

import pytest

from experiments.bench.training.growth import axes
from experiments.bench.training.growth.points import pieces, summary
from toolkit.errors import UserError


def test_pieces_have_the_requested_length(tiny_tokenizer, recipe_texts):
    """Thirty pieces of 50 tokens out of two recipes, which are repeated: none differs by more than 8."""
    cut = pieces(recipe_texts[:2], tiny_tokenizer, 50, 30)
    assert len(cut) == 30
    lengths = [len(ids) for ids in tiny_tokenizer(cut, add_special_tokens=False)["input_ids"]]
    assert max(abs(length - 50) for length in lengths) <= 8


def test_a_point_is_the_median_of_its_turns():
    """Speeds 10, 30, 20: 20, from 10 to 30; memory 1, 2, 9: 2; what one turn lacks is left out."""
    turns = [
        {"tokens_per_second": speed, "peak_memory_bytes": peak, "cuda_allocated_bytes": None, "parameters": 7}
        for speed, peak in ((10, 1), (30, 2), (20, 9))
    ]
    assert summary("full", "256", turns) == {
        "method": "full",
        "value": "256",
        "tokens_per_second": 20,
        "lowest": 10,
        "highest": 30,
        "peak_memory_bytes": 2,
        "parameters": 7,
    }


def test_the_batch_and_the_lengths_are_those_of_the_axis():
    """Over length the batch stays as large as the longest; over batch the documents fit the smallest."""
    assert axes._sizes("length", "128", ["128", "512"]) == {"length": 128, "batch_tokens": 512}
    assert axes._sizes("batch", "512", ["128", "512"]) == {"length": 128, "batch_tokens": 512}
    assert axes._sizes("size", "tiny-shape", ["tiny-shape"]) == {"length": 256, "batch_tokens": 1024}


def test_an_axis_or_value_that_is_not_understood_is_refused():
    """Before anything is measured."""
    with pytest.raises(UserError, match="unknown growth axis 'lenght'. Did you mean 'length'"):
        axes.bench("lenght", [], "tiny-shape", 1, print)
    with pytest.raises(UserError, match="expected whole numbers from 1, not 0 5"):
        axes.bench("jobs", ["0", "5"], "tiny-shape", 1, print)
