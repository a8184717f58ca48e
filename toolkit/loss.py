"""Next-token loss without the logits of a whole batch: with gradients for training, by token for scoring.

A language model's largest tensor is its logits, tokens x vocabulary in fp32. Here the output head is applied
to a few hundred supervised positions at a time, the loss's gradient is formed in the same pass (as Liger
Kernel and Cut Cross-Entropy do on GPUs), and padding never reaches the head. Where a model does more to its
logits than one linear map (soft-capping, scaling, a bias), that is found out by trying, and the plain way is
taken.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the name PyTorch's own documentation uses

from toolkit.data.tokens import IGNORED

CHUNK_ELEMENTS = 1 << 25  # fp32 logits held at once: 128 MiB


class _ChunkedCrossEntropy(torch.autograd.Function):
    """Summed negative log-likelihood, in nats, of `hidden` [tokens, width] under a linear head."""

    @staticmethod
    def forward(
        ctx: Any, hidden: torch.Tensor, weight: torch.Tensor, labels: torch.Tensor, dtype: torch.dtype
    ) -> torch.Tensor:
        states, head = hidden.to(dtype), weight.to(dtype)
        total = torch.zeros((), dtype=torch.float32, device=hidden.device)
        grad_hidden = torch.empty_like(states)
        grad_weight = torch.zeros_like(weight, dtype=torch.float32) if ctx.needs_input_grad[1] else None
        rows = _rows_at_once(weight)
        for first in range(0, len(labels), rows):
            part = slice(first, first + rows)
            logits = (states[part] @ head.T).float()
            normaliser = torch.logsumexp(logits, dim=-1, keepdim=True)
            target = labels[part, None]
            total += (normaliser - logits.gather(1, target)).sum()
            # The gradient of the sum by the logits: softmax minus one at the target. Formed in place.
            probabilities = logits.sub_(normaliser).exp_()
            probabilities.scatter_add_(1, target, torch.full_like(target, -1, dtype=torch.float32))
            slope = probabilities.to(dtype)
            torch.matmul(slope, head, out=grad_hidden[part])
            if grad_weight is not None:
                grad_weight += slope.T @ states[part]
        ctx.grad_hidden, ctx.grad_weight, ctx.hidden_dtype = grad_hidden, grad_weight, hidden.dtype
        return total

    @staticmethod
    def backward(ctx: Any, *grad_outputs: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (scale,) = grad_outputs
        grad_weight = None if ctx.grad_weight is None else ctx.grad_weight.mul_(scale)
        return (ctx.grad_hidden * scale).to(ctx.hidden_dtype), grad_weight, None, None


class NextToken:
    """Scores a causal model's next tokens. Made once a model; knows if its head can be taken apart."""

    def __init__(self, model: torch.nn.Module) -> None:
        self._head = _plain_head(model)
        if self._head is not None and not self._agrees(model):
            self._head = None

    @property
    def chunked(self) -> bool:
        """Whether the logits of a whole batch are avoided."""
        return self._head is not None

    def loss(self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor], tokens: float) -> torch.Tensor:
        """Summed nll of the supervised tokens over ``tokens``, those of all micro-batches: a scalar."""
        states, labels = self._forward(model, batch)
        if self._head is None:
            return F.cross_entropy(states.float(), labels, reduction="sum") / tokens
        dtype = _compute_dtype(states)
        return _ChunkedCrossEntropy.apply(states, self._head.weight, labels, dtype) / tokens

    @torch.no_grad()
    def nll(self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Negative log-likelihood of every token given those before it: [rows, longest], fp32, nats.

        Zero at the first position and wherever the label is ignored.
        """
        states, labels = self._forward(model, batch)
        parts = []
        if self._head is None:
            rows = _rows_at_once(states)
            parts = [
                F.cross_entropy(states[i : i + rows].float(), labels[i : i + rows], reduction="none")
                for i in range(0, len(labels), rows)
            ]
        else:
            rows, dtype = _rows_at_once(self._head.weight), _compute_dtype(states)
            head = self._head.weight.to(dtype)
            for i in range(0, len(labels), rows):
                logits = (states[i : i + rows].to(dtype) @ head.T).float()
                chosen = logits.gather(1, labels[i : i + rows, None])[:, 0]
                parts.append(torch.logsumexp(logits, dim=-1) - chosen)
        result = torch.zeros(batch["labels"].shape, dtype=torch.float32, device=states.device)
        result[:, 1:][batch["labels"][:, 1:] != IGNORED] = torch.cat(parts) if parts else result.new_zeros(0)
        return result

    def _forward(
        self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Hidden states (logits, where the head stays on) before each supervised token, and the tokens."""
        # The last token of a row predicts nothing here, and may be one more than the context holds.
        inputs = {key: value[:, :-1] for key, value in batch.items() if key != "labels"}
        with _without(self._head):
            states = model(**inputs, use_cache=False).logits
        labels = batch["labels"][:, 1:]
        states = states[:, -labels.shape[1] :]  # virtual tokens of a prompt method stand in front
        return states[labels != IGNORED], labels[labels != IGNORED]

    def _agrees(self, model: torch.nn.Module) -> bool:
        """Whether head after hidden states gives the model's own logits, on a few tokens."""
        training = model.training
        model.eval()
        weight = self._head.weight
        ids = torch.arange(2, 10, device=weight.device)[None] % weight.shape[0]
        with torch.no_grad():
            whole = model(input_ids=ids, use_cache=False).logits
            with _without(self._head):
                states = model(input_ids=ids, use_cache=False).logits
        model.train(training)
        return states.shape[-1] == weight.shape[1] and torch.allclose(
            F.linear(states, weight), whole, rtol=1e-3, atol=1e-3
        )


def _plain_head(model: torch.nn.Module) -> torch.nn.Linear | None:
    head = model.get_output_embeddings() if hasattr(model, "get_output_embeddings") else None
    return head if type(head) is torch.nn.Linear and head.bias is None else None


@contextmanager
def _without(head: torch.nn.Module | None) -> Iterator[None]:
    """Inside, the output head hands its input on: the model's `logits` are its last hidden states."""
    if head is None:
        yield
        return
    head.forward = _identity
    try:
        yield
    finally:
        del head.forward


def _identity(states: torch.Tensor) -> torch.Tensor:
    return states


def _rows_at_once(weight: torch.Tensor) -> int:
    vocabulary = max(weight.shape)
    return max(1, CHUNK_ELEMENTS // vocabulary)


def _compute_dtype(states: torch.Tensor) -> torch.dtype:
    kind = states.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else states.dtype
