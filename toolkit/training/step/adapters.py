"""What some adapters add to a step: an optimizer of their own, a schedule of ranks, a term of the loss."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from toolkit.errors import UserError, one_line, unknown_name
from toolkit.models.methods import AFTER_WARM_UP, UNKNOWN_STEPS
from toolkit.specs import MethodSpec

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, TrainerCallback


def optimizer(
    model: PreTrainedModel,
    method: MethodSpec,
    kind: type[torch.optim.Optimizer],
    settings: Mapping[str, Any],
    weight_decay: float,
) -> torch.optim.Optimizer:
    """Create the peft optimizer that the method names, from the run's own class and settings.

    ``kind`` and ``settings`` (with `lr`) are what every other method trains with. The method's options take
    precedence. Raises UserError for an unknown optimizer or option.
    """
    from peft import optimizers

    options = dict(method.optimizer or {})
    name = str(options.pop("name")).lower()
    known = [entry.removeprefix("create_").removesuffix("_optimizer") for entry in optimizers.__all__]
    if name not in known:
        raise unknown_name("optimizer", name, known)
    factory = getattr(optimizers, f"create_{name}_optimizer")
    decay = "loraplus_weight_decay" if name == "loraplus" else "weight_decay"
    if "weight_decay" in options:
        options[decay] = options.pop("weight_decay")
    offered = {**settings, "optimizer_cls": kind, decay: weight_decay}
    takes = inspect.signature(factory).parameters
    if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in takes.values()):
        offered = {key: value for key, value in offered.items() if key in takes}
    try:
        return factory(model, **{**offered, **options})
    except (ValueError, TypeError) as error:
        raise UserError(f"method {method.name}: optimizer {name}: {one_line(error)}") from error


def callbacks(model: PreTrainedModel, steps: int, warmup: int = 0) -> list[TrainerCallback]:
    """Return the trainer callbacks that an adapter needs during training.

    ``steps`` are those of the whole run, at whose end AdaLoRA's schedule of ranks ends. It begins after the
    ``warmup`` of the learning rate, unless the method says when: before, all ranks are as they were drawn.
    Raises UserError if the steps are too few for it.
    """
    from transformers import TrainerCallback

    tuner = getattr(model, "base_model", None)
    update: Any = getattr(tuner, "update_and_allocate", None)
    if update is None:
        return []
    allocator = getattr(tuner, "rankallocator", None)
    if allocator is not None:
        settings = allocator.peft_config
        if settings.total_step == UNKNOWN_STEPS:
            allocator.set_total_step(steps)
        if settings.tinit == AFTER_WARM_UP:
            settings.tinit = max(0, min(warmup, steps - settings.tfinal - 1))
        # Ranks are masked by scores, of which the first step has none.
        if settings.tinit >= steps - settings.tfinal or steps - settings.tfinal < 2:
            raise UserError(
                f"AdaLoRA: a run of {steps} steps has no room for tinit={settings.tinit} and "
                f"tfinal={settings.tfinal}; lower them, or train longer"
            )

    class AllocateRanks(TrainerCallback):
        # Before the gradients are cleared: AdaLoRA reads them. The step under way is not yet counted.
        def on_optimizer_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            update(state.global_step + 1)

    return [AllocateRanks()]


def penalty(model: PreTrainedModel) -> torch.Tensor | None:
    """Return the term that the adapter's own objective adds to the loss; None for most adapters.

    AdaLoRA: `orth_reg_weight` times the mean over A and B of the Frobenius norms of A Aᵀ - I and Bᵀ B - I
    (Zhang et al. 2023, eq. 4, as in peft), which peft adds only to a loss computed inside the model.
    """
    import torch

    config = getattr(model, "active_peft_config", None)
    weight = getattr(config, "orth_reg_weight", 0)
    if not weight:
        return None
    grams = []
    for name, factor in model.named_parameters():
        if "lora_A" in name or "lora_B" in name:
            grams.append(factor @ factor.T if "lora_A" in name else factor.T @ factor)
    norms = [torch.linalg.norm(gram - torch.eye(len(gram), device=gram.device)) for gram in grams]
    return weight * torch.stack(norms).mean()
