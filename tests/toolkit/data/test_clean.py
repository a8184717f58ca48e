"""What makes a row a document, what is mended on the way, and what is refused by which name."""

from collections import Counter
from typing import Any

import pytest

from toolkit.data.cleaning import RefusedError, clean_text, to_document
from toolkit.data.format import render
from toolkit.specs import Format, Section

RECIPE = Format(
    name="recipe",
    sections=(
        Section(name="title", marker="RECIPE:"),
        Section(name="ingredients", marker="INGREDIENTS:", separator=", "),
        Section(name="directions", marker="DIRECTIONS:"),
    ),
    end="[END]",
)


def text_of(**row: Any) -> str:
    """The rendered document of a row."""
    return render(to_document(row, RECIPE, {}, Counter()), RECIPE)


def test_a_row_of_lists_becomes_one_line_a_section() -> None:
    """Two ingredients joined by ", ", two steps by a space; the comma inside an ingredient goes."""
    row = {
        "title": "Toast",
        "ingredients": ["1 cup butter, softened", "bread"],
        "directions": ["Cut.", "Fry."],
    }
    expected = "RECIPE: Toast\nINGREDIENTS: 1 cup butter softened, bread\nDIRECTIONS: Cut. Fry.\n[END]"
    assert text_of(**row) == expected


@pytest.mark.parametrize(
    "ingredients",
    [
        ["salt", "pepper"],
        ("salt", "pepper"),
        '["salt", "pepper"]',
        "['salt', 'pepper']",
        "salt, pepper",
        "salt\npepper",
        [" salt ", "", None, "pepper"],
    ],
)
def test_a_list_may_come_as_a_list_as_json_as_a_repr_or_as_text(ingredients: object) -> None:
    """Seven spellings of the same two ingredients."""
    assert "INGREDIENTS: salt, pepper\n" in text_of(title="T", ingredients=ingredients, directions="Stir.")


@pytest.mark.parametrize(
    ("given", "clean"),
    [
        ("½ cup", "½ cup"),
        ("1½ cups", "1½ cups"),
        ("cafe\u0301", "caf\u00e9"),
        ("&frac12;&nbsp;cup salt &amp; pepper", "½ cup salt & pepper"),
        ("stir<br/>well", "stir well"),
        ("<b>stir</b> 2 t<nowiki/>sp", "stir 2 tsp"),
        ("<sup>2</sup>/<sub>3</sub> l", "2/3 l"),
        ("jars<ref>check for chips</ref> and lids", "jars and lids"),
        ("</ref>stir <ref> well <!-- or not", "stir well <!-- or not"),
        ("cook <5 minutes & stir", "cook <5 minutes & stir"),
        ("M&notes", "M&notes"),
        ("a\u200bb\u00adc\x07d", "abcd"),
        ("  a\t\nb\u3000c ", "a b c"),
    ],
)
def test_text_is_cleaned_without_changing_what_it_says(given: str, clean: str) -> None:
    """Fractions stay as written (NFC, not NFKC); tags, entities, footnotes and control characters go."""
    assert clean_text(given, Counter()) == clean


def test_cleaning_twice_changes_nothing_more() -> None:
    """The second pass over a cleaned text mends nothing."""
    once = clean_text("<p>1½ cups&nbsp;milk,\x00  cafe\u0301</p>", Counter())
    mended: Counter[str] = Counter()
    assert clean_text(once, mended) == once == "1½ cups milk, caf\u00e9"
    assert not mended


def test_what_was_mended_is_counted() -> None:
    """One tag, one separator inside an item, one empty item, one text in another normal form."""
    mended: Counter[str] = Counter()
    row = {"title": "cafe\u0301", "ingredients": ["a, b", ""], "directions": "<p>Stir."}
    to_document(row, RECIPE, {}, mended)
    assert mended == {
        "unicode normalised (NFC)": 1,
        "separator inside an item dropped": 1,
        "empty list items dropped": 1,
        "HTML removed": 1,
    }


GOOD = {"title": "T", "ingredients": ["a"], "directions": "d"}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"title": ""}, "no title"),
        ({"title": "  \n"}, "no title"),
        ({"title": None}, "no title"),
        ({"title": float("nan")}, "no title"),
        ({"ingredients": []}, "no ingredients"),
        ({"ingredients": "[]"}, "no ingredients"),
        ({"ingredients": ["", None]}, "no ingredients"),
        ({"directions": "<br>"}, "no directions"),
        ({"ingredients": '["a", "b'}, "ingredients: a list that cannot be read"),
        ({"ingredients": {"a": 1}}, "ingredients: neither text nor a list of texts"),
        ({"ingredients": [["a"]]}, "ingredients: neither text nor a list of texts"),
        ({"title": True}, "title: neither text nor a list of texts"),
        ({"directions": "a\x00b"}, "NUL byte"),
        ({"directions": "a\udcffb"}, "invalid UTF-8"),
        ({"directions": "Stir. [END] Serve."}, "a marker inside the text"),
        ({"title": "RECIPE: RECIPE: x"}, "a marker inside the text"),
        ({"ingredients": ["INGREDIENTS: a"]}, "a marker inside the text"),
    ],
)
def test_a_row_is_refused_by_name(change: dict[str, Any], reason: str) -> None:
    """One thing wrong at a time with a row that is otherwise accepted."""
    assert text_of(**GOOD)
    with pytest.raises(RefusedError) as refused:
        text_of(**{**GOOD, **change})
    assert str(refused.value) == reason
