"""Load a base model and its tokenizer, always in fp32 and always the same way."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit import runtime
from toolkit.errors import UserError, first_line, readable
from toolkit.models import probe
from toolkit.models.locate import local_folder, tokenizer_folder
from toolkit.specs import ModelSpec

if TYPE_CHECKING:
    from transformers import BitsAndBytesConfig, PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

LIMITS = {
    **dict.fromkeys(("num_hidden_layers", "n_layer", "n_layers", "num_layers"), 2_000),
    **dict.fromkeys(("hidden_size", "n_embd", "d_model", "intermediate_size", "n_inner"), 1_000_000),
    "vocab_size": 10_000_000,
}
"""Fields of config.json, and values beyond every published model's."""
_kept: dict[str, PreTrainedModel] = {}
"""A specification as JSON -> its model; one at most."""
TOKENIZER_FILES = ("tokenizer*", "vocab*", "*.model", "merges.txt", "*.tiktoken", "tokenization*.py")


def load_tokenizer(spec: ModelSpec) -> PreTrainedTokenizerBase:
    """Load the base's tokenizer. Raises UserError if it is damaged, or gives no character offsets."""
    from transformers import AutoTokenizer

    folder = tokenizer_folder(spec)
    if not any(list(folder.glob(pattern)) for pattern in TOKENIZER_FILES):  # else it would be an empty one
        raise UserError(
            f"model {spec.name}: no tokenizer in folder '{folder}': name the folder or Hub id of one as "
            "`tokenizer` in the model's entry"
        )
    if (folder / "tokenizer.json").is_file():
        read_object(folder / "tokenizer.json", f"model {spec.name}")
    with readable(f"model {spec.name}: cannot load its tokenizer"):
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=spec.trust_remote_code)
    if not tokenizer.is_fast:
        raise UserError(f"model {spec.name}: its tokenizer gives no character offsets (it is not a fast one)")
    if tokenizer.eos_token_id is None:
        raise UserError(
            f"model {spec.name}: its tokenizer names no end-of-text token: set "
            '"eos_token" in its tokenizer_config.json'
        )
    if spec.tokenizer:
        _refuse_larger_vocabulary(spec, len(tokenizer))
    return tokenizer


def _refuse_larger_vocabulary(spec: ModelSpec, tokens: int) -> None:
    """Raise UserError if the tokenizer has ids that the model has no embedding for."""
    config = read_object(local_folder(spec) / "config.json", f"model {spec.name}")
    text = config.get("text_config")
    size = (text if isinstance(text, dict) else config).get("vocab_size")
    if isinstance(size, int) and tokens > size:
        raise UserError(
            f"model {spec.name}: tokenizer '{spec.tokenizer}' has {tokens} tokens, and the model's "
            f"vocabulary {size}: it is another model's"
        )


def load_base(
    spec: ModelSpec, dropout: float = 0.0, quantization: BitsAndBytesConfig | None = None
) -> PreTrainedModel:
    """Load the base in fp32, whatever it was saved in, with ``dropout`` wherever the architecture has one.

    fp32 masters for every method: transformers would otherwise take the checkpoint's dtype, which gives full
    fine-tuning pure bf16 and adapters fp32. With ``quantization`` its linear layers are few-bit and frozen.
    Raises UserError for weights that were saved quantised.
    """
    import torch
    from transformers import AutoModelForCausalLM

    folder = local_folder(spec)
    config = _configuration(spec, folder)
    if getattr(config, "quantization_config", None):
        raise UserError(
            f"model {spec.name}: its weights were saved quantised, and a comparison starts from fp32: take "
            "the model as it was before. A method can quantise it: `quantization: {load_in_4bit: true}`"
        )
    if not set_dropout(config, dropout) and dropout:
        raise UserError(f"train.dropout={dropout}: a {config.model_type} has no dropout; leave it at 0")
    if not list(folder.glob("*.safetensors")) and not spec.allow_pickle:
        raise UserError(
            f"model {spec.name}: it has no safetensors file. A pickle checkpoint can run code as it "
            "loads; if you trust it, add `allow_pickle: true` to the model's entry"
        )
    with readable(f"model {spec.name}: cannot load its weights"):
        model, loading = AutoModelForCausalLM.from_pretrained(
            folder,
            config=config,
            dtype=torch.float32,
            quantization_config=quantization,
            use_safetensors=None if spec.allow_pickle else True,
            trust_remote_code=spec.trust_remote_code,
            output_loading_info=True,
        )
    probe.refuse_missing(f"model {spec.name}: the checkpoint", model, loading)
    for layer in model.modules():
        # Else a 4-bit layer on such a CPU is repacked, as it is first evaluated, for a kernel that computes
        # in bf16 whatever the precision, refuses some widths and passes no gradient back.
        if hasattr(layer, "support_avx512bf16_for_cpu"):
            layer.support_avx512bf16_for_cpu = False
    if quantization is None:  # a quantised base is the same model, checked without
        _refuse_unless_causal(model, spec)
    # An end-of-text token that doubles as padding is learned like any other; the padding itself never is.
    model.get_input_embeddings().padding_idx = None
    return model


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


