"""What a run leaves loads from any folder."""

from __future__ import annotations

import json
import shutil

import torch
from peft import AutoPeftModelForCausalLM

from toolkit import config
from toolkit.models import artifact, load, methods, probe
from toolkit.specs import ModelSpec


def test_an_adapter_of_a_base_with_a_relative_path_loads_from_another_folder(
    tmp_path, tiny_gpt2, tiny_tokenizer, monkeypatch
):
    """Saved where `base` is a folder, loaded where it is none: the same logits, by peft alone."""
    shutil.copytree(tiny_gpt2, tmp_path / "here" / "base")
    monkeypatch.chdir(tmp_path / "here")
    model = methods.apply(load.load_base(ModelSpec(name="tiny", folder="base")), config.method("lora-r16"))
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.add_(0.1)
    ids = probe.token_ids(model)
    expected = probe.logits(model, ids)
    artifact.save_artifact(model, tiny_tokenizer, tmp_path / "artifact")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    written = json.loads((tmp_path / "artifact" / "adapter_config.json").read_text())
    assert written["base_model_name_or_path"] == str(tmp_path / "here" / "base")
    again = AutoPeftModelForCausalLM.from_pretrained(tmp_path / "artifact", dtype=torch.float32)
    assert torch.equal(probe.logits(again, ids), expected)


def test_an_adapter_names_its_modules_in_one_order(tmp_path, tiny_gpt2, tiny_tokenizer):
    """peft keeps them in sets, whose order changes from process to process: written sorted."""
    model = methods.apply(
        load.load_base(ModelSpec(name="tiny", folder=str(tiny_gpt2))), config.method("lora-r16")
    )
    for named in model.peft_config.values():
        named.target_modules = {*sorted(named.target_modules, reverse=True)}
        assert len(named.target_modules) > 2
    artifact.save_artifact(model, tiny_tokenizer, tmp_path / "artifact")
    written = json.loads((tmp_path / "artifact" / "adapter_config.json").read_text())
    assert written["target_modules"] == sorted(written["target_modules"])
    assert len(written["target_modules"]) > 2
