"""One base model that stays loaded, for several runs that read its weights and do not train them."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from toolkit import runtime
from toolkit.models.load import load_base
from toolkit.specs import ModelSpec

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_kept: dict[str, PreTrainedModel] = {}
"""A specification as JSON -> its model; one at most."""


def keep(spec: ModelSpec | None) -> None:
    """Load a base and keep it, instead of the one that was kept before; None: keep none.

    Computes on one thread: a process whose OpenMP threads have run can fork no process that uses some.
    """
    import torch

    key = None if spec is None else spec.model_dump_json()
    if key in _kept:
        return
    if _kept:
        _kept.clear()
        runtime.release()
        runtime.trim_heap()  # else the processes that are forked from here on begin with its size
    if spec is None or key is None:
        return
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        _kept[key] = load_base(spec)
    finally:
        torch.set_num_threads(threads)


def load_to_read(spec: ModelSpec) -> PreTrainedModel:
    """Return the base in fp32, without dropout: `load_base`, unless it is kept.

    The model is new, so that an adapter may be added to it, but its weights may be those of other models:
    they may be replaced and must not be changed in place.
    """
    model = _kept.get(spec.model_dump_json())
    return load_base(spec) if model is None else _sharing(model)


def _sharing(model: PreTrainedModel) -> PreTrainedModel:
    """Copy a model's modules; the parameters are new ones with the same memory, tied where they were."""
    import torch

    shared = {
        id(weight): torch.nn.Parameter(weight.detach(), requires_grad=weight.requires_grad)
        for weight in model.parameters()
    }
    return copy.deepcopy(model, shared)
