"""The one training path: a run's spec and texts -> saved weights and a record, over transformers' Trainer."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Sequence
from typing import Any

import torch
from torch.utils.data import DataLoader
from transformers import PrinterCallback, Trainer, TrainingArguments

from toolkit import frozen, methods, models, runtime, weights
from toolkit.data import tokens
from toolkit.errors import UserError
from toolkit.loss import NextToken
from toolkit.records import Costs, DataCounts, RunRecord
from toolkit.specs import MethodSpec, RunSpec
from toolkit.store import RunFolder
from toolkit.watch import DivergedError, Plan, Progress, Validation, Watch


class FineTuner(Trainer):
    """transformers' Trainer with our batches, loss and validation; its loop, optimizer and checkpoints."""

    def __init__(
        self,
        *,
        batches: list[list[int]],
        validation: Validation,
        watch: Watch,
        precision: str,
        packing: bool,
        method: MethodSpec,
        **rest: Any,
    ) -> None:
        super().__init__(**rest)
        self._batches, self._validation, self._watch, self._precision = batches, validation, watch, precision
        self._next_token = NextToken(self.model)
        self._packing, self._method = packing, method
        if packing:
            _refuse_if_mixed(self.model, self._next_token, self.train_dataset)
        self.model_accepts_loss_kwargs = (
            True  # or the supervised tokens of a step's micro-batches go uncounted
        )

    def get_train_dataloader(self) -> DataLoader:
        """The batches, in the order laid down beforehand."""
        pad = self.processing_class.eos_token_id
        loader = DataLoader(
            self.train_dataset,
            batch_sampler=self._batches,
            collate_fn=tokens.pack if self._packing else lambda rows: tokens.collate(rows, pad),
        )
        return self.accelerator.prepare(loader)

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> torch.Tensor:
        """Nats per supervised token, normalised over the step's micro-batches."""
        with runtime.autocast(self.args.device, self._precision):
            loss = self._next_token.loss(model, inputs, num_items_in_batch)
        added = methods.penalty(self.model)
        if added is not None:  # its gradient only, so that the recorded loss stays nats per token
            share = (inputs["labels"] != tokens.IGNORED).sum() / num_items_in_batch
            loss = loss + share * (added - added.detach())
        return loss

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """AdamW, or the optimizer that the method names, made from the same settings."""
        if self.optimizer is None and self._method.optimizer is not None:
            kind, settings = self.get_optimizer_cls_and_kwargs(self.args, self.model)
            decay = self.args.weight_decay
            self.optimizer = methods.optimizer(self.model, self._method, kind, settings, decay)
        return super().create_optimizer(model)

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Validation: token-weighted, over the whole validation part."""
        began = time.perf_counter()
        metrics = self._validation(self.model, self._next_token)
        self._watch.validated(time.perf_counter() - began)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics


def train(
    spec: RunSpec,
    train_texts: Sequence[str],
    validation_texts: Sequence[str],
    end_marker: str,
    folder: RunFolder,
    *,
    progress: Progress,
    checkpoint_seconds: float = 120,
) -> RunRecord:
    """Train a run, or go on with it from its last checkpoint; leaves weights, steps and `run.json`.

    Killed and started again it ends with the same weights as never killed, bit for bit on the CPU.
    """
    runtime.prepare(spec.seed)
    precision = runtime.resolve_precision(spec.train.precision)
    began = time.perf_counter()
    progress({"event": "phase", "phase": "loading"})
    tokenizer = models.load_tokenizer(spec.model)
    # Seeded again right before: an adapter's random start must not depend on what loading drew.
    model = models.load_base(spec.model, spec.train.dropout, methods.quantization(spec.method))
    runtime.prepare(spec.seed)
    model = methods.apply(model, spec.method).to(runtime.device())
    load_seconds = time.perf_counter() - began
    trainable, total = methods.parameter_counts(model)
    costs = Costs(load_seconds=load_seconds, trainable_parameters=trainable, total_parameters=total)
    environment = {**runtime.environment(), "base_revision": weights.revision(spec.model)}
    masters = f"{precision} compute, {_dtypes(model)} weights"
    if not trainable:
        record = _record(spec, folder, "finished", None, None, costs, masters, environment)
        record.write(folder.record)
        return record

    kept = folder.path.parent / ".data"
    rows = tokens.encode_once(train_texts, tokenizer, spec.train.max_length, kept)
    lengths = [len(row) for row in rows.ids]
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
    checkpoint = folder.last_checkpoint
    watch = Watch(
        folder,
        plan,
        validations=spec.train.validations,
        resumed_from=checkpoint,
        checkpoint_seconds=checkpoint_seconds,
        progress=progress,
    )
    tuner = FineTuner(
        model=model,
        args=_arguments(spec, folder, plan.steps, precision),
        train_dataset=rows.ids,
        processing_class=tokenizer,
        batches=batches,
        validation=validation,
        watch=watch,
        precision=precision,
        packing=spec.train.packing,
        method=spec.method,
        callbacks=[*methods.callbacks(model, plan.steps), watch],
    )
    tuner.remove_callback(PrinterCallback)
    frozen.keep_in_compute_precision(model, precision)
    progress({"event": "phase", "phase": "training", "steps": plan.steps, "resumed": checkpoint is not None})
    status = _fit(tuner, str(checkpoint) if checkpoint else None, spec)
    allocated, reserved = runtime.cuda_peaks()
    costs = costs.model_copy(
        update={
            "steps": tuner.state.global_step,
            "train_seconds": watch.clock.train,
            "validate_seconds": watch.clock.validate,
            "interruptions": watch.clock.interruptions,
            "supervised_tokens_per_second": plan.tokens[tuner.state.global_step]
            / max(watch.clock.train, 1e-9),
            "peak_memory_bytes": runtime.peak_memory_bytes(),
            "cuda_allocated_bytes": allocated,
            "cuda_reserved_bytes": reserved,
            "optimizer_state_bytes": _optimizer_bytes(tuner),
        }
    )
    saved = time.perf_counter()
    if status == "finished":
        progress({"event": "phase", "phase": "saving"})
        size = models.save_artifact(model, tokenizer, folder.artifact)
        costs = costs.model_copy(update={"artifact_bytes": size})
    costs = costs.model_copy(update={"save_seconds": watch.clock.save + time.perf_counter() - saved})
    last = None if watch.validation is None else watch.validation["eval_bits_per_byte"]
    record = _record(spec, folder, status, last, counts, costs, masters, environment)
    record.write(folder.record)
    shutil.rmtree(folder.checkpoints, ignore_errors=True)
    return record


def _refuse_if_mixed(model: Any, next_token: NextToken, rows: Sequence[Sequence[int]]) -> None:
    """Packed rows must score as they do alone: tried on two of the run, as no list says which bases do."""
    model.eval()
    where = next(model.parameters()).device
    two = [[*row[:16]] for row in rows[:2]]
    packed = next_token.nll(model, {key: value.to(where) for key, value in tokens.pack(two).items()})
    alone = next_token.nll(model, {key: value.to(where) for key, value in tokens.collate(two, 0).items()})
    model.train()
    together = packed[0].cpu()
    apart = torch.cat([alone[i, : len(row)] for i, row in enumerate(two)]).cpu()
    if not torch.allclose(together, apart, rtol=1e-3, atol=1e-3):
        raise UserError(
            f"train.packing: {type(model).__name__}'s attention does not keep packed documents apart; "
            "leave packing off"
        )


def _fit(tuner: FineTuner, checkpoint: str | None, spec: RunSpec) -> str:
    try:
        if checkpoint is None:
            tuner.evaluate()
        tuner.train(resume_from_checkpoint=checkpoint)
    except DivergedError:
        return "diverged"
    except (torch.OutOfMemoryError, RuntimeError) as error:
        if "memory" not in str(error):
            raise
        raise UserError(
            f"out of memory at train.batch_tokens={spec.train.batch_tokens}: lower it, and raise "
            "train.accumulate by as much to keep the batch"
        ) from error
    return "finished"


def _arguments(spec: RunSpec, folder: RunFolder, steps: int, precision: str) -> TrainingArguments:
    asked = spec.train
    return TrainingArguments(
        output_dir=str(folder.checkpoints),
        num_train_epochs=1,  # the batches hold all epochs, one after the other
        gradient_accumulation_steps=asked.accumulate,
        learning_rate=spec.learning_rate,
        lr_scheduler_type=asked.schedule,
        warmup_steps=math.ceil(asked.warmup * steps),
        weight_decay=asked.weight_decay,
        max_grad_norm=asked.max_grad_norm,
        optim="adamw_torch_fused",
        bf16=precision == "bf16",
        use_cpu=not torch.cuda.is_available(),
        seed=spec.seed,
        data_seed=spec.seed,
        logging_steps=1,
        logging_nan_inf_filter=False,
        eval_strategy="no",  # Watch says when
        save_strategy="no",
        save_total_limit=2,
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
    )


def _record(
    spec: RunSpec,
    folder: RunFolder,
    status: Any,
    validation: float | None,
    counts: DataCounts | None,
    costs: Costs,
    precision: str,
    environment: dict[str, Any],
) -> RunRecord:
    return RunRecord(
        run_id=spec.run_id,
        spec=spec,
        status=status,
        validation_bits_per_byte=validation,
        data=counts,
        costs=costs,
        precision=precision,
        environment=environment,
    )


def _dtypes(model: torch.nn.Module) -> str:
    """The dtypes of the weights that train (of all, where none does): what the masters are kept in."""
    weights = [w for w in model.parameters() if w.requires_grad] or list(model.parameters())
    return "/".join(sorted({str(w.dtype).removeprefix("torch.").replace("float", "fp") for w in weights}))


def _optimizer_bytes(tuner: Trainer) -> int:
    states = tuner.optimizer.state.values()
    return sum(v.numel() * v.element_size() for state in states for v in state.values() if torch.is_tensor(v))
