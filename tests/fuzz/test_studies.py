"""Random overrides and study files: a study, or one line."""

from __future__ import annotations

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


def some(**fields):
    """A mapping with some of the fields, or all."""
    return st.fixed_dictionaries({}, optional=fields)


RATE = st.sampled_from([1e-5, 3e-4, 0.01])
METHOD = st.sampled_from(["full", "lora-r16", "lora-r4", "dora", "ia3"])
RATES = st.one_of(RATE, st.lists(RATE, min_size=1, max_size=3, unique=True), st.just("tune"))
STUDIES = st.fixed_dictionaries(
    {
        "base_models": st.sampled_from(["smollm2-135m-embedded", ["smollm2-135m-embedded", "distilgpt2"]]),
        "dataset": st.sampled_from(["wikibooks", ["wikibooks", "recipe_nlg"]]),
        "methods": st.dictionaries(METHOD, RATES, min_size=1, max_size=3),
        "seeds": st.lists(st.integers(0, 99), min_size=1, max_size=3, unique=True),
        "data": st.fixed_dictionaries(
            {"train": st.integers(1, 900), "validation": st.integers(1, 99), "test": st.integers(1, 99)},
            optional={"near_duplicate": st.floats(0.5, 0.9), "same_title": st.just("exclude")},
        ),
    },
    optional={
        "question": st.text("abc ?🍜{}[]:#", max_size=30),
        "train": some(
            epochs=st.sampled_from([1, 0.5, [1, 2]]),
            batch_tokens=st.integers(800, 5000),
            packing=st.booleans(),
            schedule=st.sampled_from(["linear", "cosine"]),
        ),
        "evaluate": some(max_new_tokens=st.integers(1, 300), likelihood_precision=st.just("fp32")),
        "search": some(rates=st.integers(3, 6)),
        "matched_parameters": st.booleans(),
    },
)
"""Studies of which most are valid."""
KEYS_INSIDE = {"train": "epochs", "evaluate": "max_new_tokens", "data": "test", "search": "rates"}


@st.composite
def almost_studies(draw):
    """A study with one value of any kind in the place of one of its own."""
    study, key, value = draw(STUDIES), draw(KEYS), draw(VALUES)
    inside = KEYS_INSIDE.get(key)
    return {**study, key: {**study.get(key, {}), inside: value} if inside else value}


FILES = st.one_of(
    YAML.map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.dictionaries(KEYS, VALUES, max_size=5).map(lambda value: _dumped(value)),
    STUDIES.map(lambda value: _dumped(value)),
    almost_studies().map(lambda value: _dumped(value)),
    st.binary(max_size=60),
)


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
    """Whether a study was taken, or the line names one of the places."""
    return isinstance(outcome, StudySpec) or any(place in outcome for place in places)


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


def test_many_of_the_study_files_are_studies(tmp_path):
    """Of 40 drawn from those that should be, at least 20 are taken: the test below meets both kinds."""
    taken = []

    @QUICK
    @given(value=STUDIES)
    def count(value):
        taken.append(isinstance(load_file(tmp_path, _dumped(value)), StudySpec))

    count()
    assert 2 * sum(taken) >= len(taken)
    assert len(taken) >= 30


def test_a_name_that_no_catalog_has_is_refused_with_the_file_and_the_override(tmp_path):
    """An unknown base model: the file; and the file with what was laid over it."""
    line = load_file(tmp_path, b"base_models: nowhere")
    assert line.startswith("fuzzed.yaml: unknown model 'nowhere'")
    line = load("quickstart", ["dataset=nowhere"])
    assert line.startswith("quickstart.yaml with dataset=nowhere: unknown data set 'nowhere'")


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
