"""Next-token loss without the logits of a whole batch: with gradients for training, per token for scoring.

A language model's largest tensor is its logits, tokens x vocabulary in fp32. Here the LM head is applied to a
few hundred supervised positions at a time, the gradient of the loss is computed in the same pass (as in Liger
Kernel and Cut Cross-Entropy, on GPUs), and padding never reaches the head. If a model does more to its logits
than one linear map (soft-capping, scaling), a test on a few tokens shows it, and all logits are computed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the name PyTorch's own documentation uses

from toolkit.data.conversations.labels import IGNORED
from toolkit.models import probe
from toolkit.training.step.tied_embedding import TiedGradient, plain_embedding, tied_embedding

CHUNK_ELEMENTS = 1 << 25  # logits held at once: 64 MiB in bf16
CACHED_ELEMENTS = 1 << 19  # fp32 logits worked on at once on a CPU: 2 MiB
ADDED_ELEMENTS = 1 << 22  # of the head's gradient computed at once on a CPU: 8 MiB in bf16


class _ChunkedCrossEntropy(torch.autograd.Function):
    """Summed negative log-likelihood of `labels` [tokens] given `hidden` [tokens, width], in nats."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        labels: torch.Tensor,
        dtype: torch.dtype,
        tied: TiedGradient | None = None,
    ) -> torch.Tensor:
        states, head = hidden.to(dtype), weight.to(dtype)
        shift = None if bias is None else bias.to(dtype)
        total = torch.zeros((), dtype=torch.float32, device=hidden.device)
        grad_hidden = torch.empty_like(states)
        trained = tied is not None or ctx.needs_input_grad[1]
        grad_weight = torch.zeros_like(weight, dtype=torch.float32) if trained else None
        grad_bias = torch.zeros_like(bias, dtype=torch.float32) if ctx.needs_input_grad[2] else None
        rows = _rows_at_once(weight)
        for first in range(0, len(labels), rows):
            chunk = slice(first, first + rows)
            logits = F.linear(states[chunk], head, shift)
            total += _softmax_gradient_(logits, labels[chunk])
            torch.matmul(logits, head, out=grad_hidden[chunk])
            if grad_weight is not None:
                _add_product_(grad_weight, logits, states[chunk])
            if grad_bias is not None:
                grad_bias += logits.sum(0, dtype=torch.float32)
        ctx.grads, ctx.hidden_dtype, ctx.tied = (grad_hidden, grad_weight, grad_bias), hidden.dtype, tied
        return total

    @staticmethod
    def backward(ctx: Any, *grad_outputs: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (scale,) = grad_outputs
        grad_hidden, *of_head = ctx.grads
        ctx.grads = None  # else the weight would be given a copy of its gradient
        of_head = [None if grad is None else grad.mul_(scale) for grad in of_head]
        if ctx.tied is not None:
            ctx.tied.of_head, of_head[0] = of_head[0], None
        return (grad_hidden * scale).to(ctx.hidden_dtype), *of_head, None, None, None


def _softmax_gradient_(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return the summed nll of `logits` [rows, vocabulary], and overwrite them with its gradient.

    The gradient is softmax minus one at the label. In fp32; on a CPU a few rows at a time, since each pass
    over a whole chunk would go through main memory.
    """
    total = torch.zeros((), dtype=torch.float32, device=logits.device)
    for chunk in _cached(logits):
        values, label = logits[chunk].float(), labels[chunk, None]
        nll, mass = _exponentiate_(values, label)
        total += nll.sum()
        values.div_(mass).scatter_add_(1, label, torch.full_like(mass, -1))
        logits[chunk] = values
    return total


def _add_product_(total: torch.Tensor, logits: torch.Tensor, states: torch.Tensor) -> None:
    """Add ``logits.T @ states`` to the fp32 ``total`` [vocabulary, width]; on a CPU some rows at a time.

    PyTorch converts a bf16 summand whole: as large as the head in fp32, and slower than by rows.
    """
    rows = len(total) if total.is_cuda else max(1, ADDED_ELEMENTS // total.shape[1])
    for some, of_rows in zip(total.split(rows), logits.split(rows, dim=1), strict=True):
        some += of_rows.T @ states


def _nll_(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return each label's negative log-likelihood, [rows] in nats; overwrites `logits` [rows, vocabulary]."""
    return torch.cat(
        [
            _exponentiate_(logits[chunk].float(), labels[chunk, None])[0].squeeze(1)
            for chunk in _cached(logits)
        ]
    )


def _exponentiate_(values: torch.Tensor, label: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Overwrite fp32 `values` [rows, vocabulary] with exponentials; return labels' nll and rows' sums.

    Both are [rows, 1]. `sum` adds pairwise; PyTorch's log_softmax adds in order, and its error against fp64
    is five times as large.
    """
    highest = values.amax(dim=1, keepdim=True)
    chosen = values.gather(1, label) - highest
    mass = values.sub_(highest).exp_().sum(dim=1, keepdim=True)
    return mass.log() - chosen, mass


def _cached(logits: torch.Tensor) -> Iterator[slice]:
    """Yield slices of rows that fit a CPU's cache in fp32; all rows at once on a GPU."""
    rows = len(logits) if logits.is_cuda else max(1, CACHED_ELEMENTS // logits.shape[1])
    return (slice(first, first + rows) for first in range(0, len(logits), rows))


class NextToken:
    """Next-token loss of one causal model. Create it once: it tests whether the LM head can be split off."""

    def __init__(self, model: torch.nn.Module, *, chunked: bool = True) -> None:
        self._head = _plain_head(model) if chunked else None
        if self._head is not None and not self._agrees(model, self._head):
            self._head = None
        self._embedding = None if self._head is None else plain_embedding(model)

    @property
    def chunked(self) -> bool:
        """Whether the logits of a whole batch are avoided."""
        return self._head is not None

    def loss(self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor], tokens: float) -> torch.Tensor:
        """Return the batch's summed nll over ``tokens``, the supervised tokens of all micro-batches."""
        if self._head is None:
            states, labels = self._forward(model, batch)
            return F.cross_entropy(states.float(), labels, reduction="sum") / tokens
        weight, bias = self._head.weight, self._head.bias
        with tied_embedding(self._embedding, weight) as tied:
            states, labels = self._forward(model, batch)
        dtype = _compute_dtype(states)
        if tied is None or not tied.embedded:
            return _ChunkedCrossEntropy.apply(states, weight, bias, labels, dtype) / tokens
        return _ChunkedCrossEntropy.apply(states, weight.detach(), bias, labels, dtype, tied) / tokens

    @torch.no_grad()
    def nll(self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return each token's negative log-likelihood given those before it: [rows, longest], fp32, in nats.

        Zero at the first position and for ignored labels.
        """
        states, labels = self._forward(model, batch)
        weight = bias = None
        if self._head is not None:
            weight, bias = self._head.weight.to(_compute_dtype(states)), self._head.bias
        if bias is not None:
            bias = bias.to(_compute_dtype(states))
        rows = _rows_at_once(states if weight is None else weight)
        chunks = []
        for i in range(0, len(labels), rows):
            chunk = states[i : i + rows]
            logits = chunk if weight is None else F.linear(chunk.to(weight.dtype), weight, bias)
            chunks.append(_nll_(logits, labels[i : i + rows]))
        result = torch.zeros(batch["labels"].shape, dtype=torch.float32, device=states.device)
        result[:, 1:][batch["labels"][:, 1:] != IGNORED] = (
            torch.cat(chunks) if chunks else result.new_zeros(0)
        )
        return result

    def _forward(
        self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the hidden states (logits if not chunked) before the supervised tokens, and the tokens."""
        # The last token of a row predicts nothing here, and may be one more than the context holds.
        inputs = {key: value[:, :-1] for key, value in batch.items() if key != "labels"}
        with _replaced(self._head, _identity):
            states = model(**inputs, use_cache=False).logits
        labels = batch["labels"][:, 1:]
        states = states[:, -labels.shape[1] :]  # virtual tokens of a prompt method stand in front
        return states[labels != IGNORED], labels[labels != IGNORED]

    def _agrees(self, model: torch.nn.Module, head: torch.nn.Linear) -> bool:
        """Return whether the model's logits are its LM head's output and nothing else, on a few tokens.

        The head is made to return logits far from zero, on which soft-capping shows whatever the weights.
        """
        weight = head.weight
        ids = probe.token_ids(model)
        far = torch.linspace(-1000, 1000, weight.shape[0], device=weight.device)
        inputs = []

        def fixed_logits(states: torch.Tensor) -> torch.Tensor:
            inputs.append(states)
            return far.to(states.dtype).expand(*states.shape[:-1], -1)

        with _replaced(head, fixed_logits):
            logits = probe.logits(model, ids)
        with _replaced(head, _identity):
            states = probe.logits(model, ids)
        if len(inputs) != 1 or states.shape != inputs[0].shape or logits.shape[-1] != len(far):
            return False
        expected = far.to(inputs[0].dtype).to(logits.dtype).expand_as(logits)
        return torch.equal(logits, expected) and torch.allclose(states.float(), inputs[0].float())


def _plain_head(model: torch.nn.Module) -> torch.nn.Linear | None:
    head = model.get_output_embeddings() if hasattr(model, "get_output_embeddings") else None
    return head if type(head) is torch.nn.Linear else None


@contextmanager
def _replaced(
    head: torch.nn.Module | None, forward: Callable[[torch.Tensor], torch.Tensor]
) -> Iterator[None]:
    """Temporarily replace the LM head's forward; with `_identity`, `logits` are the last hidden states."""
    if head is None:
        yield
        return
    head.forward = forward
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
