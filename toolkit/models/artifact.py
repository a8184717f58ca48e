"""What a run leaves: save it, and load it again to use it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit import runtime
from toolkit.models import methods
from toolkit.models.load import load_base, load_to_read, load_tokenizer, load_under
from toolkit.models.precision import resolve_precision
from toolkit.records import RunRecord, hashes
from toolkit.records.files import whole_folder
from toolkit.records.folders import RunFolder
from toolkit.specs import ModelSpec

if TYPE_CHECKING:
    from peft import PeftConfig
    from transformers import BitsAndBytesConfig, PreTrainedModel, PreTrainedTokenizerBase

HARMLESS_STARTS = frozenset({"gaussian", "eva", "orthogonal", "mica"})
"""Values of LoRA's `init_lora_weights` that leave the base as it is, beside True and False.

PiSSA, OLoRA, CorDA and LoftQ change the base's weights each time that they are loaded.
"""


def load_run(
    record: RunRecord, folder: RunFolder, base: ModelSpec | None = None
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load what a run left, on this machine's device and in evaluation mode, with its tokenizer.

    ``base`` replaces the record's base model, for a record from another machine. The weights are fp32,
    whatever the run computed in; `for_generation` rounds them. Raises UserError if a trained run's weights
    are on another machine, or are not as they were saved.
    """
    spec = record.spec
    if not spec.is_base:
        folder.require_artifact()
        hashes.check_folder(folder.path, folder.artifact.name)
    return load_for_use(base or spec.model, folder.artifact, methods.quantization(spec.method))


def load_for_use(
    base: ModelSpec, artifact: Path | None = None, quantization: BitsAndBytesConfig | None = None
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load a base, or what training made of it, on this machine's device, in evaluation mode."""
    tokenizer = load_tokenizer(base)
    model = load_artifact(base, artifact, quantization) if artifact else load_base(base)
    return model.to(runtime.device()).eval(), tokenizer


def changes_base(adapter: PeftConfig) -> bool:
    """Whether loading an adapter may change the base model: its weights, its biases, or its layers."""
    start = getattr(adapter, "init_lora_weights", True)
    return (
        (isinstance(start, str) and start.lower() not in HARMLESS_STARTS)
        or getattr(adapter, "bias", "none") not in ("none", False, None)
        or bool(getattr(adapter, "layer_replication", None))
        or getattr(adapter, "kasa_config", None) is not None
    )


def saves_base_weights(model: PreTrainedModel) -> bool:
    """Whether `save_artifact` writes weights of the base: a whole model's, or a layer's that peft adds.

    peft saves the embedding or the head beside an adapter that targets it by name.
    """
    from peft.utils.constants import EMBEDDING_LAYER_NAMES

    configs = getattr(model, "peft_config", None)
    if configs is None:
        return True
    targets = [getattr(config, "target_modules", None) or () for config in configs.values()]
    return any(name in names for names in targets for name in EMBEDDING_LAYER_NAMES)  # as peft looks for them


def for_generation(model: PreTrainedModel, precision: str) -> PreTrainedModel:
    """Round the weights to bf16 in place if ``precision`` is bf16: else each token would cast them again.

    ``precision`` may be `auto`: what the hardware computes in.
    """
    import torch

    if resolve_precision(precision) == "bf16":
        model.to(torch.bfloat16)
    return model


def load_artifact(
    spec: ModelSpec, artifact: Path, quantization: BitsAndBytesConfig | None = None
) -> PreTrainedModel:
    """Load a run's own weights, the base with its adapter, or the untouched base if there is no artifact."""
    if not artifact.is_dir():
        return load_to_read(spec)
    if not (artifact / "adapter_config.json").is_file():
        saved = {"hub": None, "package": None, "gguf": (), "folder": str(artifact)}
        return load_base(spec.model_copy(update=saved))
    from peft import PeftModel

    base = load_base(spec, quantization=quantization) if quantization else load_under(spec, artifact)
    return PeftModel.from_pretrained(base, artifact)


def save_artifact(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    artifact: Path,
    gathered: dict[str, Any] | None = None,
) -> int:
    """Write weights (or adapter) and tokenizer, whole or not at all; return the bytes of the weights.

    ``gathered`` are the weights if the model itself holds but a shard of each. An adapter's configuration
    names its base by an absolute path or a hub id, so that peft loads it from any folder.
    """
    _make_portable(model)
    with whole_folder(artifact) as unfinished:
        model.save_pretrained(unfinished, state_dict=gathered)
        tokenizer.save_pretrained(unfinished)
    return sum(file.stat().st_size for file in artifact.rglob("*.safetensors"))


def _make_portable(model: Any) -> None:
    for config in getattr(model, "peft_config", {}).values():
        base = config.base_model_name_or_path
        if base and Path(base).exists():
            config.base_model_name_or_path = str(Path(base).resolve())
        for field in ("target_modules", "exclude_modules", "modules_to_save"):
            modules = getattr(config, field, None)
            if isinstance(modules, set | list | tuple):  # peft's sets have another order in each process
                setattr(config, field, sorted(modules))
