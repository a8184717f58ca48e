"""Specs from YAML: strict keys, types, overrides, names; errors name the place."""

from __future__ import annotations

import pytest

from experiments.design import study
from toolkit import config
from toolkit.errors import UserError
from toolkit.specs import Decoding, MethodSpec, ModelSpec, RunSpec, TrainSpec

STUDY = """
base_models: smollm2-135m-embedded
dataset: wikibooks
data: {train: 20, validation: 5, test: 5}
methods: {full: 1e-4, lora-r16: [1e-3]}
"""


def written(tmp_path, text: str = STUDY) -> str:
    """The path of a study file with this text."""
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    return str(path)


def test_short_forms_are_written_out(tmp_path):
    """One name is a list of one; the first method is the baseline; the file's name is the study's."""
    asked = study.load(written(tmp_path))
    assert (asked.name, asked.baseline, asked.seeds) == ("mine", "full", (0,))
    assert [model.name for model in asked.base_models] == ["smollm2-135m-embedded"]
    assert asked.methods["full"].learning_rates == (1e-4,)
    assert asked.methods["lora-r16"].method.peft["r"] == 16


def test_overrides_are_yaml_and_reach_any_depth(tmp_path):
    """`train.epochs=2`, a list, and a method of one's own beside the others."""
    asked = study.load(
        written(tmp_path),
        [
            "train.epochs=2",
            "seeds=[0,1,2]",
            "methods.mine={peft: {peft_type: LORA, r: 2}, learning_rates: [1e-3]}",
        ],
    )
    assert asked.train.epochs == (2,)
    assert asked.seeds == (0, 1, 2)
    assert asked.methods["mine"].method.peft == {"peft_type": "LORA", "r": 2}


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (["train.learning_rat=2"], r"unknown key in mine.yaml with .*: train: 'learning_rat'. "),
        (["train.epoch=2"], r"'epoch'. Did you mean 'epochs'"),
        (["trian={}"], r"'trian'. Did you mean 'train'"),
        (["train.epochs=two"], r"train: 'epochs' is 'two'; it should be a valid number"),
        (["train.epochs=-1"], r"train: 'epochs' is -1; it should be greater than 0"),
        (
            ["methods.full=[-1e-4]"],
            r"methods: full: 'learning_rates' is -0.0001; it should be greater than 0",
        ),
        (["methods={full: []}"], r"methods: full: learning_rates: empty: an axis needs at least one value"),
        (["methods.lora16=1e-3"], r"unknown method 'lora16'. Did you mean 'lora-r16'"),
        (["base_models=distilgpt"], r"unknown model 'distilgpt'. Did you mean 'distilgpt2'"),
        (["dataset=wikibook"], r"unknown data set 'wikibook'. Did you mean 'wikibooks'"),
        (["baseline=lora"], r"unknown method of this study 'lora'"),
        (["seeds=[1,1]"], r"seeds: 1 is given twice"),
        (["seeds=[]"], r"seeds: empty: an axis needs at least one value"),
        (["methods.base=1e-4"], r"'base' is the untouched base model"),
        (["epochs"], r"override 'epochs': expected key=value"),
        (["seeds.0=1"], r"override 'seeds.0=1': 'seeds' is \[0\], not a mapping"),
        (["train=[1,"], r"override 'train=\[1,'.*not valid YAML"),
        (["data.train=0"], r"data: 'train' is 0; it should be greater than 0"),
        (["evaluate.prompts=[tite]"], r"prompt mode of format 'recipe' 'tite'. Did you mean 'title'"),
        (["evaluate.prompts=[directions]"], r"prompt mode .* 'directions'. Did you mean 'ingredients'"),
        (["evaluate.prompts=[]"], r"'prompts' is .*at least 1 item"),
        (["evaluate.decodings=[{}, {temperature: 0.8}]"], r"evaluate: decodings: t0.8-p0.9 is given twice"),
        (["evaluate.decodings=[{num_beams: 4}]"], r"4 beams draw nothing; give temperature: 0 with them"),
        (["train.schedule=linaer"], r"train: 'schedule' is 'linaer'; it should be 'linear', 'cosine'"),
        (["seeds=[-1]"], r"'seeds' is -1; it should be greater than or equal to 0"),
        (["name=../mine"], r"'name' is '../mine'"),
        (["base_models={name: org/mine, hub: org/mine}"], r"'name' is 'org/mine'"),
        (
            ["dataset={name: m, files: [a.csv], hub_split: test}"],
            r"'hub_split' belongs to a data set with 'hub'",
        ),
        (["dataset={name: m, files: [a.csv], revision: v1}"], r"'revision' belongs to a data set with 'hub'"),
        (
            ["dataset={name: m, mixture: [{dataset: wikibooks, weight: 1}], where: {a: b}}"],
            r"'where' belongs to the mixture's data sets",
        ),
        (["train.patience=true"], r"train: patience: true and false mean nothing here, got true"),
        (["margins.bleu=true"], r"margins: true and false mean nothing here, got {'bleu': true}"),
        (["seeds=[0, true]"], r"seeds: true and false mean nothing here, got \[0, true\]"),
        (["base_models={folder: b, name: c, revision: main}"], "'revision' belongs to a model with 'hub'"),
        (["base_models={hub: a, name: c, sha256: ab}"], "pin others by 'revision'"),
        (["base_models={hub: a, folder: b, name: c}"], r"model c: give exactly one of hub, folder, package"),
    ],
)
def test_what_cannot_be_is_one_line_with_its_place(tmp_path, overrides, says):
    """Unknown keys with the nearest one, wrong types with what came, names that the catalog lacks."""
    text = STUDY + "seeds: [0]\n"
    with pytest.raises(UserError, match=says) as caught:
        study.load(written(tmp_path, text), overrides)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (STUDY + "methods: {full: 1e-4}\n", r"mine.yaml, line 6: not valid YAML: found duplicate key"),
        ("- a\n- b\n", r"mine.yaml: expected `key: value` lines"),
        (STUDY.replace("data:", "# data:"), r"mine.yaml: 'data' is missing"),
        (STUDY.replace("full: 1e-4,", "full: ,"), r"methods: full: 'learning_rates' is None"),
    ],
)
def test_a_damaged_file_is_told_with_its_line(tmp_path, text, says):
    """A key twice (PyYAML would take the last one), a list, a missing part, a rate left out."""
    with pytest.raises(UserError, match=says):
        study.load(written(tmp_path, text))


