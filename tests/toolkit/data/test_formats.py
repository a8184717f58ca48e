"""Any sectioned text goes the same way as a recipe: other languages, other sections, mixtures."""

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit import config
from toolkit.data.cleaning import RefusedError, to_document
from toolkit.data.format import body_spans, body_text, opening, parse, prompt, render, section_bodies
from toolkit.data.prepare import prepare
from toolkit.data.sources.mixture import quotas
from toolkit.errors import UserError
from toolkit.records.data import SplitCounts
from toolkit.specs import DatasetSpec, DataSpec, Format, Section

SIZES = DataSpec(train=60, validation=10, test=12)
NEWS = Format(
    name="news",
    sections=(
        Section(name="headline", marker="##"),
        Section(name="tags", marker="TAGS>", separator=" | "),
        Section(name="body", marker="BODY>"),
        Section(name="source", marker="SOURCE>"),
    ),
    end="----",
)

KEPT = Format(
    name="kept",
    sections=tuple(Section(name=n, marker=m, whitespace="keep") for n, m in (("q", "##"), ("a", "RECIPE:"))),
    end="[END]",
)


@pytest.mark.parametrize(
    ("name", "markers"),
    [
        ("wikibooks", ["RECIPE:", "INGREDIENTS:", "DIRECTIONS:", "[END]"]),
        ("wikibooks-de", ["REZEPT:", "ZUTATEN:", "ZUBEREITUNG:", "[ENDE]"]),
        ("wikibooks-da", ["OPSKRIFT:", "INGREDIENSER:", "FREMGANGSMÅDE:", "[SLUT]"]),
    ],
)
def test_embedded_recipes_come_in_three_languages(name: str, markers: list[str], tmp_path: Path) -> None:
    """Each line of each test document starts with its language's marker; 60 + 10 + 12 documents each."""
    dataset = config.dataset(name)
    form = dataset.format
    done = prepare(dataset, SIZES, tmp_path)
    assert (len(done.train), len(done.validation), len(done.test)) == (60, 10, 12)
    for text in done.test:
        lines = text.split("\n")
        assert [line[: len(m)] for line, m in zip(lines, markers, strict=True)] == markers
        assert parse(text, form) is not None


def test_a_format_of_four_sections_needs_no_code(tmp_path: Path) -> None:
    """Headline, tags, body, source, with other markers and another separator."""
    rows = [
        {"headline": f"News {n}", "tags": ["a | b", f"t{n}"], "body": f"{n} " * 5, "source": "x"}
        for n in ("one", "two", "three", "four")
    ]
    (tmp_path / "news.json").write_text(json.dumps(rows))
    dataset = DatasetSpec(name="news", files=(str(tmp_path / "news.json"),), format=NEWS)
    done = prepare(dataset, DataSpec(train=2, validation=1, test=1), tmp_path / "cache")
    bodies = section_bodies(done.test[0], NEWS)
    assert bodies["tags"].startswith("a b | t")
    assert bodies["source"] == "x"


def test_a_mixture_trains_by_weight_and_is_tested_on_its_own_format(tmp_path: Path) -> None:
    """4 : 1 of 60 is 48 English and 12 German; all held-out documents are English."""
    dataset = config.dataset("wikibooks-en-de")
    done = prepare(dataset, SIZES, tmp_path)
    assert sum(text.startswith("RECIPE:") for text in done.train) == 48
    assert sum(text.startswith("REZEPT:") for text in done.train) == 12
    assert all(text.startswith("RECIPE:") for text in [*done.validation, *done.test])
    english, german = done.report.sources
    assert english.sizes == SplitCounts(test=12, validation=10, train=48)
    assert german.sizes == SplitCounts(test=0, validation=0, train=12)
    assert done.report.rows.total == 3129 + 341


def test_a_larger_mixture_contains_a_smaller_one(tmp_path: Path) -> None:
    """The 60 of train=60 are among the 90 of train=90, and the held-out parts stay."""
    dataset = config.dataset("wikibooks-en-de")
    small = prepare(dataset, SIZES, tmp_path)
    large = prepare(dataset, SIZES.model_copy(update={"train": 90}), tmp_path)
    assert set(small.train) < set(large.train)
    assert small.fingerprints["test"] == large.fingerprints["test"]


def test_shares_add_up() -> None:
    """10 by 1 : 1 : 1 is 4 + 3 + 3; of 10 test documents the two sources of the format get 5 each."""
    names = ("wikibooks", "recipe_nlg", "wikibooks-de")
    weighted = [(config.dataset(name), 1.0) for name in names]
    shares = quotas(DataSpec(train=10, validation=3, test=10), weighted, config.document_format("recipe"))
    assert shares == {
        "train": {0: 4, 1: 3, 2: 3},
        "validation": {0: 2, 1: 1},
        "test": {0: 5, 1: 5},
    }


def mixture(*names: str) -> DatasetSpec:
    """An equal mixture of catalog entries, tested as English recipes."""
    return config.dataset({"name": "m", "mixture": [{"dataset": name, "weight": 1} for name in names]})


