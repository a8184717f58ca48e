"""Fit: from a prepared model and texts to trained weights, measured on the way."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase, PrinterCallback, TrainingArguments
from transformers.integrations import get_reporting_integration_callbacks

from toolkit import runtime
from toolkit.data import batches as tokens
from toolkit.data.format import texts_with_special_tokens
from toolkit.errors import UserError, is_out_of_memory, one_line
from toolkit.events import Listener, PhaseStarted
from toolkit.models import artifact, flops, probe
from toolkit.records import DataCounts
from toolkit.records.folders import RunFolder
from toolkit.specs import RunSpec
from toolkit.training import checkpoints
from toolkit.training.monitor import DivergedError, Monitor, OutOfPatienceError, StepTotals
from toolkit.training.step import adapters, attention, frozen_weights
from toolkit.training.trainer import TokenBudgetTrainer, arguments, warmup_steps
from toolkit.training.validation import BestWeights, Validation


@dataclass(frozen=True)
class Data:
    """What a run trains and validates on."""

    rows: list[list[int]]
    """Token ids of each training document."""
    batches: list[list[int]]
    """Rows of each micro-batch, over all epochs."""
    totals: StepTotals
    counts: DataCounts
    validation: Validation


def prepare_data(
    spec: RunSpec,
    train_texts: Sequence[str],
    validation_texts: Sequence[str],
    end_marker: str,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    folder: RunFolder,
) -> Data:
    """Turn texts into token ids and batches. Raises UserError for a document beyond the model's context."""
    settings = spec.train
    form = spec.dataset.format if spec.dataset else None
    rows = tokens.encode_once(train_texts, tokenizer, settings.max_length, folder.data, form)
    lengths = [len(row) for row in rows.ids]
    probe.refuse_beyond_context(model, "train.max_length", max(lengths))
    probe.refuse_beyond_vocabulary(model, rows.ids)
    batches = tokens.training_batches(
        lengths, settings.batch_tokens, epochs=settings.epochs, seed=spec.seed, packing=settings.packing
    )
    counts = DataCounts(
        documents=len(rows.ids),
        left_out_too_long=rows.too_long,
        tokens=rows.supervised,
        padding_share=0.0 if settings.packing else tokens.padding_share(lengths, batches),
        stream_hash=tokens.stream_hash(rows.ids, batches),
        end_labels=tokens.end_label_share(rows.ids, tokenizer, end_marker),
        special_tokens=texts_with_special_tokens(train_texts, tokenizer, form),
    )
    validation = Validation(
        validation_texts, tokenizer, settings.batch_tokens, settings.validation_precision, form=form
    )
    probe.refuse_beyond_context(model, "data.max_characters", validation.longest)
    probe.refuse_beyond_vocabulary(model, validation.rows)
    totals = StepTotals.of(rows.ids, batches, settings.accumulate, packing=settings.packing)
    return Data(rows.ids, batches, totals, counts, validation)


@dataclass(frozen=True)
class Fitted:
    """A training that has ended."""

    trainer: TokenBudgetTrainer
    monitor: Monitor
    diverged: str | None
    """What showed that it diverged; None if it did not."""
    flops: float | None
    """Of all steps; None if they could not be counted."""
    peak_flops_per_second: float | None
    """What the machine reaches, over all processes."""
    exact: frozen_weights.ExactWeights | None
    """Frozen weights as they were read, if they were rounded and a whole model is saved: enter it to save."""


