"""The loss in chunks is the loss: same value, same gradients, same tokens."""

from __future__ import annotations

import pytest
import torch
from transformers import AutoModelForCausalLM, Gemma2Config, Gemma2ForCausalLM

from toolkit.data.batches import collate
from toolkit.training.step import loss as loss_module
from toolkit.training.step.loss import NextToken


@pytest.fixture
def batch() -> dict[str, torch.Tensor]:
    """Three rows of 12, 7 and 3 tokens: 19 supervised ones."""
    return collate([list(range(1, 13)), list(range(3, 10)), [5, 6, 7]], pad=0)


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four positions at a time, so that 19 tokens take five chunks."""
    monkeypatch.setattr(loss_module, "CHUNK_ELEMENTS", 4 * 400)


def test_value_and_gradients_equal_the_models_own_loss(tiny_gpt2, batch, small_chunks):
    """transformers' mean over 19 tokens against ours over the same 19; the tied embedding's gradient too."""
    model = AutoModelForCausalLM.from_pretrained(tiny_gpt2, dtype=torch.float32).eval()
    theirs = model(**batch).loss
    theirs.backward()
    expected = {name: weight.grad.clone() for name, weight in model.named_parameters()}
    model.zero_grad()
    scorer = NextToken(model)
    assert scorer.chunked
    ours = scorer.loss(model, batch, 19)
    ours.backward()
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-6)
    for name, weight in model.named_parameters():
        torch.testing.assert_close(weight.grad, expected[name], rtol=1e-4, atol=1e-7)


def test_frozen_head_gets_no_gradient_and_the_rest_does(tiny_gpt2, batch, small_chunks):
    """With the embedding frozen, as under an adapter, hidden states still get theirs."""
    model = AutoModelForCausalLM.from_pretrained(tiny_gpt2, dtype=torch.float32)
    model.get_output_embeddings().weight.requires_grad_(False)
    NextToken(model).loss(model, batch, 19).backward()
    assert model.get_output_embeddings().weight.grad is None
    assert model.transformer.h[0].attn.c_attn.weight.grad.abs().sum() > 0


def test_nll_by_token_sums_to_the_loss_and_is_zero_where_ignored(tiny_gpt2, batch, small_chunks):
    """19 scored tokens; the first of each row and the padding score zero."""
    model = AutoModelForCausalLM.from_pretrained(tiny_gpt2, dtype=torch.float32).eval()
    scorer = NextToken(model)
    nll = scorer.nll(model, batch)
    assert nll.shape == batch["labels"].shape
    assert (nll != 0).sum() == 19
    assert torch.equal(nll != 0, batch["labels"] != -100)
    assert nll.sum().item() == pytest.approx(19 * model(**batch).loss.item(), rel=1e-5)


def test_a_model_that_caps_its_logits_takes_the_plain_way(batch):
    """Gemma 2 squeezes its logits through tanh, which no linear head does: same loss, no chunks."""
    config = Gemma2Config(
        vocab_size=400, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, head_dim=16, final_logit_softcapping=0.1,
    )  # fmt: skip
    torch.manual_seed(0)
    model = Gemma2ForCausalLM(config).eval()
    scorer = NextToken(model)
    assert not scorer.chunked
    assert scorer.loss(model, batch, 19).item() == pytest.approx(model(**batch).loss.item(), rel=1e-5)
    assert scorer.nll(model, batch).sum().item() == pytest.approx(19 * model(**batch).loss.item(), rel=1e-5)


def test_nll_is_as_exact_as_fp32_allows():
    """Against fp64 on 40 rows of 50,000 logits; PyTorch's own fp32 cross-entropy is 5e-7 off here."""
    torch.manual_seed(0)
    logits, labels = 3 * torch.randn(40, 50_000), torch.randint(50_000, (40,))
    exact = torch.nn.functional.cross_entropy(logits.double(), labels, reduction="none")
    found = loss_module._nll_(logits, labels)
    torch.testing.assert_close(found.double(), exact, rtol=2e-7, atol=0)
