"""Frozen matrices of a model, kept in bf16 while the rest trains: no cast per step, half the memory.

Autocast casts a linear layer's weight to bf16 each time it is used. A weight that never changes can be cast
once, and the products are the same bit for bit. Adapters that compute with the frozen weight itself (DoRA's
norms, say) would see a rounded one, so this is tried out: logits before and after must be equal, with the
adapter away from its start.

Validation is computed in fp32, with the exact weights, and a whole model is saved with them. They lie in an
unnamed file in the meantime, mapped into memory when needed: they take no memory while the run trains.
"""

from __future__ import annotations

import contextlib
import mmap
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import torch
from transformers.pytorch_utils import Conv1D

from toolkit import runtime
from toolkit.errors import UserError
from toolkit.models import probe
from toolkit.models.precision import autocast

PROBE_TOKENS = 32


class ExactWeights(AbstractContextManager["ExactWeights"]):
    """The exact fp32 values of weights rounded to bf16; inside the context the weights have them again.

    It may be entered any number of times, one after the other. The values lie in a file in ``folder``.
    Raises UserError if the disk is full.
    """

    def __init__(
        self, weights: Sequence[torch.nn.Parameter], exact: Sequence[torch.Tensor], folder: Path
    ) -> None:
        self._weights = weights
        self._rounded: list[torch.Tensor | None] = []
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - it lives as long as this object
            for values in exact:
                self._file.write(values.detach().cpu().contiguous().numpy().data)
            self._file.flush()
        except OSError as error:
            raise UserError(f"cannot write {folder}: {error.strerror}. Make room, or use --root") from error

    def __enter__(self) -> ExactWeights:
        runtime.trim_heap()  # what steps have freed: validation needs other memory than they do
        mapped = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_COPY)
        offset = 0
        # a GPU's memory has no room for both
        self._rounded = [weight.data if weight.device.type == "cpu" else None for weight in self._weights]
        for weight in self._weights:
            exact = torch.frombuffer(mapped, dtype=torch.float32, count=weight.numel(), offset=offset)
            offset += 4 * weight.numel()
            weight.data = exact.view(weight.shape).to(weight.device)  # on a CPU the file's pages, not a copy
        return self

    def __exit__(self, *_: object) -> None:
        for weight, rounded in zip(self._weights, self._rounded, strict=True):
            weight.data = weight.data.to(torch.bfloat16) if rounded is None else rounded
        self._rounded = []


def keep_in_compute_precision(model: Any, precision: str, folder: Path) -> ExactWeights | None:
    """Cast frozen fp32 matrices to bf16 if that changes no logit; ``folder`` keeps exact values.

    Return None if nothing was cast: in fp32, with nothing frozen, or if the logits would differ.
    """
    if precision != "bf16":
        return None
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
        return None
    with _perturbed(model):
        before = _logits(model, precision)
        exact = [weight.data for weight in matrices]
        for weight in matrices:
            weight.data = weight.data.to(torch.bfloat16)
        same = torch.equal(before, _logits(model, precision))
    if same:
        weights = ExactWeights(matrices, exact, folder)
        _leave_files(model)
        return weights
    for weight, data in zip(matrices, exact, strict=True):
        weight.data = data
    return None


def _leave_files(model: Any) -> None:
    """Copy the frozen weights that stay in fp32: else the file they lie in stays mapped, whole."""
    for weight in model.parameters():
        if not weight.requires_grad and weight.dtype == torch.float32 and weight.device.type == "cpu":
            weight.data = weight.data.clone()


@contextlib.contextmanager
def _perturbed(model: Any) -> Iterator[None]:
    """Temporarily perturb the trainable weights: many adapters start as the identity."""
    trainable = [weight for weight in model.parameters() if weight.requires_grad]
    values = [weight.detach().clone() for weight in trainable]
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in trainable:
            weight.add_(0.02 * torch.randn(weight.shape, generator=generator).to(weight))
    try:
        yield
    finally:
        with torch.no_grad():
            for weight, value in zip(trainable, values, strict=True):
                weight.copy_(value)


def _logits(model: Any, precision: str) -> torch.Tensor:
    ids = probe.token_ids(model, PROBE_TOKENS)
    with autocast(ids.device, precision):
        return probe.logits(model, ids)
