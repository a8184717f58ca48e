"""The private names of transformers that the generation loop uses: a cache with room, and rows that leave.

Everything here leans on names that transformers does not promise to keep. `missing_hooks` names those that
are gone; the loop then gives way to plain `generate`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from transformers import GenerationMixin
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer

if TYPE_CHECKING:
    from transformers import PreTrainedModel

GROWTH = 64  # positions by which a cache layer's room grows
_NOT_MODEL_INPUTS = ("logits_processor", "stopping_criteria", "generation_config", "synced_gpus")


def _takes(function: Callable[..., Any], *names: str) -> bool:
    return set(names) <= set(inspect.signature(function).parameters)


_Mixin = GenerationMixin
HOOKS: dict[str, Callable[[], bool]] = {
    "generate(custom_generate=)": lambda: _takes(_Mixin.generate, "custom_generate"),
    "prepare_inputs_for_generation(next_sequence_length=, is_first_iteration=)": lambda: _takes(
        _Mixin.prepare_inputs_for_generation, "next_sequence_length", "is_first_iteration"
    ),
    "_update_model_kwargs_for_generation": lambda: hasattr(_Mixin, "_update_model_kwargs_for_generation"),
    "Cache.layers": lambda: hasattr(DynamicCache(), "layers"),
    "Cache.layer_class_to_replicate": lambda: hasattr(DynamicCache(), "layer_class_to_replicate"),
    "DynamicLayer.is_initialized": lambda: hasattr(DynamicLayer(), "is_initialized"),
    "DynamicLayer.lazy_initialization": lambda: hasattr(DynamicLayer, "lazy_initialization"),
    "DynamicLayer.batch_select_indices": lambda: hasattr(DynamicLayer, "batch_select_indices"),
    "Tensor._base": lambda: torch.ones(2)[:1]._base is not None,
}
"""What the loop uses of transformers and torch that is private or undocumented, and whether it is there."""


def missing_hooks() -> list[str]:
    """Return the names in `HOOKS` that the installed transformers and torch lack."""
    return [name for name, is_there in HOOKS.items() if not is_there()]


def start(model_inputs: dict[str, Any]) -> dict[str, Any]:
    """Return the state of a generation from what `generate` prepared; its cache layers get room to grow."""
    state = {key: value for key, value in model_inputs.items() if key not in _NOT_MODEL_INPUTS}
    _give_room(state.get("past_key_values"))
    return state


def forward(
    model: PreTrainedModel, ids: torch.Tensor, state: dict[str, Any], *, first: bool
) -> tuple[torch.Tensor, dict[str, Any]]:
    """Run one step; return the logits after the last position [rows, vocabulary], and the next state."""
    following = {} if first else {"next_sequence_length": 1}
    inputs = model.prepare_inputs_for_generation(ids, is_first_iteration=first, **following, **state)
    output = model(**inputs, return_dict=True)
    return output.logits[:, -1], model._update_model_kwargs_for_generation(output, state)


def select_rows(state: dict[str, Any], chosen: torch.Tensor, rows: int) -> dict[str, Any]:
    """Return the state of a generation of ``rows`` rows with the chosen ones alone."""
    selected = {}
    for key, value in state.items():
        if isinstance(value, torch.Tensor) and value.dim() and len(value) == rows:
            value = value[chosen]
        elif isinstance(value, Cache):
            for layer in value.layers:
                # A recurrent layer (Mamba) only knows how to choose its rows by their new order.
                recurrent = hasattr(layer, "recurrent_states")
                (layer.reorder_cache if recurrent else layer.batch_select_indices)(chosen)
        selected[key] = value
    return selected


class RoomyLayer(DynamicLayer):  # type: ignore[misc]  # transformers is not typed
    """A cache layer that reserves room for later tokens; transformers' copies all of it at every token."""

    keys: torch.Tensor
    values: torch.Tensor

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append the new keys and values [rows, heads, new, width]; return all of them, as views."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        self.keys = _append(self.keys, key_states)
        self.values = _append(self.values, value_states)
        return self.keys, self.values


def _append(past: torch.Tensor, new: torch.Tensor) -> torch.Tensor:
    """``past`` with ``new`` behind it along the third dimension, in place while there is room behind."""
    length = past.shape[2] if past.numel() else 0
    total = length + new.shape[2]
    base = past._base
    if base is None or base.shape[:2] != new.shape[:2] or base.shape[2] < total:
        shape = (*new.shape[:2], total + GROWTH, new.shape[3])
        base = torch.empty(shape, dtype=new.dtype, device=new.device)
        if length:
            base[:, :, :length] = past
    base[:, :, length:total] = new
    return base[:, :, :total]


def _give_room(cache: Cache | None) -> None:
    if cache is None:
        return
    if getattr(cache, "layer_class_to_replicate", None) is DynamicLayer:
        cache.layer_class_to_replicate = RoomyLayer
    cache.layers = [
        RoomyLayer() if type(layer) is DynamicLayer and not layer.is_initialized else layer
        for layer in getattr(cache, "layers", [])
    ]
