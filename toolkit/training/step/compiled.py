"""A model's repeated blocks through `torch.compile`, for the forward and backward pass of training alone.

All blocks of a model share one compiled program per shape of its inputs (batch and length are dynamic), and
PyTorch keeps compiled programs on disk for the next run of a study. Norms, rotary embeddings, activations and
casts become a few loops. Validation and generation run as without it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from toolkit import runtime
from toolkit.errors import UserError


class CompiledBlocks:
    """The blocks of a model, compiled when they are first used inside the context `training`.

    Raises UserError without blocks, or without a C++ compiler on a CPU.
    """

    def __init__(self, model: torch.nn.Module) -> None:
        if runtime.device().type == "cpu":
            _require_compiler()
        blocks = _repeated(model)
        if not blocks:
            raise UserError(
                f"train.compile: {type(model).__name__} has no list of equal blocks; leave it out here"
            )
        self._compiled = [(block, torch.compile(block._call_impl, dynamic=True)) for block in blocks]

    @contextmanager
    def training(self) -> Iterator[None]:
        """Temporarily run the compiled blocks instead of the plain ones."""
        for block, call in self._compiled:
            block._compiled_call_impl = call
        try:
            yield
        finally:
            for block, _ in self._compiled:
                block._compiled_call_impl = None


def _repeated(model: torch.nn.Module) -> list[Any]:
    """Return the modules of the longest list of one type in a model: a transformer's layers."""
    lists: list[list[Any]] = [
        list(module)
        for module in model.modules()
        if isinstance(module, torch.nn.ModuleList) and len({type(block) for block in module}) == 1
    ]
    return max(lists, key=len, default=[])


def _require_compiler() -> None:
    from torch._inductor.cpp_builder import get_cpp_compiler
    from torch._inductor.exc import InvalidCxxCompiler

    try:
        get_cpp_compiler()
    except InvalidCxxCompiler as error:
        raise UserError(
            "train.compile: no C++ compiler was found. Install one (g++), name it in CXX, or leave "
            "train.compile out"
        ) from error
