"""Count the floating-point operations of a run, and measure how many the machine does per second."""

from __future__ import annotations

import functools
import hashlib
import inspect
import time
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch.utils.flop_counter import FlopCounterMode, sdpa_backward_flop_count, sdpa_flop_count

from toolkit.data import batches
from toolkit.data.conversations.labels import IGNORED
from toolkit.errors import is_out_of_memory
from toolkit.models import methods
from toolkit.models.precision import autocast
from toolkit.records import hashes

COUNTED_TOKENS = 128  # enough for a count by position; attention's share beyond it is small
PRODUCT = 2048  # rows and columns of the matrices that are multiplied


def _attention(query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
    return sdpa_flop_count(query, key, value)


def _attention_backward(gradient: Any, query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
    return sdpa_backward_flop_count(gradient, query, key, value)


# PyTorch's own table has the attention of GPUs only.
CPU_ATTENTION = {
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward: _attention_backward,
}


class Operations(NamedTuple):
    """Floating-point operations of forward and backward pass."""

    per_position: float
    """Of everything but what follows: each position is computed, padding and prompts included."""
    per_label: float
    """Of the output head, which only the positions before a supervised token reach."""

    def of(self, positions: int, labels: int) -> float:
        """Return the operations of so many positions and supervised tokens."""
        return self.per_position * positions + self.per_label * labels


def operations(model: Any, next_token: Any, row: list[int], precision: str) -> Operations | None:
    """Count the operations of forward and backward pass on the start of one document.

    Matrix products, convolutions and attention; a multiplication and an addition count as two (PyTorch's
    `FlopCounterMode`). Counted with every token supervised and with half of them: the difference is the
    output head's. Gradients are cleared again. Return None if the counter can't follow the model. Raises
    RuntimeError if memory runs out.
    """
    batch = batches.collate([row[: COUNTED_TOKENS + 1]], 0)
    batch = {key: value.to(next(model.parameters()).device) for key, value in batch.items()}
    positions = batch["input_ids"].shape[1] - 1
    half = positions // 2
    try:
        every = _counted(model, next_token, batch, precision)
        batch["labels"][:, 1 + half :] = IGNORED
        some = _counted(model, next_token, batch, precision) if half else every
    except (NotImplementedError, RuntimeError) as error:  # what the counter can't follow raises either
        if is_out_of_memory(error):
            raise
        return None
    finally:
        model.zero_grad(set_to_none=True)
    per_label = (every - some) / (positions - half)
    return Operations(every / positions - per_label, per_label)


def _counted(model: Any, next_token: Any, batch: dict[str, torch.Tensor], precision: str) -> int:
    counter = FlopCounterMode(display=False, custom_mapping=CPU_ATTENTION)
    with counter:
        with autocast(batch["input_ids"].device, precision):
            loss = next_token.loss(model, batch, batch["input_ids"].shape[1] - 1)
        loss.backward()
    return int(counter.get_total_flops())


def operations_once(
    model: Any, next_token: Any, row: list[int], precision: str, cache: Path
) -> Operations | None:
    """`operations`, counted once for models of one structure, and read back from ``cache`` after that.

    Counting takes about as long as two steps, and depends on no weight: the runs of a study share it.
    """
    file = cache / f"operations-{_digest(model, next_token, len(row[: COUNTED_TOKENS + 1]), precision)}.json"
    stored = hashes.read_value(file)
    if stored is None:
        try:
            stored = {"operations": operations(model, next_token, row, precision)}
        except RuntimeError:  # out of memory: of this moment, not of the structure, so not stored
            return None
        hashes.write_value(file, stored)
    counted = stored["operations"]
    return None if counted is None else Operations(*counted)


def _digest(model: Any, next_token: Any, tokens: int, precision: str) -> str:
    """Hash all that decides how many operations there are: structure, settings, versions, and this code."""
    adapters = [
        sorted(
            (key, sorted(value) if isinstance(value, set) else value)
            for key, value in vars(one).items()
            if key not in methods.SEEDS_OF_STRUCTURE
        )
        for one in getattr(model, "peft_config", {}).values()
    ]
    code = [Path(__file__), Path(inspect.getfile(type(next_token)))]
    parts = [
        str(model),
        model.config.to_json_string(),
        getattr(model.config, "_attn_implementation", None),
        [(name, *w.shape, w.dtype, w.device.type, w.requires_grad) for name, w in model.named_parameters()],
        adapters,
        [next_token.chunked, tokens, precision],
        [metadata.version(name) for name in ("torch", "transformers", "peft")],
        [file.read_bytes() for file in code],
    ]
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


@functools.cache
def peak_per_second(device: torch.device, precision: str) -> float:
    """Measure the operations per second of a product of square matrices in ``precision``: best of five.

    Once per process.
    """
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    left, right = (torch.ones(PRODUCT, PRODUCT, dtype=dtype, device=device) for _ in range(2))
    seconds = []
    for _ in range(6):  # the first one warms up
        began = time.perf_counter()
        torch.mm(left, right)
        if device.type == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - began)
    return 2 * PRODUCT**3 / min(seconds[1:])
