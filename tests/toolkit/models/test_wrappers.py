"""Wrappers around text and image models: their language model alone is adapted, trained, counted."""

from __future__ import annotations

import pytest
import torch

from toolkit.models import load, methods
from toolkit.models.artifact import load_artifact, save_artifact
from toolkit.specs import MethodSpec, ModelSpec

LORA = MethodSpec(name="lora", peft={"peft_type": "LORA", "r": 4, "target_modules": "all-linear"})
ATTENTION = MethodSpec(name="qv", peft={"peft_type": "LORA", "r": 4, "target_modules": ["q_proj", "v_proj"]})
FULL = MethodSpec(name="full", trainable=("*",))


@pytest.fixture(scope="module")
def gemma3(tmp_path_factory, tiny_tokenizer):
    """A random Gemma 3 of the multimodal class, two layers each of text and vision, 32 wide."""
    from transformers import Gemma3Config, Gemma3ForConditionalGeneration

    torch.manual_seed(0)
    text = {
        "vocab_size": len(tiny_tokenizer), "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 16,
    }  # fmt: skip
    vision = {
        "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
        "image_size": 16, "patch_size": 8,
    }  # fmt: skip
    config = Gemma3Config(text_config=text, vision_config=vision, mm_tokens_per_image=4)
    folder = tmp_path_factory.mktemp("gemma3")
    Gemma3ForConditionalGeneration(config).save_pretrained(folder)
    tiny_tokenizer.save_pretrained(folder)
    return ModelSpec(name="gemma3", folder=str(folder))


@pytest.mark.parametrize("method", [LORA, ATTENTION], ids=lambda m: m.name)
def test_an_adapter_goes_on_the_language_model_alone(gemma3, method, tmp_path, tiny_tokenizer):
    """No weight of the vision tower or its projection gets an adapter; saved and loaded, logits are equal."""
    model = methods.apply(load.load_base(gemma3), method)
    trainable = [name for name, weight in model.named_parameters() if weight.requires_grad]
    assert trainable
    assert all("language_model" in name for name in trainable)
    save_artifact(model, tiny_tokenizer, tmp_path / "artifact")
    ids = torch.arange(2, 10)[None]
    again = load_artifact(gemma3, tmp_path / "artifact").eval()
    with torch.no_grad():
        assert torch.equal(model.eval()(input_ids=ids).logits, again(input_ids=ids).logits)


def test_full_fine_tuning_leaves_the_vision_tower_alone_and_uncounted(gemma3):
    """Trainable equals total: the language model's own parameters, the tied head counted once."""
    model = methods.apply(load.load_base(gemma3), FULL)
    trainable, total = methods.parameter_counts(model)
    language = sum(p.numel() for p in model.model.language_model.parameters())
    assert trainable == total == language < sum(p.numel() for p in model.parameters())
    assert not any(p.requires_grad for p in model.model.vision_tower.parameters())
