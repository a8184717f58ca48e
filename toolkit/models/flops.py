"""How many floating-point operations a run takes, and how many the machine can do."""

from __future__ import annotations

import time
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode, sdpa_backward_flop_count, sdpa_flop_count

from toolkit import runtime
from toolkit.data import batches

COUNTED_TOKENS = 128  # enough for a count by position; attention's share beyond it is small
PRODUCT = 2048


def _attention(query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
    return sdpa_flop_count(query, key, value)


def _attention_backward(slope: Any, query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
    return sdpa_backward_flop_count(slope, query, key, value)


# PyTorch's own table has the attention of GPUs only.
CPU_ATTENTION = {
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward: _attention_backward,
}


def per_position(model: Any, next_token: Any, row: list[int], precision: str) -> float | None:
    """Operations of forward and backward a position, counted on the start of one document.

    Products of matrices, convolutions and attention, a multiplication and an addition as two (PyTorch's
    `FlopCounterMode`). Gradients are cleared again. None where the counter can't follow the model.
    """
    batch = batches.collate([row[: COUNTED_TOKENS + 1]], 0)
    batch = {key: value.to(next(model.parameters()).device) for key, value in batch.items()}
    positions = batch["input_ids"].shape[1] - 1
    counter = FlopCounterMode(display=False, custom_mapping=CPU_ATTENTION)
    try:
        with counter:
            with runtime.autocast(batch["input_ids"].device, precision):
                loss = next_token.loss(model, batch, positions)
            loss.backward()
    except (NotImplementedError, RuntimeError):
        return None
    finally:
        model.zero_grad(set_to_none=True)
    return counter.get_total_flops() / positions


def peak_per_second(where: torch.device, precision: str) -> float:
    """Operations per second of a product of square matrices, in the precision of the run: best of five."""
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    one, other = (torch.ones(PRODUCT, PRODUCT, dtype=dtype, device=where) for _ in range(2))
    seconds = []
    for _ in range(6):  # the first one warms up
        began = time.perf_counter()
        torch.mm(one, other)
        if where.type == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - began)
    return 2 * PRODUCT**3 / min(seconds[1:])
