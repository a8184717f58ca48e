"""Attention in blocks: gradients against differences, values against PyTorch's, and when it steps aside."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the name PyTorch's own documentation uses
from transformers import AutoModelForCausalLM

from tests.factories import small_run
from toolkit.models.precision import autocast
from toolkit.records.folders import RunFolder
from toolkit.training.step import attention as blocks
from toolkit.training.step.attention import CausalAttention, use_in
from toolkit.training.train import train


def sides(rows, heads, groups, length, dtype):
    """Query, key and value of a seed."""
    generator = torch.Generator().manual_seed(0)
    shapes = [(rows, n, length, 4) for n in (heads, groups, groups)]
    return [torch.randn(s, generator=generator, dtype=dtype, requires_grad=True) for s in shapes]


def padded(rows, length):
    """The first row sees two keys fewer at its end than the others, as right padding does."""
    mask = torch.ones(length, length, dtype=torch.bool).tril().expand(rows, 1, length, length).clone()
    mask[0, :, :, -2:] = False
    return mask


@pytest.mark.parametrize("masked", [False, True])
def test_gradients_are_those_of_differences(monkeypatch, masked):
    """5 places in blocks of 2, four heads on two groups, in fp64: torch's gradcheck."""
    monkeypatch.setattr(blocks, "BLOCK", 2)
    mask = padded(3, 5) if masked else None
    assert torch.autograd.gradcheck(
        lambda *sides: CausalAttention.apply(*sides, mask, 0.5), sides(3, 4, 2, 5, torch.float64)
    )


@pytest.mark.parametrize("elements", [1, 1 << 19])
def test_values_are_pytorchs(monkeypatch, elements):
    """300 places, more than two blocks; one row at once and all at once."""
    monkeypatch.setattr(blocks, "CACHED_ELEMENTS", elements)
    query, key, value = sides(3, 4, 2, 300, torch.float32)
    mask = padded(3, 300)
    expected = F.scaled_dot_product_attention(query, key, value, attn_mask=mask, enable_gqa=True)
    assert torch.allclose(CausalAttention.apply(query, key, value, mask, 0.5), expected, atol=2e-6)
    causal = F.scaled_dot_product_attention(query, key, value, is_causal=True, enable_gqa=True)
    assert torch.allclose(CausalAttention.apply(query, key, value, None, 0.5), causal, atol=2e-6)


def test_blocks_are_another_run():
    """`attention: blocks` is part of a run's identity; `pytorch`, the default, is that of runs before it."""
    assert small_run("base", attention="blocks").run_id != small_run("base").run_id
    assert small_run("base", attention="pytorch").run_id == small_run("base").run_id


def test_a_run_trains_with_blocks_only_if_it_asks_for_them(tiny_llama, tmp_path, recipe_texts, monkeypatch):
    """Twelve recipes in bf16: no call by default; some with `attention: blocks`."""
    calls = []
    apply = CausalAttention.apply
    monkeypatch.setattr(CausalAttention, "apply", lambda *sides: calls.append(1) or apply(*sides))
    for attention in ("pytorch", "blocks"):
        run = small_run(tiny_llama, precision="bf16", batch_tokens=256, validations=1, attention=attention)
        folder = RunFolder(tmp_path, run.run_id)
        record = train(run, recipe_texts[:12], recipe_texts[30:34], "[END]", folder, progress=lambda _: None)
        assert record.status == "finished"
        assert bool(calls) == (attention == "blocks")


def test_values_that_are_narrower_are_left_to_pytorch():
    """As in multi-head latent attention: queries of width 4, values of width 2."""
    query, key, value = sides(2, 4, 4, 5, torch.bfloat16)
    narrow = value[..., :2]
    module = SimpleNamespace(is_causal=True, num_key_value_groups=1, training=True)
    found, _ = blocks.attention(module, query, key, narrow, None, scaling=0.5)
    expected = F.scaled_dot_product_attention(query, key, narrow, is_causal=True, scale=0.5)
    assert torch.equal(found, expected.transpose(1, 2))


def test_a_mask_that_shows_later_keys_is_not_causal():
    """A prefix that is read both ways: the first query sees the second key."""
    mask = padded(1, 4)
    assert blocks._is_causal(mask)
    mask[0, 0, 0, 1] = True
    assert not blocks._is_causal(mask)
    assert not blocks._is_causal(mask.float())


def test_a_model_trains_with_blocks_in_bf16_on_a_cpu_only(tiny_llama, monkeypatch):
    """In bf16 with gradients blocks are used; without gradients logits are PyTorch's bit for bit."""
    model = AutoModelForCausalLM.from_pretrained(tiny_llama, dtype=torch.float32)
    assert not use_in(model, "fp32")
    ids = torch.arange(24).view(2, 12) + 5
    with torch.no_grad():
        before = model(ids, use_cache=False).logits
    with autocast(torch.device("cpu"), "bf16"):
        expected = model(ids, use_cache=False).logits
    assert use_in(model, "bf16")
    with torch.no_grad():
        assert torch.equal(model(ids, use_cache=False).logits, before)
    calls = []
    apply = CausalAttention.apply
    monkeypatch.setattr(CausalAttention, "apply", lambda *sides: calls.append(1) or apply(*sides))
    with autocast(torch.device("cpu"), "bf16"):
        logits = model(ids, use_cache=False).logits
    assert len(calls) == model.config.num_hidden_layers
    assert torch.allclose(logits, expected, atol=0.02)
