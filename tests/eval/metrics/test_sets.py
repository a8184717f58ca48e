"""Diversity and copying: what a set of generations is like, against itself and the training texts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sacrebleu.metrics.bleu import BLEU

from eval.metrics import measure, metric
from eval.metrics.memorization.copies import Runs

TRAIN = "RECIPE: Soup\nINGREDIENTS: water\nDIRECTIONS: a b c d e f g h i j k l m n o\n[END]"


def _written(outcome, *texts):
    return [outcome(f"RECIPE: t{n}\nx\n[END]", text) for n, text in enumerate(texts)]


def test_distinct_counts_each_different_ngram_once_over_the_set(context, outcome):
    """`a b a b` and `a b c`: bigrams ab ba ab / ab bc: 3 different of 5; words 3 of 7; trigrams 3 of 3."""
    value, _ = measure(metric("distinct"), _written(outcome, "a b a b", "a b c"), context)
    assert value.value == pytest.approx(3 / 5)
    assert value.details["distinct_1"] == pytest.approx(3 / 7)
    assert value.details["distinct_3"] == pytest.approx(1)


def test_self_bleu_is_corpus_bleu_against_all_others(context, outcome):
    """Five texts, each with the other four as references, through sacreBLEU's own corpus_score."""
    texts = [
        "mix the flour and the eggs well",
        "mix the flour with the milk",
        "mix the flour and the eggs well",
        "bake the dough for an hour and serve it",
        "the the the the the dough",
    ]
    value, _ = measure(metric("self_bleu"), _written(outcome, *texts), context)
    others = [[texts[i] for i in range(5) if i != own] for own in range(5)]
    theirs = BLEU().corpus_score(texts, [list(stream) for stream in zip(*others, strict=True)])
    assert 20 < theirs.score < 90
    assert value.value == pytest.approx(theirs.score, rel=1e-12)


def test_one_generation_has_no_self_bleu(context, outcome):
    """There is no other to be like."""
    value, _ = measure(metric("self_bleu"), _written(outcome, "a b c"), context)
    assert (value.value, value.documents) == (None, 0)


def test_the_longest_run_does_not_cross_texts_and_is_found_at_any_length():
    """Texts a b c / d e f: of `b c d e x` the longest runs are b c and d e."""
    runs = Runs([["a", "b", "c"], ["d", "e", "f"]])
    assert runs.longest(["b", "c", "d", "e", "x"]) == 2
    assert runs.longest(["x", "a", "b", "c", "y"]) == 3
    assert runs.longest(["x", "y"]) == 0
    assert runs.longest([]) == 0
    long = [f"w{n}" for n in range(100)]
    assert Runs([long]).longest(["x", *long[10:67], "y"]) == 57
    assert Runs([]).longest(["a"]) == 0


def test_copied_is_the_share_with_a_run_of_thirteen_words(context, outcome):
    """Twelve words of the training text, then thirteen: 1 of 2, and 12.5 words in the mean."""
    known = replace(context, train=[TRAIN])
    items = _written(outcome, "A b c d e f g h i j k l X", "X b c d e f g h i j k l m n")
    assert measure(metric("copied"), items, known)[0].value == 0.5
    assert measure(metric("longest_copy"), items, known)[0].value == 12.5


def test_without_training_texts_copying_is_undefined(context, outcome):
    """None, not 0: nothing was compared."""
    value, rows = measure(metric("copied"), _written(outcome, "a b"), context)
    assert (value.value, rows) == (None, [None])
