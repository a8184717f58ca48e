"""Which weights may move: patterns of the base's own, or any adapter that peft knows."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from toolkit.errors import UserError, unknown_name
from toolkit.specs import MethodSpec

if TYPE_CHECKING:
    from transformers import PreTrainedModel, TrainerCallback


def apply(model: PreTrainedModel, method: MethodSpec) -> PreTrainedModel:
    """The model with exactly the weights trainable that the method names; an adapter is put on.

    Raises UserError where a pattern or a target module matches nothing, and with peft's own words where it
    refuses the options.
    """
    if method.peft is not None:
        return _with_adapter(model, method)
    patterns = method.trainable or ()
    unused = set(patterns)
    for name, weight in model.named_parameters():
        hits = {pattern for pattern in patterns if fnmatchcase(name, pattern)}
        weight.requires_grad_(bool(hits))
        unused -= hits
    if unused:
        some = ", ".join(name for name, _ in list(model.named_parameters())[:3])
        raise UserError(
            f"method {method.name}: pattern '{sorted(unused)[0]}' matches no weight (there are {some}, …)"
        )
    return model


def _with_adapter(model: PreTrainedModel, method: MethodSpec) -> PreTrainedModel:
    import peft

    options: dict[str, Any] = {"task_type": "CAUSAL_LM", **(method.peft or {})}
    kind = str(options["peft_type"]).upper()
    if kind not in peft.PEFT_TYPE_TO_CONFIG_MAPPING:
        raise unknown_name(
            "peft_type", kind, [str(known.value) for known in peft.PEFT_TYPE_TO_CONFIG_MAPPING]
        )
    try:
        config = peft.get_peft_config({**options, "peft_type": kind})
        adapted = peft.get_peft_model(model, config)
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(f"method {method.name}: {_words(error)}") from error
    if not any(weight.requires_grad for weight in adapted.parameters()):
        raise UserError(f"method {method.name}: nothing is trainable with these peft options")
    return adapted


def callbacks(model: PreTrainedModel) -> list[TrainerCallback]:
    """What an adapter wants done during training, as callbacks of the trainer."""
    from transformers import TrainerCallback

    tuner = getattr(model, "base_model", None)
    update = getattr(tuner, "update_and_allocate", None)
    if update is None:
        return []

    class AllocateRanks(TrainerCallback):
        # Before the gradients are cleared: AdaLoRA reads them.
        def on_optimizer_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            update(state.global_step)

    return [AllocateRanks()]


def parameter_counts(model: PreTrainedModel) -> tuple[int, int]:
    """Trainable and all parameters; tied weights count once."""
    weights = list(model.parameters())
    return sum(w.numel() for w in weights if w.requires_grad), sum(w.numel() for w in weights)


def _words(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 300 else f"{text[:297]}…"
