"""The one training path: a run's spec and texts -> saved weights and a record, over transformers' Trainer."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Sequence
from importlib import metadata

import torch
from transformers import PrinterCallback, Trainer, TrainingArguments
from transformers.integrations import get_reporting_integration_callbacks

from toolkit import runtime
from toolkit.data import batches as tokens
from toolkit.errors import UserError
from toolkit.events import Listener, PhaseStarted
from toolkit.models import load, methods
from toolkit.models import locate as weights
from toolkit.records import Costs, DataCounts, RunRecord
from toolkit.records.folders import RunFolder
from toolkit.specs import RunSpec
from toolkit.training import flops as counting
from toolkit.training import frozen_weights
from toolkit.training.monitor import DivergedError, Plan, Validation, Watch
from toolkit.training.trainer import FineTuner, arguments
from toolkit.training.validation import Best


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
    """Train a run, or go on with it from its last checkpoint; leaves weights, steps and `run.json`.

    ``report_to`` are trackers by transformers' names. Where several processes train one run each calls this,
    and the first one writes. Killed and started again it ends with the same weights as never killed, bit for
    bit on the CPU.
    """
    runtime.prepare(spec.seed)
    precision = runtime.resolve_precision(spec.train.precision)
    began = time.perf_counter()
    progress(PhaseStarted(phase="loading"))
    tokenizer = load.load_tokenizer(spec.model)
    # Seeded again right before: an adapter's random start must not depend on what loading drew.
    model = load.load_base(spec.model, spec.train.dropout, methods.quantization(spec.method))
    runtime.prepare(spec.seed)
    model = methods.apply(model, spec.method).to(runtime.device())
    load_seconds = time.perf_counter() - began
    trainable, total = methods.parameter_counts(model)
    costs = Costs(load_seconds=load_seconds, trainable_parameters=trainable, total_parameters=total)
    environment = {**runtime.environment(), "base_revision": weights.revision(spec.model)}
    if spec.method.quantization:
        environment["quantized_by"] = f"bitsandbytes {metadata.version('bitsandbytes')}"
    masters = f"{precision} compute, {_dtypes(model)} weights"
    if not trainable:
        record = RunRecord(
            run_id=spec.run_id,
            spec=spec,
            status="finished",
            validation_bits_per_byte=None,
            data=None,
            costs=costs,
            precision=masters,
            environment=environment,
        )
        record.write(folder.record)
        return record

    kept = folder.path.parent / ".data"
    rows = tokens.encode_once(train_texts, tokenizer, spec.train.max_length, kept)
    lengths = [len(row) for row in rows.ids]
    load.refuse_beyond_context(model, "train.max_length", max(lengths))
    batches = tokens.training_batches(
        lengths,
        spec.train.batch_tokens,
        epochs=spec.train.epochs,
        seed=spec.seed,
        packing=spec.train.packing,
    )
    plan = Plan.of(rows.ids, batches, spec.train.accumulate)
    counts = DataCounts(
        documents=len(rows.ids),
        left_out_too_long=rows.too_long,
        tokens=rows.supervised,
        padding_share=0.0 if spec.train.packing else tokens.padding_share(lengths, batches),
        stream_hash=tokens.stream_hash(rows.ids, batches),
        end_labels=tokens.end_label_share(rows.ids, tokenizer, end_marker),
    )
    validation = Validation(validation_texts, tokenizer, spec.train.batch_tokens, precision)
    load.refuse_beyond_context(model, "data.max_characters", validation.longest)
    checkpoint = folder.last_checkpoint
    watch = Watch(
        folder,
        plan,
        validations=spec.train.validations,
        resumed_from=checkpoint,
        checkpoint_seconds=checkpoint_seconds,
        progress=progress,
        best=Best(spec.train, folder.checkpoints),
    )
    tuner = FineTuner(
        model=model,
        args=_settings(spec, folder, plan.steps, precision, report_to),
        train_dataset=rows.ids,
        processing_class=tokenizer,
        batches=batches,
        validation=validation,
        watch=watch,
        precision=precision,
        spec=spec,
        callbacks=[*methods.callbacks(model, plan.steps), watch],
    )
    tuner.remove_callback(PrinterCallback)
    flops = peak = None
    if not spec.train.distributed:
        frozen_weights.keep_in_compute_precision(model, precision)
        peak = counting.peak_per_second(runtime.device(), precision)
        flops = counting.per_position(model, tuner.next_token, rows.ids[batches[0][0]], precision)
        runtime.prepare(spec.seed)  # as if nothing had been counted
    progress(PhaseStarted(phase="training", resumed=checkpoint is not None))
    diverged = _fit(tuner, str(checkpoint) if checkpoint else None, spec)
    allocated, reserved = runtime.cuda_peaks()
    costs = costs.model_copy(
        update={
            "steps": tuner.state.global_step,
            "train_seconds": watch.clock.train,
            "validate_seconds": watch.clock.validate,
            "interruptions": watch.clock.interruptions,
            "supervised_tokens_per_second": plan.tokens[tuner.state.global_step]
            / max(watch.clock.train, 1e-9),
            "peak_memory_bytes": runtime.summed(runtime.peak_memory_bytes()),
            "flops": None if flops is None else flops * plan.positions[tuner.state.global_step],
            "peak_flops_per_second": None if peak is None else peak * runtime.processes(),
            "processes": runtime.processes(),
            "cuda_allocated_bytes": allocated,
            "cuda_reserved_bytes": reserved,
            "optimizer_state_bytes": _optimizer_bytes(tuner),
        }
    )
    saved = time.perf_counter()
    best = diverged is None and watch.best.restore(model)
    gathered = tuner.gathered() if diverged is None else None  # asked of all processes, given to the first
    if diverged is None and runtime.rank() == 0:
        progress(PhaseStarted(phase="saving"))
        size = load.save_artifact(model, tokenizer, folder.artifact, gathered)
        costs = costs.model_copy(update={"artifact_bytes": size})
    costs = costs.model_copy(update={"save_seconds": watch.clock.save + time.perf_counter() - saved})
    record = RunRecord(
        run_id=spec.run_id,
        spec=spec,
        status="diverged" if diverged else "finished",
        diverged=diverged,
        validation_bits_per_byte=watch.best.bits if best else watch.last_bits,
        kept_step=watch.best.step if best else tuner.state.global_step,
        data=counts,
        costs=costs,
        precision=masters,
        environment=environment,
    )
    if runtime.rank() == 0:
        record.write(folder.record)
        shutil.rmtree(folder.checkpoints, ignore_errors=True)
    return record


def _settings(
    spec: RunSpec, folder: RunFolder, steps: int, precision: str, report_to: Sequence[str]
) -> TrainingArguments:
    os.environ.setdefault("TENSORBOARD_LOGGING_DIR", str(folder.path / "tensorboard"))
    try:
        for tracker in get_reporting_integration_callbacks(list(report_to)):
            tracker()  # says here what is missing, before anything is trained
        return arguments(spec, folder, steps, precision, report_to if runtime.rank() == 0 else ())
    except (RuntimeError, ValueError, TypeError, ImportError) as error:
        raise UserError(f"report_to or train.distributed: {' '.join(str(error).split())}") from error


def _fit(tuner: FineTuner, checkpoint: str | None, spec: RunSpec) -> str | None:
    """Train; what showed that the run diverged, if it did."""
    try:
        if checkpoint is None:
            tuner.evaluate()
        tuner.train(resume_from_checkpoint=checkpoint)
    except DivergedError as error:
        return str(error)
    except (torch.OutOfMemoryError, RuntimeError) as error:
        if "memory" not in str(error):
            raise
        raise UserError(
            f"out of memory at train.batch_tokens={spec.train.batch_tokens}: lower it, and raise "
            "train.accumulate by as much to keep the batch"
        ) from error
    return None


def _dtypes(model: torch.nn.Module) -> str:
    """The dtypes of the weights that train (of all, where none does): what the masters are kept in."""
    weights = [w for w in model.parameters() if w.requires_grad] or list(model.parameters())
    return "/".join(sorted({str(w.dtype).removeprefix("torch.").replace("float", "fp") for w in weights}))


def _optimizer_bytes(tuner: Trainer) -> int:
    states = tuner.optimizer.state.values()
    return sum(v.numel() * v.element_size() for state in states for v in state.values() if torch.is_tensor(v))
