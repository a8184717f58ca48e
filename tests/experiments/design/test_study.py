"""A study's file: axes, short forms, and every mistake told in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.design import study
from experiments.design.study_state import StudyState
from toolkit.errors import UserError

STUDIES = sorted(path.stem for path in study.STUDIES.glob("*.yaml"))
EMBEDDED = ["base_models=smollm2-135m-embedded", "dataset=wikibooks"]
SMALL = ["data.train=40", "data.validation=10", "data.test=10"]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One root for all studies, so that the data is read once."""
    return tmp_path_factory.mktemp("root")


@pytest.mark.parametrize(
    ("looks", "whose"),
    [
        ("{full: {label: X}, lora-r16: {label: X}}", "lora-r16: label 'X' is that of another method"),
        ("{full: {label: lora-r16}}", "full: label 'lora-r16' is that of another method"),
        ("{full: {label: base}}", "full: label 'base' is that of another method"),
        ("{base: {label: unrelated text}}", "base: label 'unrelated text' is an anchor's"),
    ],
)
def test_a_label_is_of_one_method(looks, whose):
    """Tables are made by label: two methods of one would be averaged."""
    with pytest.raises(UserError, match=f"looks: {whose}: choose another"):
        study.load("quickstart", [f"looks={looks}"])
    assert study.load("quickstart", ["looks={full: {label: full}, base: {label: Untouched}}"]).looks


@pytest.mark.parametrize("name", STUDIES)
def test_every_study_is_planned_on_the_embedded_data(name, root):
    """Each has a question, a header above it, and a grid with an anchor and every method."""
    text = (study.STUDIES / f"{name}.yaml").read_text(encoding="utf-8")
    header = text.split("question:")[0]
    assert len(header) > 300, "the header says the question, the cost and how to read the answer"
    asked = study.load(name)
    assert asked.question
    study_state = StudyState(study.load(name, [*EMBEDDED, *SMALL]), root).prepare()
    cells = study_state.cells()
    assert cells[0].phase == "base"
    fixed = {cell.method for cell in cells if cell.phase == "confirm"}
    searched = {cell.method for cell in cells if cell.phase == "tune"}
    assert fixed | searched == set(asked.methods)
    assert len({len(entry.learning_rates) for entry in asked.methods.values()}) == 1
    on_a_gpu = study.load(name, ["base_models=distilgpt2", "dataset=recipe_nlg"])
    assert [model.name for model in on_a_gpu.base_models] == ["distilgpt2"]


def test_lists_are_axes(root):
    """Two sizes, two numbers of epochs: 4 conditions, 2 methods, 2 seeds: 16 runs and one anchor."""
    axes = ["data.train=[20, 40]", "train.epochs=[1, 2]", "seeds=[0, 1]"]
    study_state = StudyState(study.load("quickstart", [*SMALL, *axes]), root).prepare()
    cells = study_state.cells()
    assert [cell.phase for cell in cells] == ["base"] + ["confirm"] * 16
    assert {(c.condition.train_size, c.condition.epochs) for c in cells[1:]} == {
        (20, 1), (20, 2), (40, 1), (40, 2),
    }  # fmt: skip
    assert len({cell.run.run_id for cell in cells}) == 17
    assert study_state.more_to_come(cells) == 0


def test_a_smaller_training_size_is_the_start_of_a_larger_one(root):
    """And validation and test are the same recipes."""
    study_state = StudyState(study.load("quickstart", [*SMALL, "data.train=[20, 40]"]), root).prepare()
    wikibooks = study_state.study.dataset[0]
    sizes = [specs.data for specs in study_state.conditions]
    small, large = (study_state.prepared(wikibooks, data) for data in sizes)
    assert (len(small.train), len(large.train)) == (20, 40)
    assert list(small.train) == list(large.train)[:20]
    assert list(small.validation) == list(large.validation)
    assert small.fingerprints["test"] == large.fingerprints["test"]
    assert small.fingerprints["train"] != large.fingerprints["train"]


def test_tune_gives_every_method_as_many_rates(root):
    """`tune` for two methods, three rates each, two tuning seeds: 12 runs; 4 confirming ones to come."""
    rates = ["methods={full: tune, lora-r16: tune}", "tuning_seeds=[7, 8]", "seeds=[0, 1]"]
    study_state = StudyState(study.load("quickstart", [*SMALL, *rates]), root).prepare()
    cells = study_state.cells()
    assert [cell.phase for cell in cells] == ["base"] + ["tune"] * 12
    assert all(cell.tuned for cell in cells[1:])
    assert study_state.more_to_come(cells) == 4


def test_methods_without_rates_are_tuned():
    """A list of names, and a method written out without rates, both mean `tune`: three rates each."""
    listed = study.load("quickstart", ["methods=[full, lora-r16]"])
    assert listed.methods["lora-r16"].learning_rates == (3.2e-4, 1e-3, 3.2e-3)
    assert listed.baseline == "full"
    written = study.load("quickstart", ["methods={mine: {peft: {peft_type: LORA, r: 3}}}"])
    assert written.methods["mine"].own_grid


MISTAKES = {
    "an unknown axis": (["axes={rank: [1, 2]}"], "unknown key in quickstart.yaml with axes"),
    "an axis of another key": (
        ["train.batch_tokens=[512, 1024]"],
        "train.batch_tokens can't be a list: the axes of a study are base_models, dataset, data.train",
    ),
    "an unknown list": (["epochs=[1, 2]"], "unknown axis 'epochs': the axes of a study are base_models"),
    "an axis of a mistyped key": (["data.trian=[1, 2]"], "'trian'. Did you mean 'train'"),
    "an empty axis": (["data.train=[]"], "data: train: empty: an axis needs at least one value"),
    "no method": (["methods={}"], "methods: empty: an axis needs at least one value"),
    "no seeds": (["seeds=[]"], "seeds: empty: an axis needs at least one value"),
    "no base model": (["base_models=[]"], "base_models: empty: an axis needs at least one value"),
    "no rates": (["methods={full: []}"], "full: learning_rates: empty"),
    "a size twice": (["data.train=[20, 20]"], "data: train: 20 is given twice"),
    "a base twice": (["base_models=[gpt2, gpt2]"], "base_models: one is twice"),
    "a rate twice": (["methods={full: [1e-4, 0.0001]}"], "learning_rates: 0.0001 is given twice"),
    "two methods of one name": (["methods={full: 1e-4, full: 1e-3}"], 'duplicate key "full"'),
    "a seed that tunes": (["tuning_seeds=[0, 5]"], "tuning_seeds: 0 is one of the seeds"),
    "an unknown strategy": (
        ["search.strategy=halvin"],
        "'strategy' is 'halvin'; it should be 'grid', 'bracket' or 'halving'",
    ),
    "one rate to search": (["search.rates=1"], "search: 'rates' is 1"),
    "a search in words": (["search=halving"], "e.g. {rates: 5}, got 'halving'"),
    "methods as words": (["methods=full"], "methods: expected `method: [rates]`"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_a_study_is_one_line(mistake):
    """It names the file or the override, the key, and the remedy."""
    overrides, says = MISTAKES[mistake]
    with pytest.raises(UserError) as told:
        study.load("quickstart", overrides)
    assert says in str(told.value)
    assert "\n" not in str(told.value)
    assert "quickstart" in str(told.value) or overrides[0] in str(told.value)
