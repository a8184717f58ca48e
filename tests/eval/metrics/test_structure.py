"""Structure compliance: each check fails alone on a text that is broken in that one way."""

from __future__ import annotations

import pytest

from eval.anchors import references
from eval.metrics import measure, metric
from eval.metrics.structure.checks import check_names, check_structure
from toolkit.specs import Format, Section

R, I, D, E = "RECIPE: Toast", "INGREDIENTS: bread", "DIRECTIONS: Toast it.", "[END]"  # noqa: E741

BROKEN = {
    "title present": ["Toast", I, D, E],
    "ingredients present": [R, "bread", D, E],
    "directions present": [R, I, "Toast it.", E],
    "title once": [R, R, I, D, E],
    "ingredients once": [R, I, I, D, E],
    "directions once": [R, I, D, D, E],
    "title not empty": ["RECIPE: ", I, D, E],
    "ingredients not empty": [R, "INGREDIENTS: ", D, E],
    "directions not empty": [R, I, "DIRECTIONS: ", E],
    "in order": [R, D, I, E],
    "end present": [R, I, D],
    "end once": [R, I, D, E, E],
    "nothing after end": [R, I, D, E, "Enjoy!"],
}


def _failing(text, form, stopped=True):
    return [name for name, passed in check_structure(text, form, stopped).items() if passed is False]


def test_the_broken_texts_cover_every_check(context):
    """All checks but `stopped by itself`, which is no property of the text."""
    assert [*BROKEN, "stopped by itself"] == check_names(context.form)


@pytest.mark.parametrize("name", BROKEN)
def test_each_check_fails_alone(name, context):
    """A text broken in one way fails the check of that way and no other."""
    assert _failing("\n".join(BROKEN[name]), context.form) == [name]


def test_running_to_the_limit_fails_alone(context):
    """A perfect text that did not stop by itself."""
    assert _failing("\n".join([R, I, D, E]), context.form, stopped=False) == ["stopped by itself"]


def test_a_well_formed_text_fails_nothing(context):
    """And an end of line after the end marker is not text."""
    assert _failing("\n".join([R, I, D, E]) + "\n", context.form) == []


def test_a_second_recipe_is_caught(context):
    """After [END] another recipe: text after the end, and its markers are repetitions."""
    failing = _failing("\n".join([R, I, D, E, R, I]), context.form)
    assert failing == ["title once", "ingredients once", "nothing after end"]


def test_compliance_is_the_share_that_passes_and_counts_failures_by_name(context, outcome, text):
    """Of three, one passes; one lacks [END], one lacks it and did not stop: 1/3; end 2, stopped 1."""
    good = outcome(text(), "\n".join([I, D, E]))
    endless = outcome(text(), "\n".join([I, D]))
    cut = outcome(text(), "\n".join([I, D]), ended="limit")
    value, _ = measure(metric("structure_compliance"), [good, endless, cut], context)
    assert value.value == pytest.approx(1 / 3)
    assert value.details["failed: end present"] == 2
    assert value.details["failed: stopped by itself"] == 1
    assert value.details["failed: ingredients once"] == 0


def test_partial_is_the_share_of_checks(context, outcome, text):
    """14 checks. Without [END] three of them are not passed: the end's, once, nothing after: 11/14."""
    endless = outcome(text(), "\n".join([I, D]))
    value, _ = measure(metric("structure_partial"), [endless], context)
    assert value.value == pytest.approx(11 / 14)


def test_an_empty_generation_passes_only_what_the_prompt_gives(context, outcome, text):
    """Title present, once, not empty, and it stopped: 4/14. Strictly 0."""
    item = outcome(text(), "")
    assert measure(metric("structure_partial"), [item], context)[0].value == pytest.approx(4 / 14)
    assert measure(metric("structure_compliance"), [item], context)[0].value == 0


def test_references_are_compliant(context, outcome, text):
    """Scored as if generated, the references pass everything."""
    items = [outcome(text(title=f"Dish {n}")) for n in range(3)]
    for name in ("structure_compliance", "structure_partial"):
        assert measure(metric(name), references(items, context), context)[0].value == 1.0


def test_the_checks_follow_the_format():
    """Another format's markers, with regular-expression characters in them, get checks of their own."""
    form = Format(
        name="qa", sections=(Section(name="q", marker="Q?"), Section(name="a", marker="A*")), end="--"
    )
    assert _failing("Q? why\nA* so\n--", form) == []
    assert _failing("Q? why\nA so\n--", form) == ["a present"]
