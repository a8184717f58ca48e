"""A damaged model folder is one line that names the file, and soon; never a traceback or a hang."""

from __future__ import annotations

import json
import shutil

import pytest
from safetensors.numpy import load_file, save_file

from toolkit.errors import UserError
from toolkit.models import load
from toolkit.specs import ModelSpec


@pytest.fixture
def folder(tiny_gpt2, tmp_path):
    """A copy of the tiny model that a test may damage."""
    return shutil.copytree(tiny_gpt2, tmp_path / "model")


def refusal(action, folder) -> str:
    """The one line that ``action`` is refused with."""
    with pytest.raises(UserError) as caught:
        action(ModelSpec(name="tiny", folder=str(folder)))
    message = str(caught.value)
    assert message.startswith("model tiny: ")
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "cannot read config.json: Expecting value"),
        (b"null", "a NoneType and no JSON object"),
        (b"[1, 2]", "a list and no JSON object"),
        ('{"model_type": "gpt2"}'.encode("utf-16"), "it is not UTF-8"),
        (b'{"a":' * 100_000, "cannot read config.json: "),
        (b'{"model_type": "gpt2", "n_layer"', "cannot read config.json: "),
        (b'{"model_type": "no-such-model"}', "cannot read its config.json: "),
        (b'{"model_type": 7}', "cannot read its config.json: "),
    ],
    ids=["empty", "null", "list", "utf-16", "deep", "truncated", "unknown", "number"],
)
def test_a_damaged_configuration_is_one_line(folder, content, says):
    """What is in place of a JSON object is named."""
    (folder / "config.json").write_bytes(content)
    assert says in refusal(load.load_base, folder)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"n_layer": 1_000_000_000}, "n_layer=1000000000: no more than 2000"),
        ({"n_embd": 1 << 40}, "n_embd=1099511627776: no more than 1000000"),
        ({"activation_function": "no_such_activation"}, "no_such_activation"),
        ({"n_head": 7}, "cannot load its weights: "),
    ],
)
def test_a_configuration_that_cannot_be_is_refused(folder, change, says):
    """A billion layers would take minutes to build; an unknown activation; 7 heads for a width of 32."""
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    assert says in refusal(load.load_base, folder)


@pytest.mark.parametrize("content", [b"", b"null", b"[]", b'{"version": "1.0"', b"{}"])
def test_a_damaged_tokenizer_is_one_line(folder, content):
    """Empty, null, a list, truncated, an object without a vocabulary."""
    (folder / "tokenizer.json").write_bytes(content)
    assert "tokenizer" in refusal(load.load_tokenizer, folder)


def test_a_bad_pattern_in_a_tokenizer_is_one_line(folder):
    """A regular expression that does not compile, where the tokenizer splits texts."""
    path = folder / "tokenizer.json"
    value = json.loads(path.read_text())
    value["pre_tokenizer"] = {
        "type": "Split", "pattern": {"Regex": "(["}, "behavior": "Isolated", "invert": False
    }  # fmt: skip
    path.write_text(json.dumps(value))
    assert "tokenizer" in refusal(load.load_tokenizer, folder)


def test_weights_that_are_no_numbers_are_one_line(folder):
    """One NaN in a matrix: logits are not finite."""
    (file,) = folder.glob("*.safetensors")
    weights = load_file(file)
    name = next(name for name in weights if ".mlp." in name and weights[name].ndim == 2)
    weights[name][3, 3] = float("nan")
    save_file(weights, file, {"format": "pt"})
    assert "its logits are not finite" in refusal(load.load_base, folder)


def test_damaged_weights_are_one_line(folder):
    """A header cut in half, and one that claims more bytes than there are."""
    (file,) = folder.glob("*.safetensors")
    whole = file.read_bytes()
    for content in (whole[:100], b"\xff" * 8 + whole[8:], b""):
        file.write_bytes(content)
        assert "cannot load its weights" in refusal(load.load_base, folder)
