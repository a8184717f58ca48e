"""A base without a tokenizer of its own, and one named for it."""

from __future__ import annotations

import shutil

import pytest

from tests.conftest import tokenizer_of
from toolkit import config
from toolkit.errors import UserError
from toolkit.models import load, locate
from toolkit.specs import ModelSpec, RunSpec, TrainSpec
from toolkit.specs.reading import absolute_paths


@pytest.fixture
def folders(tmp_path, tiny_gpt2):
    """The tiny model's weights in one folder, its tokenizer in another."""
    weights, tokenizer = tmp_path / "weights", tmp_path / "tokenizer"
    for folder in (weights, tokenizer):
        folder.mkdir()
    for path in tiny_gpt2.iterdir():
        shutil.copy(path, tokenizer if path.name.startswith(("tokenizer", "special")) else weights)
    return weights, tokenizer


def model(folders) -> ModelSpec:
    """The weights with the tokenizer named."""
    weights, tokenizer = folders
    return ModelSpec(name="tiny", folder=str(weights), tokenizer=str(tokenizer))


def run_id(spec: ModelSpec) -> str:
    """Of a full fine-tuning run of it."""
    more = {"dataset": None, "data": None, "method": config.method("full"), "train": TrainSpec()}
    return RunSpec(model=spec, learning_rate=1e-4, seed=0, **more).run_id


def test_the_named_tokenizer_is_the_one_that_is_loaded(folders, tiny_gpt2, tiny_tokenizer):
    """The weights alone have none; with it, a text has the ids that the whole base gives it."""
    with pytest.raises(UserError, match="model tiny: no tokenizer in folder .*: name the folder or Hub id"):
        load.load_tokenizer(ModelSpec(name="tiny", folder=str(folders[0])))
    text = "Add the flour"
    assert load.load_tokenizer(model(folders))(text).input_ids == tiny_tokenizer(text).input_ids


def test_another_tokenizer_is_another_run_and_another_path_is_not(folders, tmp_path, recipe_texts):
    """The same files elsewhere: the same run. Other merges: another. A hash that was expected: refused."""
    first = locate.pinned(model(folders))
    elsewhere = shutil.copytree(folders[1], tmp_path / "elsewhere")
    assert run_id(locate.pinned(model((folders[0], elsewhere)))) == run_id(first)
    tokenizer_of(recipe_texts[:5]).save_pretrained(folders[1])
    assert run_id(locate.pinned(model(folders))) != run_id(first)
    with pytest.raises(UserError, match="/tokenizer' is not the expected one"):
        locate.pinned(first)


def test_a_base_without_the_key_keeps_the_identity_it_had(tiny_gpt2):
    """The digest of a run is over what it was before the key existed."""
    spec = ModelSpec(name="tiny", hub="owner/tiny")
    assert run_id(spec) == "tiny.full.s0.8c2b866f40d6"


def test_a_tokenizer_that_is_missing_or_of_another_model_is_one_line(folders, tmp_path):
    """A folder that does not exist; 400 tokens and one more for an embedding of 400."""
    with pytest.raises(UserError, match="model tiny: tokenizer: no folder '.*/nowhere'"):
        locate.check(model((folders[0], tmp_path / "nowhere")))
    larger = load.load_tokenizer(model(folders))
    size = len(larger)
    larger.add_tokens(["<one-more>"])
    larger.save_pretrained(folders[1])
    with pytest.raises(UserError, match=rf"has {size + 1} tokens, and the model's vocabulary {size}"):
        load.load_tokenizer(model(folders))


def test_a_path_is_relative_to_the_study_file_and_a_hub_id_is_left_alone(tmp_path):
    """`../tok` as seen from /…/studies is /…/tok; `owner/name` stays."""
    for written, read in (("../tok", str(tmp_path / "tok")), ("owner/name", "owner/name")):
        value = absolute_paths({"base_models": [{"tokenizer": written}]}, tmp_path / "studies")
        assert value["base_models"][0]["tokenizer"] == read
