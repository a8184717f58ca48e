"""The gradient of an embedding that is also the head has the bits that PyTorch computes."""

from __future__ import annotations

import pytest
import torch
from transformers import AutoModelForCausalLM

from toolkit.data.batches import collate
from toolkit.training.step.loss import NextToken
from toolkit.training.step.tied_embedding import plain_embedding, tied_embedding


def gradients(model, batches, *, tied: bool, precision: torch.dtype | None = None):
    """Gradients of all weights, summed over the batches."""
    model.zero_grad()
    scorer = NextToken(model)
    assert scorer._embedding is not None
    if not tied:
        scorer._embedding = None
    for batch in batches:
        with torch.autocast("cpu", precision or torch.bfloat16, enabled=precision is not None):
            loss = scorer.loss(model, batch, 30)
        loss.backward()
    return {name: weight.grad.clone() for name, weight in model.named_parameters()}


@pytest.mark.parametrize("precision", [None, torch.bfloat16], ids=["fp32", "bf16"])
@pytest.mark.parametrize("padding", [None, 5])
def test_every_gradient_has_the_bits_it_had(tiny_gpt2, precision, padding):
    """Three rows with repeated tokens and padding; the token `padding` has no gradient as an input."""
    model = AutoModelForCausalLM.from_pretrained(tiny_gpt2, dtype=torch.float32).eval()
    model.get_input_embeddings().padding_idx = padding
    batch = collate([[1, 2, 2, 2, 5, 7, 5, 9], list(range(3, 10)), [5, 6, 7]], pad=0)
    expected = gradients(model, [batch], tied=False, precision=precision)
    found = gradients(model, [batch], tied=True, precision=precision)
    assert "forward" not in vars(model.get_input_embeddings())
    for name, gradient in found.items():
        assert torch.equal(gradient, expected[name]), name


def test_micro_batches_add_up(tiny_gpt2):
    """Two batches before a step: equal but for the order of one addition."""
    model = AutoModelForCausalLM.from_pretrained(tiny_gpt2, dtype=torch.float32).eval()
    batches = [collate([[1, 2, 3, 2]], pad=0), collate([[2, 2, 8], [4, 4, 4]], pad=0)]
    expected, found = (gradients(model, batches, tied=tied) for tied in (False, True))
    for name, gradient in found.items():
        torch.testing.assert_close(gradient, expected[name], rtol=1e-5, atol=1e-8)


def test_only_a_trainable_weight_that_is_both_is_taken(tiny_gpt2):
    """A frozen one, a head of its own and an embedding that does more go PyTorch's way."""
    model = AutoModelForCausalLM.from_pretrained(tiny_gpt2, dtype=torch.float32)
    embedding, head = model.get_input_embeddings(), model.get_output_embeddings().weight
    with tied_embedding(embedding, head) as tied:
        assert tied is not None
    with tied_embedding(embedding, torch.nn.Parameter(head.detach().clone())) as tied:
        assert tied is None
    head.requires_grad_(False)
    with tied_embedding(embedding, head) as tied:
        assert tied is None
    embedding.max_norm = 1.0
    assert plain_embedding(model) is None


def test_a_model_that_is_fed_no_ids_keeps_its_heads_gradient(tiny_gpt2):
    """The embedding is not called: the head's gradient goes to the weight itself."""
    model = AutoModelForCausalLM.from_pretrained(tiny_gpt2, dtype=torch.float32)
    scorer = NextToken(model)
    batch = collate([[1, 2, 3, 2]], pad=0)
    embedded = torch.randn(1, 3, model.config.n_embd)
    original = model.transformer.forward
    model.transformer.forward = lambda ids, **rest: original(None, **{**rest, "inputs_embeds": embedded})
    scorer.loss(model, batch, 3).backward()
    assert model.get_output_embeddings().weight.grad.abs().sum() > 0
