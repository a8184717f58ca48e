"""Which weights train, and how: patterns of the base's own names, or any adapter that peft knows."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import fields
from fnmatch import fnmatchcase
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from toolkit.errors import UserError, nearest, one_line, readable, unknown_name
from toolkit.models import probe
from toolkit.specs import MethodSpec

if TYPE_CHECKING:
    import torch
    from transformers import BitsAndBytesConfig, PreTrainedModel

UNKNOWN_STEPS = 1_000_000_000
AFTER_WARM_UP = -1
SEEDS_OF_STRUCTURE = frozenset({"projection_prng_key", "random_loc_seed", "proj_seed", "projection_seed"})
"""Of VeRA, FourierFT, UniLoRA, TinyLoRA: by default what they draw and never train is one at every seed."""


_AS_PEFT_MATCHES: dict[str, Callable[[str, str], bool]] = {
    "target_modules": lambda name, module: f".{module}".endswith(f".{name}"),
    "modules_to_save": lambda name, module: module.endswith(name),
    "rank_pattern": lambda name, module: bool(re.match(rf"(.*\.)?({name})$", module)),
    "alpha_pattern": lambda name, module: bool(re.match(rf"(.*\.)?({name})$", module)),
}
"""Option of peft -> whether a name in it is that of a module."""


def apply(model: PreTrainedModel, method: MethodSpec) -> PreTrainedModel:
    """Make exactly the method's weights trainable; add its PEFT adapter if it has one.

    Raises UserError if a pattern or a target module matches nothing, or if peft refuses the options; the
    message then quotes peft.
    """
    if method.peft is not None:
        return _with_adapter(model, method)
    patterns = method.trainable or ()
    unused = set(patterns)
    model.requires_grad_(False)
    weights = probe.language_parameters(model)
    names = [name for name, _ in weights]
    for (_, weight), name, from_end in zip(weights, names, _counted_from_end(names), strict=True):
        hits = {
            pattern for pattern in patterns if fnmatchcase(name, pattern) or fnmatchcase(from_end, pattern)
        }
        weight.requires_grad_(bool(hits))
        unused -= hits
    if unused:
        raise UserError(
            f"method {method.name}: pattern '{sorted(unused)[0]}' matches no weight of a "
            f"{model.config.model_type} (there are {', '.join(names[:3])}, …)"
        )
    return model


def _counted_from_end(names: list[str]) -> list[str]:
    """Return the names with layers numbered from the end: `h.5.mlp` of six layers is `h.-1.mlp`."""
    numbered = [re.match(r"(.*?\.)(\d+)(\..*)", name) for name in names]
    layers: dict[str, int] = {}
    for match in filter(None, numbered):
        layers[match[1]] = max(layers.get(match[1], 0), int(match[2]) + 1)
    return [
        f"{match[1]}{int(match[2]) - layers[match[1]]}{match[3]}" if match else name
        for match, name in zip(numbered, names, strict=True)
    ]


def check_options(method: MethodSpec) -> None:
    """Raise UserError for an adapter type or option that peft does not know. Imports peft, and so torch."""
    if method.peft is None:
        return
    import peft
    from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING

    kind = str(method.peft["peft_type"]).upper()
    kinds = {str(known.value): config for known, config in PEFT_TYPE_TO_CONFIG_MAPPING.items()}
    if kind not in kinds:
        raise unknown_name("peft_type", kind, kinds)
    options = [field for field in kinds[kind].__dataclass_fields__ if field != "peft_type"]
    for name in method.peft:
        if name != "peft_type" and name not in options:
            raise unknown_name(
                f"option of {kind} in method {method.name} (peft {peft.__version__})", name, options
            )


def _with_adapter(model: PreTrainedModel, method: MethodSpec) -> PreTrainedModel:
    import peft
    import torch

    check_options(method)
    family = model.config.model_type
    options: dict[str, Any] = {"task_type": "CAUSAL_LM", **(method.peft or {})}
    kind = str(options["peft_type"]).upper()
    if (
        kind == "ADALORA"
    ):  # peft requires a number of steps; `adapters.callbacks` sets the run's own, and its warm-up
        options.setdefault("total_step", UNKNOWN_STEPS)
        options.setdefault("tinit", AFTER_WARM_UP)
    modules = [name for name, _ in model.named_modules()]
    beside = probe.modules_beside_language(model)  # of a vision tower, which text never reaches
    known = {field.name for field in fields(peft.PEFT_TYPE_TO_CONFIG_MAPPING[kind])}
    for seed in sorted(known.intersection(SEEDS_OF_STRUCTURE)):
        options.setdefault(seed, torch.initial_seed() % 2**31)
    if beside and "exclude_modules" in known:
        options.setdefault("exclude_modules", beside)
    with readable(f"method {method.name}: peft fails on these options"):
        try:
            config = peft.get_peft_config({**options, "peft_type": kind})
            adapted = peft.get_peft_model(model, config)
        except (ValueError, TypeError, KeyError, AttributeError, NotImplementedError, ImportError) as error:
            raise UserError(f"method {method.name}: {one_line(error)}") from error
    _refuse_unmatched(method, modules)
    if not any(weight.requires_grad for weight in adapted.parameters()):
        raise UserError(f"method {method.name}: {kind} trains nothing with these options on a {family}")
    _refuse_unless_it_runs(adapted, f"method {method.name}: {kind} cannot run on a {family}")
    return adapted


def _refuse_unmatched(method: MethodSpec, modules: Sequence[str]) -> None:
    """Raise UserError for a name in the adapter's options that is no module: peft needs only one that is."""
    options = method.peft or {}
    for option, matches in _AS_PEFT_MATCHES.items():
        names = options.get(option) or ()
        for name in () if isinstance(names, str) else names:
            if not any(matches(name, module) for module in modules):
                known = sorted({module.rpartition(".")[2] for module in modules if module})
                raise UserError(
                    f"method {method.name}: {option}: '{name}' is no module. {nearest(name, known)}"
                )