def load_under(spec: ModelSpec, adapter: Path) -> PreTrainedModel:
    """Return the base for a saved adapter, in fp32: `load_to_read`, unless loading it changes the weights.

    peft subtracts an OLoRA's start from the base's weights in place, each time that one is loaded.
    """
    path = adapter / "adapter_config.json"
    start = read_object(path, str(adapter)).get("init_lora_weights") if path.is_file() else None
    return load_base(spec) if str(start).lower() == "olora" else load_to_read(spec)


def _sharing(model: PreTrainedModel) -> PreTrainedModel:
    """Copy a model's modules; the parameters are new ones with the same memory, tied where they were."""
    import torch

    shared = {
        id(weight): torch.nn.Parameter(weight.detach(), requires_grad=weight.requires_grad)
        for weight in model.parameters()
    }
    return copy.deepcopy(model, shared)


def _configuration(spec: ModelSpec, folder: Path) -> PretrainedConfig:
    """Read config.json. Raises UserError if it is damaged, needs code of its own, or is of no causal LM."""
    from transformers import CONFIG_MAPPING, MODEL_FOR_CAUSAL_LM_MAPPING, AutoConfig

    written = read_object(folder / "config.json", f"model {spec.name}")
    _refuse_absurd_sizes(spec, written)
    remote = written.get("auto_map")
    if remote and written.get("model_type") not in CONFIG_MAPPING and not spec.trust_remote_code:
        raise UserError(
            f"model {spec.name}: it comes with Python code of its own, which would run on this machine; "
            "if you trust it, add `trust_remote_code: true` to the model's entry"
        )
    with readable(f"model {spec.name}: cannot read its config.json"):
        config = AutoConfig.from_pretrained(folder, trust_remote_code=spec.trust_remote_code)
    if type(config) not in MODEL_FOR_CAUSAL_LM_MAPPING and not remote:
        raise UserError(f"model {spec.name}: a {config.model_type} has no causal language-model head")
    return config


def read_object(path: Path, owner: str) -> dict[str, Any]:
    """Read a JSON file that holds an object. Raises UserError, beginning with ``owner``, for any other."""
    try:
        value = json.loads(path.read_bytes().decode("utf-8"))
    except OSError as error:
        raise UserError(f"{owner}: cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{owner}: cannot read {path.name}: it is not UTF-8") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{owner}: cannot read {path.name}: {first_line(error)}") from error
    if not isinstance(value, dict):
        raise UserError(f"{owner}: cannot read {path.name}: a {type(value).__name__} and no JSON object")
    return value


def _refuse_absurd_sizes(spec: ModelSpec, config: Mapping[str, Any]) -> None:
    """Raise UserError for layers or widths that no model has, before minutes go into building it."""
    for part in (config, config.get("text_config")):
        for name, limit in LIMITS.items():
            value = part.get(name) if isinstance(part, dict) else None
            if isinstance(value, int | float) and value > limit:
                raise UserError(
                    f"model {spec.name}: its config.json has {name}={value}: no more than {limit}"
                )


def _refuse_unless_causal(model: PreTrainedModel, spec: ModelSpec) -> None:
    """Raise UserError if a token's logits depend on later tokens: encoders load with a causal head too."""
    import torch

    ids = probe.token_ids(model)
    other = ids.clone()
    other[0, -1] = ids[0, 0]
    before, after = (probe.logits(model, x)[:, :-1] for x in (ids, other))
    if not torch.isfinite(before).all():
        raise UserError(f"model {spec.name}: its logits are not finite: are its weights damaged?")
    if not torch.allclose(before, after, rtol=1e-4, atol=1e-5 * float(before.abs().max())):
        raise UserError(
            f"model {spec.name}: a {model.config.model_type} is not causal here: its logits for a token "
            "change with the tokens after it"
        )


def set_dropout(config: PretrainedConfig, rate: float) -> int:
    """Set every dropout rate, whatever the configuration calls it; return how many there are.

    No layer is ever dropped whole.
    """
    from huggingface_hub.errors import StrictDataclassFieldValidationError

    rates = 0
    for name, value in list(vars(config).items()):
        if hasattr(value, "model_type"):
            rates += set_dropout(value, rate)
        elif "drop" in name and isinstance(value, float | int) and not isinstance(value, bool):
            wanted = 0.0 if "layerdrop" in name else rate
            rates += "layerdrop" not in name
            try:
                if value != wanted:
                    setattr(config, name, wanted)
            except StrictDataclassFieldValidationError as error:
                raise UserError(
                    f"train.dropout={rate}: {type(config).__name__} takes no such {name}; leave it at 0"
                ) from error
    return rates
