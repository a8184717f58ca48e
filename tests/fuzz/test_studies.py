"""Random overrides and study files: a study, or one line."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.design import study
from experiments.design.planning.plan import check
from experiments.design.study import StudySpec
from tests.fuzzing import LONG, ODD_TEXT, QUICK, TEXT, VALUES, one_line_and_soon
from toolkit.specs.reading import dump_yaml

KEYS = st.sampled_from(
    [
        "seeds", "methods", "base_models", "dataset", "train", "train.epochs", "evaluate",
        "evaluate.max_new_tokens",
        "search", "data", "data.train", "baseline", "headline", "name", "question", "decodings", "trian", "",
    ]
)  # fmt: skip
PIECES = st.sampled_from(
    [
        "full",
        "lora-r16",
        "{",
        "}",
        "[",
        "]",
        ": ",
        ", ",
        "1e-4",
        "-1",
        "0",
        "rates",
        "&a ",
        "*a",
        "\n",
        " ",
        "- ",
    ]
)
YAML = st.one_of(ODD_TEXT, st.lists(st.one_of(PIECES, TEXT), max_size=12).map("".join))
OVERRIDES = st.lists(st.one_of(st.tuples(KEYS, YAML).map("=".join), TEXT), min_size=1, max_size=3)
FILES = st.one_of(
    YAML.map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.dictionaries(KEYS, VALUES, max_size=5).map(lambda value: _dumped(value)),
    st.binary(max_size=60),
)
CATALOGS = re.compile(
    r"unknown (model|data set|method|format) '|a (model|data set) written out in a study needs "
)
"""Starts of lines about a name that a study gives, which name neither the file nor the override."""


def _dumped(value):
    """The value as YAML; what YAML can't write, as text."""
    try:
        return dump_yaml(value).encode("utf-8", "surrogatepass")
    except Exception:  # noqa: BLE001 - of the writer, which is not under test
        return repr(value).encode("utf-8", "surrogatepass")


def load(name, overrides=()):
    """Load and check, as every command does first: the study, or the line that it is refused with."""
    with one_line_and_soon() as refusals:
        taken = study.load(name, overrides)
        check(taken)
        return taken
    return refusals[0]


def load_file(folder, content):
    """Load a file of this content."""
    path = folder / "fuzzed.yaml"
    path.write_bytes(content)
    return load(str(path))


def is_study_or_names(outcome, *places):
    """Whether a study was taken, or the line names one of the places, or what no catalog has."""
    if isinstance(outcome, StudySpec):
        return True
    return any(place in outcome for place in places) or bool(CATALOGS.match(outcome))


def test_what_is_right_is_taken(tmp_path):
    """So that the tests below can meet a study: an override is in it, and a file written out is the same."""
    taken = load("quickstart", ["train.epochs=2"])
    assert taken.train.epochs == (2,)
    assert load_file(tmp_path, study.written_out(taken).encode()) == taken


def test_what_is_wrong_is_refused(tmp_path):
    """So that the tests below can meet a line: it names the override's key, or the file."""
    assert "'trian'. Did you mean 'train'?" in load("quickstart", ["trian=1"])
    assert load_file(tmp_path, b"[").startswith(str(tmp_path / "fuzzed.yaml"))


@QUICK
@given(overrides=OVERRIDES)
def test_any_override_is_taken_or_refused_in_one_line(overrides):
    """Keys that exist and do not, values of every kind."""
    assert is_study_or_names(load("quickstart", overrides), "override '", "quickstart.yaml")


@QUICK
@given(content=FILES)
def test_any_study_file_is_taken_or_refused_in_one_line(tmp_path, content):
    """Text, values and bytes."""
    assert is_study_or_names(load_file(tmp_path, content), "fuzzed.yaml")


@pytest.mark.slow
@LONG
@given(overrides=OVERRIDES)
def test_any_override_at_length(overrides):
    """The same, with many examples."""
    assert is_study_or_names(load("quickstart", overrides), "override '", "quickstart.yaml")


@pytest.mark.slow
@LONG
@given(content=FILES)
def test_any_study_file_at_length(tmp_path, content):
    """The same, with many examples."""
    assert is_study_or_names(load_file(tmp_path, content), "fuzzed.yaml")
