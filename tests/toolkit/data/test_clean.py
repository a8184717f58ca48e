"""How a row becomes a document: what is changed on the way, and what is refused by which name."""

from collections import Counter
from typing import Any

import pytest
from pydantic import ValidationError

from tests.factories import RECIPE
from toolkit.data.cleaning import FOLDED, RefusedError, clean_text, to_document
from toolkit.data.format import body_spans, parse, prompt, render, section_bodies
from toolkit.specs import Format, Section


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
        "salt, pepper\n",
        [" salt ", "", None, "pepper"],
    ],
)
def test_a_list_may_come_as_a_list_as_json_as_a_repr_or_as_text(ingredients: object) -> None:
    """Eight spellings of the same two ingredients."""
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
        (
            "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
            "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        ),
    ],
)
def test_text_is_cleaned_without_changing_what_it_says(given: str, clean: str) -> None:
    """Fractions stay as written (NFC, not NFKC); tags, entities, footnotes and control characters go."""
    assert clean_text(given, Counter()) == clean


def test_cleaning_twice_changes_nothing_more() -> None:
    """The second pass over a cleaned text changes nothing."""
    once = clean_text("<p>1½ cups&nbsp;milk,\x00  cafe\u0301</p>", Counter())
    changes: Counter[str] = Counter()
    assert clean_text(once, changes) == once == "1½ cups milk, caf\u00e9"
    assert not changes


def test_what_was_changed_is_counted() -> None:
    """One tag, one separator inside an item, one empty item, one text in another normal form."""
    changes: Counter[str] = Counter()
    row = {"title": "cafe\u0301", "ingredients": ["a, b", ""], "directions": "<p>Stir."}
    to_document(row, RECIPE, {}, changes)
    assert changes == {
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
        ({"ingredients": '["a",' + "[" * 100_000}, "ingredients: a list that cannot be read"),
        ({"ingredients": f"[0x{'f' * 5000}]"}, "ingredients: neither text nor a list of texts"),
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


@pytest.mark.parametrize("text", ["[1] See below.", "[1, 2, 3]", "[1 cup]"])
def test_numbers_in_brackets_are_a_text_where_no_list_is_expected(text: str) -> None:
    """A footnote in the directions stays as it was written."""
    assert text in text_of(**{**GOOD, "directions": text})


# --- white space

POEM = Format(
    name="poem",
    sections=(
        Section(name="title", marker="TITLE:"),
        Section(name="text", marker="TEXT:", whitespace="keep"),
    ),
    end="[END]",
)


def test_white_space_is_folded_and_counted_by_default() -> None:
    """Line breaks, tabs and runs of spaces of two texts and one item; a text without any is not counted."""
    changes: Counter[str] = Counter()
    row = {"title": " A  B", "ingredients": ["one\ttwo", "three"], "directions": "Cut.\n\n  Fry."}
    document = to_document(row, RECIPE, {}, changes)
    assert document.bodies == ("A B", ("one two", "three"), "Cut. Fry.")
    assert changes == {FOLDED: 3}
    plain: Counter[str] = Counter()
    to_document({"title": "A B", "ingredients": ["one"], "directions": "Cut. Fry."}, RECIPE, {}, plain)
    assert not plain


def test_white_space_is_kept_where_the_format_keeps_it() -> None:
    """Lines and indentation stay, line ends are `\\n`, white space around the text goes; each is counted.

    The rendered document is read back equal, and the prompt ends before the text.
    """
    changes: Counter[str] = Counter()
    code = "\r\ndef f():\r\n\treturn  1\r\n\r\n# [1] TEXT: is no marker here\r\n"
    document = to_document({"title": "Code", "text": code}, POEM, {}, changes)
    assert document.bodies[1] == "def f():\n\treturn  1\n\n# [1] TEXT: is no marker here"
    assert changes == {"line ends normalised": 1, "white space around a text removed": 1}
    text = render(document, POEM)
    assert parse(text, POEM) == document
    assert prompt(text, POEM, "title") == "TITLE: Code\n"
    assert section_bodies(text, POEM)["text"] == document.bodies[1]
    (_, (start, stop)) = body_spans(document, POEM)
    assert text[start:stop] == document.bodies[1]


def test_code_is_kept_to_the_character() -> None:
    """What looks like a tag or an entity is code where white space is kept."""
    code = '#include <vector>\nif (a<b && c>d) return "&lt;b&gt;";'
    changes: Counter[str] = Counter()
    assert to_document({"title": "Code", "text": code}, POEM, {}, changes).bodies[1] == code
    assert not changes


@pytest.mark.parametrize("marker", ["TEXT:", "TITLE:", "[END]"])
def test_a_kept_text_may_hold_a_marker_but_at_no_line_start(marker: str) -> None:
    """In a line it is a word like any other; at a line start the document could not be read back."""
    to_document({"title": "T", "text": f"one {marker} two"}, POEM, {}, Counter())
    with pytest.raises(RefusedError, match="a marker inside the text"):
        to_document({"title": "T", "text": f"one\n{marker} two"}, POEM, {}, Counter())


@pytest.mark.parametrize("separator", ["", "\n", ", \n"])
def test_a_separator_is_something_on_one_line(separator: str) -> None:
    """Nothing separates nothing, and items are one line each."""
    with pytest.raises(ValueError, match="separator: something on one line"):
        Section(name="tags", marker="TAGS:", separator=separator)


def test_a_kept_text_in_brackets_is_no_list_and_a_list_is_its_lines() -> None:
    """`[1, 2]` stays as written; a list of texts is joined by line breaks."""
    assert to_document({"title": "T", "text": "[1, 2]"}, POEM, {}, Counter()).bodies[1] == "[1, 2]"
    assert to_document({"title": "T", "text": ["a", "  b"]}, POEM, {}, Counter()).bodies[1] == "a\nb"


def test_a_list_section_keeps_no_white_space() -> None:
    """Its items are joined on one line."""
    with pytest.raises(ValidationError, match="items are one line each"):
        Section(name="tags", marker="TAGS:", separator=", ", whitespace="keep")