def _refuse_unless_it_runs(model: PreTrainedModel, message: str) -> None:
    """Raise UserError, beginning with ``message``, if a few tokens fail: some options show only now."""
    try:
        probe.logits(model, probe.token_ids(model))
    except (RuntimeError, ValueError, TypeError, AttributeError, NotImplementedError) as error:
        raise UserError(f"{message}: {one_line(error)}") from error


def quantization(method: MethodSpec) -> BitsAndBytesConfig | None:
    """Return how the base is quantised for this method; None for plain fp32 weights. Raises UserError."""
    if method.quantization is None:
        return None
    from transformers import BitsAndBytesConfig

    if find_spec("bitsandbytes") is None:
        raise UserError(
            f"method {method.name}: quantization needs bitsandbytes. "
            "Run `pip install 'bakeoff[quantization]'` in bakeoff's environment"
        )
    known = [name for name in inspect.signature(BitsAndBytesConfig).parameters if name != "kwargs"]
    for name in method.quantization:
        if name not in known:
            raise unknown_name("quantization option", name, known)
    try:
        config = BitsAndBytesConfig(**method.quantization)
    except (ValueError, TypeError, AttributeError) as error:
        raise UserError(f"method {method.name}: quantization: {one_line(error)}") from error
    if not (config.load_in_4bit or config.load_in_8bit):
        raise UserError(f"method {method.name}: quantization: set load_in_4bit or load_in_8bit to true")
    return config


def parameter_counts(model: PreTrainedModel) -> tuple[int, int]:
    """Return how many parameters train, and how many there are.

    Tied weights count once, packed ones as the numbers they hold, and those that text never reaches (a vision
    tower) not at all.
    """
    language = {id(weight) for _, weight in probe.language_parameters(model)}
    weights = [w for w in model.parameters() if w.requires_grad or id(w) in language]
    return sum(_count(w) for w in weights if w.requires_grad), sum(map(_count, weights))


def _count(weight: torch.nn.Parameter) -> int:
    # bitsandbytes packs two 4-bit numbers into each byte, stored as whatever dtype its settings name.
    return weight.numel() * (2 * weight.element_size() if type(weight).__name__ == "Params4bit" else 1)
