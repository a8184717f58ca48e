"""Every key of a study file is listed with its type, default and meaning, and a new file runs as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.cli.commands.studies import new
from experiments.design import study
from experiments.design.keys import as_markdown, keys, new_study
from toolkit.errors import UserError

PAGE = Path(__file__).parents[3] / "docs" / "study-keys.md"
STUDY = {key.key: key for key in keys()["Study"]}


def test_the_page_is_that_of_the_models():
    """`python -m experiments.design.keys > docs/study-keys.md` brings it up to date."""
    assert PAGE.read_text(encoding="utf-8") == as_markdown()


def test_every_key_has_a_meaning():
    """Of the study, and of bases, data sets, formats and methods that are written out."""
    entries = [entry for section in keys().values() for entry in section]
    assert len(entries) > 80
    assert [entry.key for entry in entries if not entry.meaning] == []


@pytest.mark.parametrize(
    ("key", "kind", "default"),
    [
        ("train.epochs", "one, or a list, of number", "1.0"),
        ("seeds", "one, or a list, of whole number", "0"),
        ("search.strategy", "`grid` or `bracket` or `halving`", "grid"),
        ("data.train", "one, or a list, of whole number", "required"),
        ("evaluate.prompts", "list of text", '["title"]'),
        ("evaluate.decodings[].temperature", "number", "0.8"),
        ("train.patience", "whole number", "none"),
        ("name", "text", "the file's name"),
    ],
)
def test_types_and_defaults_are_in_words(key, kind, default):
    """As a user writes them in YAML."""
    assert (STUDY[key].type, STUDY[key].default) == (kind, default)


def test_a_new_file_loads_and_mentions_every_key(tmp_path, monkeypatch):
    """`bakeoff new mine`: two tuned methods, five seeds; a second call overwrites nothing."""
    monkeypatch.chdir(tmp_path)
    assert new("mine") == 0
    spec = study.load("mine.yaml")
    assert (spec.name, len(spec.seeds), [m.own_grid for m in spec.methods.values()]) == (
        "mine",
        5,
        [True] * 2,
    )
    lines = {line.strip().lstrip("# ").split(":")[0] for line in new_study("mine").splitlines()}
    assert {key.split(".")[-1] for key in STUDY if "[]" not in key and "<" not in key} - lines - {
        "name", "dataset", "texts",  # of the file, and of general text, which is off
    } == set()  # fmt: skip
    with pytest.raises(UserError, match="exists"):
        new("mine")
    for name in ("my study", "a:b", ".yaml", "-x"):
        with pytest.raises(UserError, match="is no name of a study: it is made of letters"):
            new(name)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.yaml"]
