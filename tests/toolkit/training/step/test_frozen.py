"""Frozen weights kept in bf16 change nothing about what is trained, or stay as they are."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file

from tests.factories import small_run
from toolkit import runtime
from toolkit.data.batches import collate, encode
from toolkit.models import load, methods
from toolkit.records.folders import RunFolder
from toolkit.specs import MethodSpec, ModelSpec
from toolkit.training.step.frozen_weights import keep_in_compute_precision
from toolkit.training.step.loss import NextToken
from toolkit.training.train import train
from toolkit.training.validation import Validation

LORA = {"peft_type": "LORA", "r": 4, "target_modules": "all-linear"}


def adapted(folder, options, seed=0):
    """The tiny model with an adapter on."""
    base = load.load_base(ModelSpec(name="tiny", folder=str(folder)))
    runtime.prepare(seed)
    return methods.apply(base, MethodSpec(name="m", peft=options))


def trained(model, texts, tokenizer, folder=None):
    """The adapter's weights after five steps in bf16."""
    next_token = NextToken(model)
    if folder:
        assert keep_in_compute_precision(model, "bf16", folder)
    batch = collate(encode(texts[:8], tokenizer).ids, 0)
    optimizer = torch.optim.AdamW([w for w in model.parameters() if w.requires_grad], lr=1e-2)
    for _ in range(5):
        with torch.autocast("cpu", torch.bfloat16):
            loss = next_token.loss(model, batch, 100.0)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return {name: weight for name, weight in model.named_parameters() if weight.requires_grad}


def test_an_adapter_trains_to_the_same_bits_on_a_frozen_base_in_bf16(
    tiny_gpt2, recipe_texts, tiny_tokenizer, tmp_path
):
    """Autocast rounds the frozen weights at every use; rounded once, five steps end in equal weights."""
    cast = trained(adapted(tiny_gpt2, LORA), recipe_texts, tiny_tokenizer, tmp_path)
    plain = trained(adapted(tiny_gpt2, LORA), recipe_texts, tiny_tokenizer)
    assert cast.keys() == plain.keys()
    assert all(torch.equal(cast[name], plain[name]) for name in plain)


def test_casting_keeps_what_trains_in_fp32_and_at_its_start(tiny_gpt2, tmp_path):
    """The trial moves the adapter and puts it back; the embedding, tied to the head, stays in fp32."""
    model = adapted(tiny_gpt2, LORA)
    before = {n: w.detach().clone() for n, w in model.named_parameters() if w.requires_grad}
    assert keep_in_compute_precision(model, "bf16", tmp_path)
    now = dict(model.named_parameters())
    assert all(torch.equal(now[name], value) for name, value in before.items())
    assert {w.dtype for w in now.values()} == {torch.float32, torch.bfloat16}
    assert model.get_input_embeddings().weight.dtype == torch.float32


def test_nothing_keeps_the_file_of_the_base_in_memory(tiny_gpt2, tmp_path):
    """Loaded weights lie in one mapped file; afterwards each has memory of its own, with equal values."""
    model = adapted(tiny_gpt2, LORA)
    frozen = {name: weight for name, weight in model.named_parameters() if not weight.requires_grad}
    in_file = {weight.data_ptr() for weight in frozen.values()}
    before = {name: weight.detach().clone() for name, weight in frozen.items()}
    exact = keep_in_compute_precision(model, "bf16", tmp_path)
    assert not in_file & {weight.data_ptr() for weight in frozen.values()}
    rounded = {name: weight.data_ptr() for name, weight in frozen.items()}
    with exact:
        assert all(torch.equal(weight, before[name]) for name, weight in frozen.items())
    assert {name: weight.data_ptr() for name, weight in frozen.items()} == rounded


@pytest.mark.parametrize("options", [{**LORA, "use_dora": True}], ids=["dora"])
def test_an_adapter_that_reckons_with_the_frozen_weight_keeps_it_exact(tiny_gpt2, options, tmp_path):
    """DoRA takes norms of the base's weights: rounding would show, so nothing is cast."""
    model = adapted(tiny_gpt2, options)
    assert not keep_in_compute_precision(model, "bf16", tmp_path)
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}


def test_full_fine_tuning_and_fp32_are_left_alone(tiny_gpt2, tmp_path):
    """Nothing is frozen, or nothing is rounded."""
    base = load.load_base(ModelSpec(name="tiny", folder=str(tiny_gpt2)))
    full = methods.apply(base, MethodSpec(name="full", trainable=("*",)))
    assert not keep_in_compute_precision(full, "bf16", tmp_path)
    assert not keep_in_compute_precision(adapted(tiny_gpt2, LORA), "fp32", tmp_path)


def test_a_model_that_trains_in_part_is_saved_with_its_exact_weights(tiny_gpt2, tmp_path, recipe_texts):
    """Frozen matrices are rounded while it trains, as an adapter's base is; what is saved has every bit."""
    spec = small_run(
        ModelSpec(name="tiny", folder=str(tiny_gpt2)), MethodSpec(name="part", trainable=("*.bias",)), 1e-3,
        precision="bf16",
    )  # fmt: skip
    folder = RunFolder(tmp_path, spec.run_id)
    record = train(spec, recipe_texts, recipe_texts[:4], "[END]", folder, progress=lambda _: None)
    base = load.load_base(spec.model).state_dict()
    saved = load_file(folder.artifact / "model.safetensors")
    frozen = [name for name in saved if not name.endswith(".bias")]
    assert record.status == "finished"
    assert len(frozen) > 10
    assert all(torch.equal(saved[name], base[name]) for name in frozen)
    assert any(not torch.equal(saved[name], base[name]) for name in saved if name.endswith(".bias"))


def test_validation_sees_the_exact_frozen_weights(tiny_gpt2, recipe_texts, tiny_tokenizer, tmp_path):
    """In fp32 with rounded weights kept for training: equal, to the bit, to a model that was never rounded.

    The rounded weights would be off in the fourth digit, and they are back after each validation.
    """
    plain, cast = adapted(tiny_gpt2, LORA), adapted(tiny_gpt2, LORA)
    expected = Validation(recipe_texts, tiny_tokenizer, 512, "fp32")(plain, NextToken(plain))
    next_token = NextToken(cast)
    exact = keep_in_compute_precision(cast, "bf16", tmp_path)
    validation = Validation(recipe_texts, tiny_tokenizer, 512, "fp32")
    validation.exact = exact
    for _ in range(2):
        assert validation(cast, next_token) == expected
        assert torch.bfloat16 in {weight.dtype for weight in cast.parameters()}
    rounded = Validation(recipe_texts, tiny_tokenizer, 512, "bf16")(cast, next_token)
    assert rounded["eval_nll"] != expected["eval_nll"]
    assert rounded["eval_nll"] == pytest.approx(expected["eval_nll"], rel=1e-2)
