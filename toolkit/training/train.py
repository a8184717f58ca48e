"""The one training path: a run's spec and texts -> saved weights and a record, over transformers' Trainer."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from contextlib import nullcontext
from importlib import metadata
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from toolkit import runtime
from toolkit.data.conversations.template import set_template
from toolkit.errors import UserError
from toolkit.events import Listener, PhaseStarted
from toolkit.models import artifact as artifact_files
from toolkit.models import load, locate, methods
from toolkit.models.precision import resolve_precision
from toolkit.records import Costs, RunRecord
from toolkit.records.folders import RunFolder
from toolkit.records.run import forget_conversions, forget_run, seal_run
from toolkit.specs import RunSpec
from toolkit.training.fit import Fitted, costs_of, fit, prepare_data


def train(
    spec: RunSpec,
    train_texts: Sequence[str],
    validation_texts: Sequence[str],
    end_marker: str,
    folder: RunFolder,
    *,
    progress: Listener,
    checkpoint_seconds: float = 120,
    report_to: Sequence[str] = (),
) -> RunRecord:
    """Train a run, or continue from its last checkpoint; write its weights, `steps.jsonl` and `run.json`.

    ``report_to`` are trackers, by transformers' names. If several processes train one run, each calls this
    and the first one writes. A run that is killed and started again ends with the same weights as one that
    was never killed, bit for bit on the CPU; in another precision or on another device it starts from its
    beginning. Raises UserError for settings that this base or machine refuses.
    """
    precision = resolve_precision(spec.train.precision)
    began = time.perf_counter()
    if runtime.rank() == 0:
        forget_run(folder)
        forget_conversions(folder)
    progress(PhaseStarted(phase="loading"))
    model, tokenizer = _prepare_model(spec)
    trainable, total = methods.parameter_counts(model)
    costs = {
        "load_seconds": time.perf_counter() - began,
        "trainable_parameters": trainable,
        "total_parameters": total,
    }
    computed = _validation_precision(spec, precision)
    masters = f"{precision} compute, {_dtypes(model)} weights, {computed} validation"
    fitted = data = None
    if not spec.is_base:
        data = prepare_data(spec, train_texts, validation_texts, end_marker, model, tokenizer, folder)
        fitted = fit(spec, data, model, tokenizer, precision, folder, progress, checkpoint_seconds, report_to)
        costs |= costs_of(fitted, data.totals)
        if not spec.train.sharded:  # LoRA-FA's optimizer has frozen half of its adapter
            costs["trainable_parameters"] = methods.parameter_counts(model)[0]
    best = fitted is not None and fitted.diverged is None and fitted.monitor.best.restore(model)
    if fitted is not None:
        costs |= _save(fitted, model, tokenizer, folder, progress)
    record = RunRecord(
        run_id=spec.run_id,
        spec=spec,
        status="diverged" if fitted and fitted.diverged else "finished",
        diverged=fitted and fitted.diverged,
        validation_bits_per_byte=fitted and (fitted.monitor.best.bits if best else fitted.monitor.last_bits),
        kept_step=fitted and (fitted.monitor.best.step if best else fitted.trainer.state.global_step),
        data=data and data.counts,
        costs=Costs(**costs),
        precision=masters,
        environment=_environment(spec, model),
    )
    if runtime.rank() == 0:
        seal_run(record, folder)
        shutil.rmtree(folder.checkpoints, ignore_errors=True)
    return record


def _prepare_model(spec: RunSpec) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load the base and make the method's weights trainable."""
    runtime.prepare(spec.seed)
    tokenizer = load.load_tokenizer(spec.model)
    set_template(tokenizer, spec.dataset.format if spec.dataset else None)
    model = load.load_base(spec.model, spec.train.dropout, methods.quantization(spec.method))
    runtime.prepare(spec.seed)  # again: an adapter's random start must not depend on what loading drew
    model = methods.apply(model, spec.method).to(runtime.device())
    if not spec.is_base and not methods.parameter_counts(model)[0]:
        raise UserError(f"method {spec.method.name}: it has a learning rate and no trainable weight")
    return model, tokenizer


def _save(
    fitted: Fitted,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    folder: RunFolder,
    progress: Listener,
) -> dict[str, Any]:
    """Save the artifact of a run that has not diverged; return the fields of Costs that this adds."""
    began = time.perf_counter()
    size = None
    if fitted.diverged is None:
        gathered = fitted.trainer.gathered()  # every process takes part, and the first one has the result
        if runtime.rank() == 0:
            progress(PhaseStarted(phase="saving"))
            with fitted.exact or nullcontext():
                size = artifact_files.save_artifact(model, tokenizer, folder.artifact, gathered)
    seconds = fitted.monitor.clock.save + time.perf_counter() - began
    return {"artifact_bytes": size, "save_seconds": seconds}


def _environment(spec: RunSpec, model: PreTrainedModel) -> dict[str, Any]:
    environment = {
        **runtime.environment(),
        "base_revision": locate.revision(spec.model),
        "attention": getattr(model.config, "_attn_implementation", None),
    }
    if spec.method.quantization:
        environment["quantized_by"] = f"bitsandbytes {metadata.version('bitsandbytes')}"
    return environment


def _validation_precision(spec: RunSpec, precision: str) -> str:
    """What validation is computed in: sharded weights only ever compute in the run's own precision."""
    return precision if spec.train.sharded else spec.train.validation_precision


def _dtypes(model: torch.nn.Module) -> str:
    """Return the dtypes of the trainable weights, or of all if none is: `fp32`, `bf16/fp32`."""
    weights = [w for w in model.parameters() if w.requires_grad] or list(model.parameters())
    return "/".join(sorted({str(w.dtype).removeprefix("torch.").replace("float", "fp") for w in weights}))
