"""What a model computes in: bf16 or fp32, as a run's settings and the hardware decide."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def resolve_precision(precision: str) -> str:
    """Return `bf16` for `auto` if the hardware computes in it, else `fp32`; any other value as it is."""
    import torch

    if precision != "auto":
        return precision
    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    return "bf16" if _cpu_has_bf16() else "fp32"


def _cpu_has_bf16() -> bool:
    import torch

    probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, probe, bool)() for probe in probes)


def autocast(device: torch.device, precision: str) -> AbstractContextManager[Any]:
    """Return a context that computes in bf16 over fp32 weights; one that does nothing for `fp32`."""
    import torch

    return torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else nullcontext()


@contextmanager
def scoring(device: torch.device, precision: str) -> Iterator[None]:
    """Enter `autocast`; in fp32, keep CUDA from rounding products to TF32, which training allows."""
    import torch

    before = torch.get_float32_matmul_precision()
    if precision == "fp32":
        torch.set_float32_matmul_precision("highest")
    try:
        with autocast(device, precision):
            yield
    finally:
        torch.set_float32_matmul_precision(before)
