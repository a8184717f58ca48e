"""Each failing generation gets every class that fits, and structure's classes agree with the metric."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.failures import CLASSES, STRUCTURAL, failures, loop
from eval.metrics import Context, metric
from toolkit import config
from toolkit.data.format import prompt
from toolkit.records import Generation, Outcome
from toolkit.specs import Format

FORMATS = ("recipe", "rezept", "opskrift")
BODIES = {
    "recipe": ("Egg on toast", "2 eggs, 1 slice bread", "Toast the bread, fry the eggs and lay them on it."),
    "rezept": ("Ei auf Brot", "2 Eier, 1 Scheibe Brot", "Das Brot toasten, die Eier braten und auflegen."),
    "opskrift": ("Æg på brød", "2 æg, 1 skive brød", "Rist brødet, steg æg og læg dem på brød."),
}


def written(form: Format, lines: list[str], ended: str = "end_of_text") -> Generation:
    """A generation whose whole document is these lines, the first being the prompt."""
    first, *rest = lines
    return Generation(
        prompt_mode="title",
        decoding="greedy",
        prompt=first + "\n",
        text="\n".join(rest),
        tokens=40,
        ended=ended,
    )


def lines(form: Format) -> tuple[str, str, str, str]:
    """The lines of a document that nothing is wrong with."""
    said = [f"{s.marker} {b}" for s, b in zip(form.sections, BODIES[form.name], strict=True)]
    return said[0], said[1], said[2], form.end


@pytest.fixture(params=FORMATS)
def form(request) -> Format:
    """Each format of the catalog."""
    return config.document_format(request.param)


def test_nothing_is_wrong_with_a_whole_document(form):
    """Title, ingredients that are used, directions, end: no class, in English, German and Danish."""
    assert failures(written(form, [*lines(form)]), form) == {}


def test_each_way_of_breaking_has_its_class(form):
    """Built from the format's own markers, so that another language's texts are judged by its own."""
    r, i, d, e = lines(form)
    title, listed, steps = (section.marker for section in form.sections)
    broken = {
        ("missing_marker",): [r, i, d],
        ("repeated_marker",): [r, i, d, e, e],
        ("out_of_order",): [r, d, i, e],
        ("empty_section",): [r, i, f"{steps} ", e],
        ("text_after_end",): [r, i, d, e, "Enjoy!"],
        ("repeated_marker", "text_after_end", "second_document"): [r, i, d, e, r, i],
        ("repeated_marker", "second_document"): [r, i, r, d, e],
    }
    for classes, text in broken.items():
        found = failures(written(form, text), form)
        assert tuple(c for c in CLASSES if c in found) == classes, text
    cut = failures(written(form, [r, i, d, e], ended="limit"), form)
    assert cut == {"ran_to_limit": "cut at 40 tokens"}
    assert failures(written(form, [r, d]), form)["missing_marker"] == f"lacks {listed}, {form.end}"
    assert failures(written(form, [r, d, i, e]), form)["out_of_order"] == (
        f"the order is {title}, {steps}, {listed}, {form.end}"
    )


def test_a_loop_is_a_phrase_three_times_in_a_row_or_eight_words_anywhere():
    """`1 cup` three times is six words; `stir stir stir` is three; eight words may stand apart."""
    assert loop("1 cup, 1 cup, 1 cup of milk") == ("1 cup", 3, " in a row")
    assert loop("stir, stir, stir and stir") is None
    assert loop("add salt " * 5) == ("add salt", 5, " in a row")
    assert loop("crumb " * 6) == ("crumb", 6, " in a row")
    line = "put the bread in the oven for ten"
    assert loop(f"{line} now, {line} then, {line}") == (line, 3, "")
    assert loop(f"{line} now, {line} then") is None
    assert loop("") is None


def test_ingredients_count_as_unused_below_a_quarter():
    """Of four listed, none is mentioned: a failure that names them; one of four is the quarter, and none."""
    form = config.document_format("recipe")
    listed = "INGREDIENTS: 1 cup flour, 2 eggs, 1 onion, 10 g salt"
    found = failures(written(form, ["RECIPE: Pie", listed, "DIRECTIONS: Bake it.", "[END]"]), form)
    assert found == {"unused_ingredients": "never mentions flour, egg, onion, salt (4 of 4 ingredients)"}
    used = written(form, ["RECIPE: Pie", listed, "DIRECTIONS: Bake the onion.", "[END]"])
    assert failures(used, form) == {}


def test_a_loop_in_the_prompt_is_not_the_models(form):
    """A given list that repeats itself is the reference's business."""
    r, _, d, e = lines(form)
    again = f"{form.sections[1].marker} {', '.join(['1 egg'] * 4)}"
    generation = Generation(
        prompt_mode="ingredients", decoding="greedy", prompt=f"{r}\n{again}\n", text=f"{d}\n{e}", tokens=9,
        ended="end_of_text",
    )  # fmt: skip
    assert "loop" not in failures(generation, form)


PIECES = st.lists(
    st.one_of(
        st.sampled_from(
            [s.marker for name in FORMATS for s in config.document_format(name).sections]
            + [config.document_format(name).end for name in FORMATS]
        ),
        st.text(max_size=12),
        st.sampled_from(["\n", " ", "\n\n", "\r", "egg, "]),
    ),
    max_size=14,
)


@settings(deadline=None)
@given(name=st.sampled_from(FORMATS), pieces=PIECES, whole=st.booleans(), stopped=st.booleans())
def test_a_text_passes_strictly_if_and_only_if_no_structural_class_is_found(name, pieces, whole, stopped):
    """Arbitrary texts, and whole documents with something behind: the metric and the classes agree."""
    form = config.document_format(name)
    r, i, d, e = lines(form)
    rest = "".join(pieces)
    text = f"{i}\n{d}\n{e}{rest}" if whole else rest
    generation = written(form, [r, text], "end_of_text" if stopped else "limit")
    outcome = Outcome(document_id="0", title="x", reference="\n".join(lines(form)), generations=(generation,))
    found = failures(generation, form)
    passed, _, *failed = metric("structure_compliance").statistics(outcome, Context(form=form))
    assert bool(passed) == (not set(found) & set(STRUCTURAL))
    assert set(found) <= set(CLASSES)
    assert bool(sum(failed)) == (not passed)
    assert all(words and "\n" not in words for words in found.values())


@pytest.mark.parametrize("name", ["wikibooks", "wikibooks-de", "wikibooks-da"])
def test_human_recipes_fail_nothing_of_structure_and_hardly_loop(name, tmp_path):
    """Sixty real recipes of each language, as if generated: no structural class, at most one loop."""
    from toolkit.data.prepare import prepare
    from toolkit.specs import DataSpec

    dataset = config.dataset(name)
    form = dataset.format
    texts = list(prepare(dataset, DataSpec(train=60, validation=2, test=2), tmp_path).train)
    start = [prompt(text, form, "title") for text in texts]
    found = [
        failures(written(form, [s.rstrip("\n"), t.removeprefix(s)]), form)
        for s, t in zip(start, texts, strict=True)
    ]
    assert len(found) == 60
    assert not any(set(classes) & set(STRUCTURAL) for classes in found)
    assert sum("loop" in classes for classes in found) <= 1
    assert sum("unused_ingredients" in classes for classes in found) <= 12
