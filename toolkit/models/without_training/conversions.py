"""Convert what another run left: to LoRA, into its base, to bf16, or to random weights of its size."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.errors import UserError, one_line
from toolkit.models import artifact, probe
from toolkit.models.load import load_base
from toolkit.models.without_training.elsewhere import ADAPTER_FILES, check_adapter, write_record
from toolkit.records import Costs, RunRecord
from toolkit.records.files import whole_folder
from toolkit.records.folders import RunFolder
from toolkit.records.run import forget_run
from toolkit.specs import RunSpec

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

CONFIG, WEIGHTS = ADAPTER_FILES
MERGED_ALIKE = 1e-3
"""Difference of logits over the largest one, below which a merged model is the adapted one: rounding takes
about 1e-5 in fp32."""


@dataclass(frozen=True, kw_only=True)
class _Source:
    """What is converted, and how."""

    spec: RunSpec
    """Of the run that is made."""
    artifact: Path
    model: PreTrainedModel
    owner: str
    """Begins every message: the method and the run that it converts."""


def convert(spec: RunSpec, folder: RunFolder, source: RunFolder) -> RunRecord:
    """Convert ``source``'s weights into the run's artifact and write its record; unknown costs are None.

    Raises UserError if the source has not finished, if its weights are on another machine, or if they can't
    be converted in this way.
    """
    owner = f"method {spec.method.name}: {spec.converts}"
    forget_run(folder)
    if not source.record.is_file():
        raise UserError(f"{owner} has not finished: there is nothing to convert")
    before = RunRecord.read(source.record)
    if before.status != "finished":
        raise UserError(f"{owner} {before.status}: there is nothing to convert")
    if before.spec.method.quantization:
        raise UserError(f"{owner} has a quantised base, whose adapter is not converted")
    model, _ = artifact.load_run(before, source, base=spec.model)
    given = _Source(spec=spec, artifact=source.artifact, model=model, owner=owner)
    with whole_folder(folder.artifact) as target:
        trainable = _WAYS[str(spec.method.to)](given, target)
    costs = before.costs
    total = costs.total_parameters
    if total is not None:  # of the base alone, and then of what was added to it
        total -= (costs.trainable_parameters or 0) if (source.artifact / CONFIG).is_file() else 0
        total += trainable or 0
    return write_record(
        spec,
        folder,
        Costs(
            trainable_parameters=trainable,
            total_parameters=total,
            artifact_bytes=sum(file.stat().st_size for file in folder.artifact.glob("*.safetensors")),
        ),
    )


def require_merging(model: Any, owner: str) -> None:
    """Raise UserError, beginning with ``owner``, if an adapter's type has no merged form."""
    if getattr(model, "merge_and_unload", None) is None:
        raise UserError(f"{owner}: {type(model.active_peft_config).__name__} can't be merged")


def merge_adapter(model: Any, owner: str) -> PreTrainedModel:
    """Return the base with its adapter merged. Raises UserError, beginning with ``owner``, if it can't be."""
    require_merging(model, owner)
    ids = probe.token_ids(model)
    before = probe.logits(model, ids)
    try:
        merged: PreTrainedModel = model.merge_and_unload(safe_merge=True)
    except (AttributeError, NotImplementedError, ValueError, TypeError) as error:
        raise UserError(f"{owner}: peft can't merge this adapter: {one_line(error)}") from error
    apart = float((probe.logits(merged, ids) - before).abs().max() / before.abs().max())
    if not apart < MERGED_ALIKE:
        raise UserError(
            f"{owner}: merged, the model is another one (its logits differ by {apart:.1%} of the largest). "
            "An adapter on an embedding that is the output head too can't be merged: it would change both"
        )
    return merged


def random_like(weights: dict[str, torch.Tensor], seed: int) -> dict[str, torch.Tensor]:
    """Return normal noise with each weight's shape, dtype and Euclidean norm; whole numbers as they are."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    drawn = {}
    for name in sorted(weights):
        weight = weights[name]
        drawn[name] = weight
        if weight.is_floating_point() and weight.numel():
            noise = torch.randn(weight.shape, generator=generator, dtype=torch.float64)
            drawn[name] = (noise * (weight.double().norm() / noise.norm())).to(weight.dtype)
    return drawn


def _require_adapter(source: _Source, what: str) -> None:
    if not (source.artifact / CONFIG).is_file():
        raise UserError(f"{source.owner} left no adapter: there is nothing {what}")


def _require_own_base(source: _Source) -> None:
    """Raise UserError for an adapter that, once loaded, stands on another base than the untouched one."""
    if artifact.changes_base(source.model.peft_config["default"]):
        raise UserError(
            f"{source.owner}: loading this adapter changes weights of its base, and what is made here would "
            "stand on the untouched one: convert it `to: merged`"
        )


def _merged(source: _Source, target: Path) -> None:
    _require_adapter(source, "to merge")
    merge_adapter(source.model, source.owner).save_pretrained(target)


def _bf16(source: _Source, target: Path) -> None:
    import torch

    model = source.model
    if (source.artifact / CONFIG).is_file():
        model = merge_adapter(model, source.owner)
    model.to(torch.bfloat16)
    model.save_pretrained(target)


def _lora(source: _Source, target: Path) -> int:
    import peft
    from safetensors.torch import save_file

    _require_adapter(source, "to convert")
    _require_own_base(source)
    if getattr(source.model.peft_config["default"], "lora_bias", False):
        raise UserError(f"{source.owner}: lora_bias: true trains biases, which peft's conversion leaves out")
    converter = getattr(peft, "convert_to_lora", None)
    if converter is None:
        raise UserError(f"{source.owner}: peft {peft.__version__} has no convert_to_lora: update peft")
    try:
        config, weights = converter(source.model, rank=source.spec.method.rank)
    except (TypeError, ValueError, AttributeError, NotImplementedError, RuntimeError) as error:
        raise UserError(f"{source.owner}: peft can't convert this adapter: {one_line(error)}") from error
    config.task_type = "CAUSAL_LM"
    for field in ("target_modules", "exclude_modules"):
        modules = getattr(config, field)
        if isinstance(modules, set):  # in another order in each process
            setattr(config, field, sorted(modules) or None)
    config.save_pretrained(str(target))
    save_file({name: weight.contiguous().cpu() for name, weight in weights.items()}, target / WEIGHTS)
    return check_adapter(target, load_base(source.spec.model), f"{source.owner} converted does not load")


def _random(source: _Source, target: Path) -> int:
    from safetensors.torch import load_file, save_file

    _require_adapter(source, "to draw the like of")
    _require_own_base(source)
    weights = random_like(load_file(source.artifact / WEIGHTS), source.spec.seed)
    shutil.copyfile(source.artifact / CONFIG, target / CONFIG)
    save_file(weights, target / WEIGHTS, metadata={"format": "pt"})
    return sum(weight.numel() for weight in weights.values())


_WAYS: dict[str, Callable[[_Source, Path], int | None]] = {
    "lora": _lora,
    "merged": _merged,
    "bf16": _bf16,
    "random": _random,
}
