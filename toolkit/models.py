"""Loads a base model and its tokenizer, always in fp32 and always the same way; saves and reloads a run."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.errors import UserError
from toolkit.specs import ModelSpec
from toolkit.weights import first_line, local_folder

if TYPE_CHECKING:
    from transformers import BitsAndBytesConfig, PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase


def load_tokenizer(spec: ModelSpec) -> PreTrainedTokenizerBase:
    """The base's tokenizer. It must be a fast one (sections are told apart by character offsets)."""
    from transformers import AutoTokenizer

    folder = local_folder(spec)
    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=spec.trust_remote_code)
    if not tokenizer.is_fast:
        raise UserError(f"model {spec.name}: its tokenizer gives no character offsets (it is not a fast one)")
    if tokenizer.eos_token_id is None:
        raise UserError(f"model {spec.name}: its tokenizer names no end-of-text token (eos_token); add one")
    return tokenizer


def load_base(
    spec: ModelSpec, dropout: float = 0.0, quantization: BitsAndBytesConfig | None = None
) -> PreTrainedModel:
    """The base in fp32, whatever it was saved in, with ``dropout`` everywhere the architecture has one.

    fp32 masters for every method: transformers would otherwise take the checkpoint's dtype, which gives full
    fine-tuning pure bf16 and adapters fp32. With ``quantization`` its linear layers are few-bit and frozen.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    folder = local_folder(spec)
    config = AutoConfig.from_pretrained(folder, trust_remote_code=spec.trust_remote_code)
    set_dropout(config, dropout)
    try:
        return AutoModelForCausalLM.from_pretrained(
            folder,
            config=config,
            dtype=torch.float32,
            quantization_config=quantization,
            use_safetensors=None if spec.allow_pickle else True,
            trust_remote_code=spec.trust_remote_code,
        )
    except OSError as error:
        if not list(folder.glob("*.safetensors")) and not spec.allow_pickle:
            raise UserError(
                f"model {spec.name}: it has no safetensors file. A pickle checkpoint can run code as it "
                "loads; if you trust it, add `allow_pickle: true` to the model's entry"
            ) from error
        raise UserError(f"model {spec.name}: cannot load its weights: {first_line(error)}") from error
    except ValueError as error:
        if "AutoModelForCausalLM" in str(error):
            raise UserError(
                f"model {spec.name}: a {config.model_type} has no causal language-model head"
            ) from error
        raise UserError(f"model {spec.name}: cannot load: {first_line(error)}") from error


def set_dropout(config: PretrainedConfig, rate: float) -> None:
    """Give every dropout this rate, whatever the configuration calls it. No layer is ever dropped whole."""
    from huggingface_hub.errors import StrictDataclassFieldValidationError

    for name, value in list(vars(config).items()):
        if hasattr(value, "model_type"):
            set_dropout(value, rate)
        elif "drop" in name and isinstance(value, float | int) and not isinstance(value, bool):
            asked = 0.0 if "layerdrop" in name else rate
            try:
                if value != asked:
                    setattr(config, name, asked)
            except StrictDataclassFieldValidationError as error:
                raise UserError(
                    f"train.dropout={rate}: {type(config).__name__} takes no such {name}; leave it at 0"
                ) from error


def load_artifact(
    spec: ModelSpec, artifact: Path, quantization: BitsAndBytesConfig | None = None
) -> PreTrainedModel:
    """What a run left: its own weights, the base with its adapter on, or the untouched base."""
    if not artifact.is_dir():
        return load_base(spec)
    if not (artifact / "adapter_config.json").is_file():
        saved = {"hub": None, "package": None, "gguf": (), "folder": str(artifact)}
        return load_base(spec.model_copy(update=saved))
    from peft import PeftModel

    return PeftModel.from_pretrained(load_base(spec, quantization=quantization), artifact)


def save_artifact(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, artifact: Path) -> int:
    """Write weights (or adapter) and tokenizer, whole or not at all; returns the bytes of the weights."""
    unfinished = artifact.with_name(artifact.name + ".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    model.save_pretrained(unfinished)
    tokenizer.save_pretrained(unfinished)
    shutil.rmtree(artifact, ignore_errors=True)
    unfinished.rename(artifact)
    return sum(file.stat().st_size for file in artifact.rglob("*.safetensors"))
