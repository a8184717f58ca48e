"""Loads a base model and its tokenizer, always in fp32 and always the same way; saves and reloads a run."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.errors import UserError
from toolkit.models.locate import first_line, local_folder
from toolkit.specs import ModelSpec

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
        raise UserError(
            f"model {spec.name}: its tokenizer names no end-of-text token: set "
            '"eos_token" in its tokenizer_config.json'
        )
    return tokenizer


def load_base(
    spec: ModelSpec, dropout: float = 0.0, quantization: BitsAndBytesConfig | None = None
) -> PreTrainedModel:
    """The base in fp32, whatever it was saved in, with ``dropout`` everywhere the architecture has one.

    fp32 masters for every method: transformers would otherwise take the checkpoint's dtype, which gives full
    fine-tuning pure bf16 and adapters fp32. With ``quantization`` its linear layers are few-bit and frozen.
    """
    import torch
    from transformers import AutoModelForCausalLM

    folder = local_folder(spec)
    config = _configuration(spec, folder)
    set_dropout(config, dropout)
    try:
        model, loading = AutoModelForCausalLM.from_pretrained(
            folder,
            config=config,
            dtype=torch.float32,
            quantization_config=quantization,
            use_safetensors=None if spec.allow_pickle else True,
            trust_remote_code=spec.trust_remote_code,
            output_loading_info=True,
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
    if missing := sorted(loading["missing_keys"]):
        raise UserError(
            f"model {spec.name}: the checkpoint lacks {len(missing)} of a {config.model_type}'s weights "
            f"({missing[0]}, …), which would start at random. Was it saved without its language-model head?"
        )
    if quantization is None:  # bitsandbytes packs its weights anew at the first pass, and again for training
        _refuse_unless_causal(model, spec)
    # An end-of-text token that doubles as padding is learned like any other; the padding itself never is.
    model.get_input_embeddings().padding_idx = None
    return model


def context(model: PreTrainedModel) -> int | None:
    """How many tokens the model takes at once; None where its positions have no limit (ALiBi, Mamba)."""
    config = model.config.get_text_config()
    limits = (getattr(config, name, None) for name in ("max_position_embeddings", "max_seq_len"))
    return next((limit for limit in limits if limit), None)


def refuse_beyond_context(model: PreTrainedModel, setting: str, longest: int) -> None:
    """Raise UserError where a document of ``longest`` tokens does not fit; lowering ``setting`` helps."""
    room = context(model)
    if room and longest > room + 1:  # the last token is predicted and never read
        raise UserError(
            f"a document of {longest} tokens is longer than the {room} that this {model.config.model_type} "
            f"takes: lower {setting}"
        )


def _configuration(spec: ModelSpec, folder: Path) -> PretrainedConfig:
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(folder, trust_remote_code=spec.trust_remote_code)
    except (ValueError, KeyError, OSError) as error:
        if "trust_remote_code" in str(error):
            raise UserError(
                f"model {spec.name}: it comes with Python code of its own, which would run on this machine; "
                "if you trust it, add `trust_remote_code: true` to the model's entry"
            ) from error
        raise UserError(f"model {spec.name}: cannot read its config.json: {first_line(error)}") from error


def _refuse_unless_causal(model: PreTrainedModel, spec: ModelSpec) -> None:
    """Encoders load with a head for next tokens too, and would see the token that they are to predict."""
    import torch

    ids = torch.arange(2, 10, device=model.device)[None] % model.get_input_embeddings().weight.shape[0]
    other = ids.clone()
    other[0, -1] = ids[0, 0]
    training = model.training
    model.eval()
    with torch.no_grad():
        before, after = (model(input_ids=x, use_cache=False).logits[:, :-1] for x in (ids, other))
    model.train(training)
    if not torch.allclose(before, after, rtol=1e-4, atol=1e-5 * float(before.abs().max())):
        raise UserError(
            f"model {spec.name}: a {model.config.model_type} is not causal here: what it says of a token "
            "changes with the tokens after it"
        )


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


def save_artifact(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    artifact: Path,
    gathered: dict[str, Any] | None = None,
) -> int:
    """Write weights (or adapter) and tokenizer, whole or not at all; returns the bytes of the weights.

    ``gathered`` are the weights where the model itself holds but a shard of each.
    """
    unfinished = artifact.with_name(artifact.name + ".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    model.save_pretrained(unfinished, state_dict=gathered)
    tokenizer.save_pretrained(unfinished)
    shutil.rmtree(artifact, ignore_errors=True)
    unfinished.rename(artifact)
    return sum(file.stat().st_size for file in artifact.rglob("*.safetensors"))
