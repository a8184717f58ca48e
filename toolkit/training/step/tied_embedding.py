"""The gradient of an embedding that is also the LM head, added up in one matrix, on a CPU.

PyTorch makes a matrix of the vocabulary's size for the embedding's gradient, zero but for the tokens of the
batch, and adds it to that of the head. Here the rows of the batch's tokens are added to the head's gradient:
equal bit for bit, two such matrices fewer.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the name PyTorch's own documentation uses


class TiedGradient:
    """The head's gradient on its way from the loss, which is first in a backward pass, to the embedding."""

    def __init__(self) -> None:
        self.embedded = False
        """Whether the embedding was called in the forward pass: else nothing would take the gradient."""
        self.of_head: torch.Tensor | None = None


class _Embedding(torch.autograd.Function):
    """Rows of ``weight`` [vocabulary, width] at ``ids``; the gradient has the head's in it."""

    @staticmethod
    def forward(
        ctx: Any, ids: torch.Tensor, weight: torch.Tensor, padding: int | None, tied: TiedGradient
    ) -> torch.Tensor:
        ctx.save_for_backward(ids)
        ctx.shape, ctx.padding, ctx.tied = weight.shape, padding, tied
        return F.embedding(ids, weight)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (ids,), (grad,) = ctx.saved_tensors, grad_outputs
        total, ctx.tied.of_head = ctx.tied.of_head, None
        if total is None:
            total = grad.new_zeros(ctx.shape)
        ids, grad = ids.flatten(), grad.flatten(0, -2)
        if ctx.padding is not None:
            kept = ids != ctx.padding
            ids, grad = ids[kept], grad[kept]
        tokens, places = ids.unique(return_inverse=True)
        # first by token, as PyTorch sums them, so that the result has the same bits
        summed = grad.new_zeros(len(tokens), grad.shape[1]).index_add_(0, places, grad)
        return None, total.index_add_(0, tokens, summed), None, None


def plain_embedding(model: torch.nn.Module) -> torch.nn.Embedding | None:
    """Return the model's input embedding if it is PyTorch's own and does nothing else, on a CPU."""
    found = model.get_input_embeddings() if hasattr(model, "get_input_embeddings") else None
    if not isinstance(found, torch.nn.Embedding) or type(found) is not torch.nn.Embedding:
        return None
    if "forward" in vars(found):  # somebody's hook
        return None
    usual = found.max_norm is None and not found.scale_grad_by_freq and not found.sparse
    exact = found.weight.device.type == "cpu" and found.weight.dtype == torch.float32
    return found if usual and exact else None


@contextmanager
def tied_embedding(
    embedding: torch.nn.Embedding | None, head: torch.nn.Parameter
) -> Iterator[TiedGradient | None]:
    """Temporarily let ``embedding`` take the head's gradient, if both are one trainable weight; else None."""
    if embedding is None or embedding.weight is not head or not head.requires_grad:
        yield None
        return
    tied = TiedGradient()

    def forward(input: torch.Tensor) -> torch.Tensor:  # noqa: A002 - as PyTorch names it
        tied.embedded = True
        embedded: torch.Tensor = _Embedding.apply(input, head, embedding.padding_idx, tied)
        return embedded

    embedding.forward = forward
    try:
        yield tied
    finally:
        del embedding.forward
