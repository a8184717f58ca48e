"""Packed documents score as they do alone, and a base that mixes them is refused."""

from __future__ import annotations

import pytest
import torch
from transformers import (
    BloomConfig,
    BloomForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
)

from toolkit.data.batches import collate, pack
from toolkit.errors import UserError
from toolkit.training.monitor import StepTotals
from toolkit.training.step.loss import NextToken
from toolkit.training.trainer import _refuse_if_mixed

ROWS = [[0, *range(3, 20)], [0, *range(30, 41)], [0, 5, 6, 7]]
BASES = {
    "gpt2": lambda: GPT2LMHeadModel(
        GPT2Config(vocab_size=64, n_positions=64, n_embd=32, n_layer=2, n_head=2)
    ),
    "llama": lambda: LlamaForCausalLM(
        LlamaConfig(
            vocab_size=64, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4
        )
    ),
}


@pytest.mark.parametrize("base", BASES)
def test_logits_of_packed_documents_equal_the_unpacked_ones(base):
    """Three rows of 18, 12 and 4 tokens in one, against the same three padded: every logit to 1e-5."""
    torch.manual_seed(0)
    model = BASES[base]().eval()
    packed, padded = pack(ROWS), collate(ROWS, 0)
    with torch.no_grad():
        together = model(
            input_ids=packed["input_ids"], position_ids=packed["position_ids"], use_cache=False
        ).logits
        apart = model(input_ids=padded["input_ids"], use_cache=False).logits
    start = 0
    for i, row in enumerate(ROWS):
        torch.testing.assert_close(
            together[0, start : start + len(row)], apart[i, : len(row)], rtol=1e-4, atol=1e-5
        )
        start += len(row)
    assert start == together.shape[1] == 34
    _refuse_if_mixed(model, NextToken(model), ROWS)


def test_a_base_that_mixes_packed_documents_is_refused():
    """Bloom has no positions to start again: its second document sees the first one."""
    torch.manual_seed(0)
    model = BloomForCausalLM(BloomConfig(vocab_size=64, hidden_size=32, n_layer=2, n_head=2)).eval()
    with torch.no_grad():  # random weights are too small to make a difference of what is attended to
        for weight in model.parameters():
            weight.mul_(5)
    with pytest.raises(UserError, match="train.packing: the attention of bloom does not keep"):
        _refuse_if_mixed(model, NextToken(model), ROWS)


@pytest.mark.parametrize(
    ("packing", "accumulate", "positions"),
    [(False, 1, [0, 34, 37]), (True, 1, [0, 29, 32]), (True, 2, [0, 32])],
)
def test_positions_are_what_the_model_is_fed(packing, accumulate, positions):
    """Rows of 18 and 12 tokens, then one of 4: 2 x 17 and 3 padded, 30 - 1 and 3 packed."""
    totals = StepTotals.of(ROWS, [[0, 1], [2]], accumulate, packing=packing)
    assert totals.positions == positions
    assert totals.tokens[-1] == 17 + 11 + 3
