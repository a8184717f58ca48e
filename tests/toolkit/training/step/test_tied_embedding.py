"""The gradient of an embedding that is also the head has the bits that PyTorch computes."""

from __future__ import annotations

import pytest
import torch
from transformers import AutoModelForCausalLM

from toolkit.data.batches import collate
from toolkit.training.step import loss as loss_module
from toolkit.training.step import tied_embedding as tied_module
from toolkit.training.step.loss import NextToken
from toolkit.training.step.tied_embedding import plain_embedding, tied_embedding


def spied(monkeypatch):
    """Count how often an embedding's gradient gets that of the head."""
    taken = []
    backward = tied_module._Embedding.backward

    def counted(ctx, *grads):
        taken.append(ctx.tied.of_head is not None)
        return backward(ctx, *grads)

    monkeypatch.setattr(tied_module._Embedding, "backward", staticmethod(counted))
    return taken


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
def test_every_gradient_has_the_bits_it_had(tiny_gpt2, precision, padding, monkeypatch):
    """Three rows with repeated tokens and padding; the token `padding` has no gradient as an input."""
    taken = spied(monkeypatch)
    model = AutoModelForCausalLM.from_pretrained(tiny_gpt2, dtype=torch.float32).eval()
    model.get_input_embeddings().padding_idx = padding
    batch = collate([[1, 2, 2, 2, 5, 7, 5, 9], list(range(3, 10)), [5, 6, 7]], pad=0)
    expected = gradients(model, [batch], tied=False, precision=precision)
    assert taken == []
    found = gradients(model, [batch], tied=True, precision=precision)
    assert taken == [True]
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


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_heads_gradient_by_rows_is_that_of_all_rows(monkeypatch, dtype):
    """1,003 tokens of vocabulary, 300 rows at a time: three whole parts and a rest."""
    generator = torch.Generator().manual_seed(0)
    logits, states = (torch.randn(40, size, generator=generator).to(dtype) for size in (1003, 24))
    expected = torch.ones(1003, 24) + logits.T @ states
    monkeypatch.setattr(loss_module, "ADDED_ELEMENTS", 300 * 24)
    total = torch.ones(1003, 24)
    loss_module._add_product_(total, logits, states)
    torch.testing.assert_close(total, expected, rtol=1e-6, atol=1e-6)


def test_the_weight_takes_its_gradient_without_a_copy(tiny_gpt2, monkeypatch):
    """What the backward pass makes is what the weight has, at the same address."""
    made = []
    backward = tied_module._Embedding.backward

    def kept(ctx, *grads):
        found = backward(ctx, *grads)
        made.append(found[1].data_ptr())
        return found

    monkeypatch.setattr(tied_module._Embedding, "backward", staticmethod(kept))
    model = AutoModelForCausalLM.from_pretrained(tiny_gpt2, dtype=torch.float32)
    loss = NextToken(model).loss(model, collate([[1, 2, 3, 2]], pad=0), 3)
    loss.backward()
    assert made == [model.get_output_embeddings().weight.grad.data_ptr()]