def fit(
    spec: RunSpec,
    data: Data,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    precision: str,
    folder: RunFolder,
    progress: Listener,
    checkpoint_seconds: float,
    report_to: Sequence[str],
) -> Fitted:
    """Train to the end, or until the loss diverges."""
    steps = data.totals.steps
    checkpoints.discard_unsealed(folder.checkpoints)
    computed = {"precision": precision, "device": runtime.device().type}
    checkpoint = checkpoints.latest_intact(folder.checkpoints, computed)
    monitor = Monitor(
        folder,
        data.totals,
        validations=spec.train.validations,
        resumed_from=checkpoint,
        computed=computed,
        checkpoint_seconds=checkpoint_seconds,
        progress=progress,
        best=BestWeights(spec.train, folder.checkpoints),
    )
    trainer = TokenBudgetTrainer(
        model=model,
        args=_arguments(spec, folder, steps, precision, report_to),
        train_dataset=data.rows,
        pad=int(tokenizer.eos_token_id),
        batches=data.batches,
        validation=data.validation,
        monitor=monitor,
        precision=precision,
        spec=spec,
        callbacks=[*adapters.callbacks(model, steps, warmup_steps(spec.train, steps)), monitor],
    )
    trainer.remove_callback(PrinterCallback)
    counted = peak = exact = None
    if not spec.train.sharded:
        exact = frozen_weights.keep_in_compute_precision(model, precision, folder.checkpoints)
        if exact is not None and spec.train.validation_precision == "fp32":
            data.validation.exact = exact
        peak = flops.peak_per_second(runtime.device(), precision)
        first_row = data.rows[data.batches[0][0]]
        counted = flops.operations_once(model, trainer.next_token, first_row, precision, folder.data)
        if spec.train.attention == "blocks" and not spec.train.dropout:  # which the blocks do not have
            attention.use_in(model, precision)
        if spec.train.compile:
            progress(PhaseStarted(phase="compiling"))
            trainer.compile(data.batches[0])
        runtime.prepare(spec.seed)  # as if nothing had been counted
    progress(PhaseStarted(phase="training", resumed=checkpoint is not None))
    diverged = _run(trainer, checkpoint, spec, folder.data)
    step, totals = trainer.state.global_step, data.totals
    return Fitted(
        trainer,
        monitor,
        diverged,
        None if counted is None else counted.of(totals.positions[step], totals.tokens[step]),
        None if peak is None else peak * runtime.processes(),
        exact if artifact.saves_base_weights(model) else None,
    )


def _run(trainer: TokenBudgetTrainer, checkpoint: Path | None, spec: RunSpec, cache: Path) -> str | None:
    """Train; return what showed that the run diverged, or None."""
    try:
        if checkpoint is None:
            trainer.evaluate(cache=cache)
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    except OutOfPatienceError:
        return None
    except DivergedError as error:
        return str(error)
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        raise UserError(
            f"out of memory at train.batch_tokens={spec.train.batch_tokens}: lower it, and raise "
            "train.accumulate by as much to keep the batch"
        ) from error
    return None


def costs_of(fitted: Fitted, totals: StepTotals) -> dict[str, Any]:
    """Return the fields of Costs that are known when training has ended."""
    clock, step = fitted.monitor.clock.with_peaks(), fitted.trainer.state.global_step
    # With several processes each would count the others as other work.
    others = clock.others / clock.train if clock.train and runtime.processes() == 1 else None
    return {
        "steps": step,
        "train_seconds": clock.train,
        "validate_seconds": clock.validate,
        "interruptions": clock.interruptions,
        "cores_of_others": None if others is None else max(0.0, others),
        "supervised_tokens_per_second": totals.tokens[step] / max(clock.train, 1e-9),
        "peak_memory_bytes": runtime.summed(clock.memory),
        "flops": fitted.flops,
        "peak_flops_per_second": fitted.peak_flops_per_second,
        "processes": runtime.processes(),
        "cuda_allocated_bytes": clock.cuda_allocated,
        "cuda_reserved_bytes": clock.cuda_reserved,
        "optimizer_state_bytes": _optimizer_bytes(fitted.trainer),
    }


def _arguments(
    spec: RunSpec, folder: RunFolder, steps: int, precision: str, report_to: Sequence[str]
) -> TrainingArguments:
    os.environ.setdefault("TENSORBOARD_LOGGING_DIR", str(folder.path / "tensorboard"))
    try:
        for tracker in get_reporting_integration_callbacks(list(report_to)):
            tracker()  # raises here for a missing package, before anything is trained
        return arguments(spec, folder, steps, precision, report_to if runtime.rank() == 0 else ())
    except (RuntimeError, ValueError, TypeError, ImportError) as error:
        raise UserError(f"report_to or train.distributed: {one_line(error)}") from error


def _optimizer_bytes(trainer: TokenBudgetTrainer) -> int:
    if trainer.optimizer is None:  # diverged at the first validation
        return 0
    states = trainer.optimizer.state.values()
    return sum(v.numel() * v.element_size() for state in states for v in state.values() if torch.is_tensor(v))