def test_an_unknown_study_names_the_nearest():
    """`quickstar` is nearly a study."""
    with pytest.raises(UserError, match="unknown study 'quickstar'. Did you mean 'quickstart'"):
        study.load("quickstar")


def test_numbers_with_an_exponent_are_numbers_everywhere():
    """YAML 1.1 reads 1e-4 as a word; 1.2, and so we, as a number."""
    assert config.parse_yaml("a: 1e-4\nb: no", "here") == {"a": 1e-4, "b": "no"}


def run(**changes) -> RunSpec:
    """A run, with some of it changed."""
    value = {
        "model": ModelSpec(name="m", hub="a/b"),
        "dataset": None,
        "data": None,
        "method": MethodSpec(name="full", trainable=("*",)),
        "learning_rate": 1e-4,
        "train": TrainSpec(),
        "seed": 0,
        "fingerprints": {"train": "x", "validation": "y"},
    }
    return RunSpec(**{**value, **changes})


def test_what_can_change_the_weights_changes_the_identity():
    """Seed, rate, method, base, revision, recipes and any training setting: each gives another id."""
    ids = {
        run().run_id,
        run(seed=1).run_id,
        run(learning_rate=2e-4).run_id,
        run(method=MethodSpec(name="full", trainable=("*.bias",))).run_id,
        run(model=ModelSpec(name="m", hub="a/c")).run_id,
        run(model=ModelSpec(name="m", hub="a/b", revision="v2")).run_id,
        run(fingerprints={"train": "z", "validation": "y"}).run_id,
        run(train=TrainSpec(epochs=2)).run_id,
    }
    assert len(ids) == 8


def test_a_decoding_is_called_what_it_does():
    """Unless it is given a name: temperature, then what is cut; greedy and beams at temperature 0."""
    settings = [
        {}, {"temperature": 0.3}, {"top_k": 50, "top_p": 1}, {"temperature": 0},
        {"temperature": 0, "num_beams": 4}, {"name": "mine", "temperature": 0},
    ]  # fmt: skip
    names = [Decoding(**setting).name for setting in settings]
    assert names == ["t0.8-p0.9", "t0.3-p0.9", "t0.8-k50", "greedy", "beam4", "mine"]


def test_a_note_does_not_change_the_identity():
    """A licence or a note says nothing about weights."""
    assert run(model=ModelSpec(name="m", hub="a/b", note="nice", license="MIT")).run_id == run().run_id


@pytest.mark.parametrize("kind", ["models", "datasets", "methods"])
def test_every_catalog_entry_is_a_valid_spec(kind):
    """Each entry of the file loads, under its own name, with a note for the list."""
    entries = config.catalog(kind)
    assert len(entries) >= 3
    look_up = {"models": config.model, "datasets": config.dataset, "methods": config.method}[kind]
    for name in entries:
        assert look_up(name).name == name
        assert look_up(name).note


def test_every_study_loads_and_opens_with_its_question():
    """Each shipped study is valid, asks something, and its first lines say how to read it."""
    files = sorted(study.STUDIES.glob("*.yaml"))
    assert {"quickstart", "full-vs-lora"} <= {file.stem for file in files}
    for file in files:
        assert study.load(file.stem).question.endswith("?")
        assert file.read_text().startswith("# ")
