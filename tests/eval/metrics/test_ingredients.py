"""Ingredient names, and what directions make of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from eval.metrics import Context, measure, metric
from eval.metrics.ingredients.names import name_words
from toolkit.specs import Format, Section


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("2 cups (250 g) all-purpose flour, sifted", ("flour",)),
        ("1 tablespoon (45 ml) olive oil", ("olive", "oil")),
        ("3 large tomatoes diced", ("tomato",)),
        ("½ tsp. freshly ground black pepper", ("black", "pepper")),
        ("2 boneless, skinless chicken breasts", ("boneless",)),  # a comma inside the name: not caught
        ("Salt to taste", ("salt",)),
        ("berries (frozen", ("berry",)),
        ("1 cup", ()),
        ("", ()),
    ],
)
def test_the_name_in_an_ingredient_line(line, name):
    """Amounts, units, asides and preparations are no name; plurals are folded."""
    assert name_words(line) == name


def test_ingredient_use_is_used_by_listed(context, outcome, text):
    """Eggs and salt are used, the butter is not: 2/3. A text without a list adds nothing, and is counted."""
    written = "INGREDIENTS: 2 eggs, 1 pinch salt, 1 tbsp butter\nDIRECTIONS: Whisk the egg, salt it.\n[END]"
    items = [outcome(text(), written), outcome(text(title="Toast"), "DIRECTIONS: Eat.\n[END]")]
    value, _ = measure(metric("ingredient_use"), items, context)
    assert value.value == pytest.approx(2 / 3)
    assert value.details["documents_without_ingredients"] == 1


def test_what_is_mentioned_without_being_listed(context, outcome, text):
    """Three training texts list and use eggs, milk, salt: so milk, mentioned but not listed, counts: 2/3."""
    train = [
        text(title=f"Dish {n}", ingredients="2 eggs, milk, salt", directions="Whisk eggs, milk, salt.")
        for n in range(3)
    ]
    written = "INGREDIENTS: 2 eggs, salt\nDIRECTIONS: Whisk eggs, salt and milk.\n[END]"
    value, _ = measure(metric("ingredient_use"), [outcome(text(), written)], replace(context, train=train))
    assert value.value == 1
    assert value.details["mentioned_that_were_listed"] == pytest.approx(2 / 3)
    assert value.details["f1"] == pytest.approx(0.8)


def test_ingredient_match_is_f1_of_summed_counts(context, outcome, text):
    """Eggs, salt wanted; eggs, milk, butter written: one in both, 2 x 1 / (3 + 2)."""
    written = "INGREDIENTS: eggs, milk, butter\nDIRECTIONS: x\n[END]"
    value, _ = measure(metric("ingredient_match"), [outcome(text(), written)], context)
    assert value.value == pytest.approx(0.4)
    assert value.details == pytest.approx({"precision": 1 / 3, "recall": 1 / 2})


def test_a_list_that_the_prompt_holds_is_not_matched(context, outcome, text):
    """From title and ingredients there is nothing to match: None."""
    given = replace(context, prompt_mode="ingredients")
    item = outcome(text(), "DIRECTIONS: x\n[END]", mode="ingredients")
    assert measure(metric("ingredient_match"), [item], given)[0].value is None
    assert measure(metric("ingredient_use"), [item], given)[0].value == 0


def test_references_and_texts_without_ingredients(context, outcome, text):
    """A reference that lists nothing is left out; a format without a list has no such metric."""
    empty = outcome("RECIPE: t\nINGREDIENTS: \nDIRECTIONS: x\n[END]", "DIRECTIONS: y\n[END]")
    assert measure(metric("ingredient_match"), [empty], context)[0].value is None
    assert measure(metric("ingredient_use"), [empty], context)[0].value is None
    form = Format(
        name="qa", sections=(Section(name="q", marker="Q:"), Section(name="a", marker="A:")), end="E"
    )
    plain = Context(form=form, decoding="greedy")
    for name in ("ingredient_use", "ingredient_match"):
        assert measure(metric(name), [outcome(text(), "A: x")], plain)[0].value is None