def test_a_mixture_without_its_own_format_is_refused() -> None:
    """German and Danish alone, to be tested as English."""
    with pytest.raises(UserError, match="no component is of its format 'recipe'"):
        mixture("wikibooks-de", "wikibooks-da")


def test_a_mixture_of_mixtures_is_refused() -> None:
    """Its components are named instead."""
    with pytest.raises(UserError, match="'wikibooks-en-de' is a mixture itself: name its components"):
        mixture("wikibooks", "wikibooks-en-de")


INLINE = {
    "name": "qa",
    "sections": [{"name": "q", "marker": "Q:"}, {"name": "a", "marker": "A:"}],
    "end": "--",
}


def test_a_format_is_resolved_with_its_data_set_and_may_be_written_out() -> None:
    """A name of the catalog, a mapping with a name, or `recipe` if absent; a component has its own."""
    written = config.dataset({"name": "mine", "files": ["a.csv"], "format": INLINE})
    assert (written.format.markers, written.format.end) == (("Q:", "A:"), "--")
    assert config.dataset("wikibooks-de").format.end == "[ENDE]"
    assert config.dataset("wikibooks").format == config.document_format("recipe")
    components = config.dataset("wikibooks-en-de").mixture
    assert [component.dataset.format.name for component in components] == ["recipe", "rezept"]


@pytest.mark.parametrize(
    ("given", "message"),
    [("rezpt", "unknown format 'rezpt'. Did you mean 'rezept'"), ({"end": "x"}, "format .* needs a name")],
)
def test_a_format_that_cannot_be_is_one_line(given: object, message: str) -> None:
    """An unknown name gets the nearest one; a format written out needs a name of its own."""
    with pytest.raises(UserError, match=message):
        config.dataset({"name": "mine", "files": ["a.csv"], "format": given})


def test_a_prompt_is_the_opening_of_its_document() -> None:
    """`opening` of the first bodies equals `prompt` of the rendered document, in each mode."""
    recipe = config.document_format("recipe")
    text = "RECIPE: Pie\nINGREDIENTS: apple, salt\nDIRECTIONS: Bake.\n[END]"
    assert opening(recipe, "Pie") == prompt(text, recipe, "title") == "RECIPE: Pie\n"
    both = opening(recipe, "Pie", ("apple", "salt"))
    assert both == prompt(text, recipe, "ingredients") == "RECIPE: Pie\nINGREDIENTS: apple, salt\n"


def test_a_component_that_is_too_small_is_named(tmp_path: Path) -> None:
    """Half of 1,000 from 336 German recipes."""
    dataset = mixture("wikibooks", "wikibooks-de")
    with pytest.raises(UserError, match=r"wikibooks-de lacks 16\d for train"):
        prepare(dataset, SIZES.model_copy(update={"train": 1000}), tmp_path)


# --- any row that is accepted can be read back

CHARACTERS = st.characters(codec=None) | st.sampled_from("\n\t ,|>#<&;[]:\"'\\\u00a0\u2028\u200b\ud800\x00")
TEXT = st.text(CHARACTERS, max_size=30) | st.sampled_from(
    ["RECIPE:", "[END]", "a, b", ", ", ",", "a,", " | ", "|", "&amp;", "&lt;b&gt;", "<br>", "[", "['a']", "½"]
)
VALUE = (
    TEXT | st.lists(TEXT | st.none() | st.integers(), max_size=4) | st.none() | st.floats() | st.booleans()
)


@given(st.sampled_from(["recipe", "news", "kept"]), st.lists(VALUE, min_size=4, max_size=4))
def test_what_is_accepted_is_read_back_equal_and_the_rest_is_refused(name: str, values: list[object]) -> None:
    """parse(render(d)) == d, of clean text that UTF-8 can hold, for whatever a row holds."""
    form = {"news": NEWS, "kept": KEPT}.get(name, config.document_format("recipe"))
    row = {section.name: value for section, value in zip(form.sections, values, strict=False)}
    try:
        document = to_document(row, form, {}, Counter())
    except RefusedError:
        return
    text = render(document, form)
    assert parse(text, form) == document
    assert text.encode().decode() == text
    spans = body_spans(document, form)
    bodies = zip(form.sections, document.bodies, strict=True)
    assert [text[a:b] for a, b in spans] == [body_text(section, body) for section, body in bodies]
    if form is not KEPT:
        assert len(text.splitlines()) == len(form.sections) + 1


PLAIN = st.text(st.characters(categories=["L", "Nd"]), min_size=1, max_size=12)


@given(PLAIN, st.lists(PLAIN, min_size=1, max_size=5), PLAIN)
def test_an_ordinary_row_is_accepted(title: str, items: list[str], text: str) -> None:
    """Letters and digits are refused for nothing: each item and each body comes back."""
    form = config.document_format("recipe")
    document = to_document({"title": title, "ingredients": items, "directions": text}, form, {}, Counter())
    assert len(document.bodies[1]) == len(items)
    assert parse(render(document, form), form) == document
