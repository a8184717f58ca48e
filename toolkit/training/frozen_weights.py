"""Frozen matrices of an adapter's base kept in the precision that computes: no cast a step, half the memory.

Autocast casts a linear layer's weight to bf16 each time it is used. A weight that never moves can be cast
once, and the products are the same bit for bit. Adapters that do arithmetic on the frozen weight itself
(DoRA's norms, say) would see a rounded one, so it is found out by trying: logits before and after must be
equal, with the adapter away from its start.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from transformers.pytorch_utils import Conv1D

from toolkit import runtime


def keep_in_compute_precision(model: Any, precision: str) -> bool:
    """Cast what may be cast, and say whether anything was. Full models are left alone: theirs are saved."""
    if precision != "bf16" or not hasattr(model, "peft_config"):
        return False
    matrices = [
        weight
        for module in model.modules()
        if type(module) in (torch.nn.Linear, Conv1D)
        for weight in module.parameters(recurse=False)
        if not weight.requires_grad and weight.dtype == torch.float32
    ]
    tied = {id(module.weight) for module in model.modules() if isinstance(module, torch.nn.Embedding)}
    matrices = [weight for weight in matrices if id(weight) not in tied]
    if not matrices:
        return False
    with _off_its_start(model):
        before = _logits(model, precision)
        exact = [weight.data for weight in matrices]
        for weight in matrices:
            weight.data = weight.data.to(torch.bfloat16)
        same = torch.equal(before, _logits(model, precision))
    if not same:
        for weight, data in zip(matrices, exact, strict=True):
            weight.data = data
    return same


@contextlib.contextmanager
def _off_its_start(model: Any) -> Iterator[None]:
    """Inside, trainable weights are a little off: many adapters start as the identity."""
    moving = [weight for weight in model.parameters() if weight.requires_grad]
    kept = [weight.detach().clone() for weight in moving]
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in moving:
            weight.add_(0.02 * torch.randn(weight.shape, generator=generator).to(weight))
    try:
        yield
    finally:
        with torch.no_grad():
            for weight, value in zip(moving, kept, strict=True):
                weight.copy_(value)


@torch.no_grad()
def _logits(model: Any, precision: str) -> torch.Tensor:
    training, where = model.training, next(model.parameters()).device
    model.eval()
    ids = torch.arange(2, 34, device=where)[None] % model.get_input_embeddings().weight.shape[0]
    with runtime.autocast(where, precision):
        logits = model(input_ids=ids, use_cache=False).logits
    model.train(training)
    return logits
