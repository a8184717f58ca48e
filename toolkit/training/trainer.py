"""transformers' Trainer with our batches, loss and validation; its loop, optimizer and checkpoints."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader
from transformers import Trainer, TrainingArguments

from toolkit import runtime
from toolkit.data import batches as tokens
from toolkit.data.conversations.labels import IGNORED
from toolkit.errors import UserError
from toolkit.models import probe
from toolkit.models.precision import autocast
from toolkit.records.folders import RunFolder
from toolkit.specs import RunSpec, TrainSpec
from toolkit.training import checkpoints
from toolkit.training.monitor import Monitor
from toolkit.training.step import adapters
from toolkit.training.step.compiled import CompiledBlocks
from toolkit.training.step.loss import NextToken
from toolkit.training.validation import Validation

MULTIPLYING = ("ia3_l", "lora_magnitude_vector")
"""Parts of the names of weights by which peft multiplies the base's."""


class TokenBudgetTrainer(Trainer):
    """transformers' Trainer with our batches, loss and validation; its loop, optimizer and checkpoints."""

    optimizer: Any  # the Trainer's
    control: Any

    def __init__(
        self,
        *,
        batches: list[list[int]],
        validation: Validation,
        monitor: Monitor,
        precision: str,
        spec: RunSpec,
        pad: int,
        **rest: Any,
    ) -> None:
        # Without a tokenizer: given one, Trainer writes its special tokens into the model's configs, and what
        # is saved may then not be loaded again (a padding token beyond the embedding, generation settings).
        super().__init__(**rest)
        self._pad = pad
        self._batches, self._validation = batches, validation
        self._monitor, self._precision = monitor, precision
        # Sharded weights are whole only inside the model's own forward, so the LM head is not taken apart.
        self._sharded = spec.train.sharded
        if self._sharded and not (self.is_fsdp_enabled or self.is_deepspeed_enabled):
            kind = self.accelerator.distributed_type.value
            raise UserError(
                f"train.distributed: it would take no effect (accelerate trains {kind} here): weights are "
                "sharded over several GPUs, one for each of train.processes. Leave it out, or set these"
            )
        if self._sharded and spec.train.keep == "best":
            raise UserError(
                "train.keep=best: the best weights can't be saved if weights are sharded; use last"
            )
        self.next_token = NextToken(self.model, chunked=not self._sharded)
        self._compiled = CompiledBlocks(self.model) if spec.train.compile else None
        self._packing, self._method = spec.train.packing, spec.method
        if self._packing:
            _refuse_if_mixed(self.model, self.next_token, self.train_dataset)
        self.model_accepts_loss_kwargs = (
            True  # or the supervised tokens of a step's micro-batches go uncounted
        )

    def get_train_dataloader(self) -> DataLoader:
        """Return the batches in the order computed beforehand; of each batch, this process's rows."""
        pad, first, every = self._pad, runtime.rank(), runtime.processes()

        def collate(rows: list[list[int]]) -> dict[str, torch.Tensor]:
            own = rows[first::every]
            batch = tokens.pack(own or rows[:1]) if self._packing else tokens.collate(own or rows[:1], pad)
            if not own:  # fewer rows than processes: take part in the step without supervised tokens
                batch["labels"].fill_(IGNORED)
            return batch

        return DataLoader(self.train_dataset, batch_sampler=self._batches, collate_fn=collate)

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> torch.Tensor:
        """Return nats per supervised token, normalised over the step's micro-batches of all processes."""
        compiled = nullcontext() if self._compiled is None else self._compiled.training()
        with autocast(self.args.device, self._precision), compiled:
            loss = self.next_token.loss(model, inputs, num_items_in_batch)
        added = adapters.penalty(self.model)
        if added is not None:  # its gradient only, so that the recorded loss stays nats per token
            share = (inputs["labels"] != IGNORED).sum() / num_items_in_batch
            loss = loss + share * (added - added.detach())
        return loss * runtime.processes()  # gradients are averaged over the processes

    def compile(self, rows: Sequence[int]) -> None:
        """Compile the model's blocks by a forward and a backward pass over rows of the data."""
        chosen = [self.train_dataset[row] for row in rows]
        batch = tokens.pack(chosen) if self._packing else tokens.collate(chosen, self._pad)
        batch = {key: value.to(self.args.device) for key, value in batch.items()}
        self.model.train()
        self.compute_loss(self.model, batch, num_items_in_batch=batch["labels"].numel()).backward()
        self.model.zero_grad()

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """Make AdamW, or the optimizer that the method names, from the same settings."""
        if self.optimizer is None and self._method.optimizer is not None:
            kind, settings = self.get_optimizer_cls_and_kwargs(self.args, self.model)
            decay = self.args.weight_decay
            self.optimizer = adapters.optimizer(self.model, self._method, kind, settings, decay)
        return super().create_optimizer(model)

    def get_decay_parameter_names(self, model: Any) -> list[str]:
        """Leave out weights that multiply the base's own: at 0 they are no smaller change, but none of it."""
        names = super().get_decay_parameter_names(model)
        return [name for name in names if not any(part in name for part in MULTIPLYING)]

    def gathered(self) -> dict[str, Any] | None:
        """Return the gathered weights if they are sharded, else None. Every process has to call this."""
        if not self._sharded:
            return None
        model = self.model_wrapped if self.is_deepspeed_enabled else self.model
        weights: dict[str, Any] = self.accelerator.get_state_dict(model)
        return weights

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        frozen = any(not weight.requires_grad for weight in self.model.parameters())
        if frozen and output_dir is not None and not self._sharded:
            checkpoints.save_trainable(self.model, Path(output_dir))
        else:
            super()._save(output_dir, state_dict)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        if not checkpoints.load_trainable(self.model, Path(resume_from_checkpoint)):
            super()._load_from_checkpoint(resume_from_checkpoint, model)

    def evaluate(self, *_: Any, cache: Path | None = None, **__: Any) -> dict[str, float]:
        """Validate: token-weighted, over the whole validation split; ``cache`` is `Validation`'s."""
        began = time.perf_counter()
        model = self.model_wrapped if self._sharded else self.model
        metrics = self._validation(model, self.next_token, None if self._sharded else cache)
        self._monitor.add_validation_seconds(time.perf_counter() - began)
        self.log(dict(metrics))
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics


def warmup_steps(train: TrainSpec, steps: int) -> int:
    """Return over how many steps the learning rate rises: not over all, as the first has a rate of 0."""
    if train.schedule == "constant":  # by transformers' meaning it has none
        return 0
    return min(math.ceil(train.warmup * steps), steps - 1)


def arguments(
    spec: RunSpec, folder: RunFolder, steps: int, precision: str, report_to: Sequence[str] = ()
) -> TrainingArguments:
    """Return a run's settings as transformers' TrainingArguments."""
    train = spec.train
    settings = TrainingArguments(
        output_dir=str(folder.checkpoints),
        num_train_epochs=1,  # the batches hold all epochs, one after the other
        gradient_accumulation_steps=train.accumulate,
        learning_rate=spec.learning_rate,
        lr_scheduler_type=train.schedule,
        warmup_steps=warmup_steps(train, steps),
        weight_decay=train.weight_decay,
        max_grad_norm=train.max_grad_norm,
        optim="adamw_torch_fused",
        # Ours is around the loss alone: transformers would wrap the model's forward, validation included.
        bf16=precision == "bf16" and train.sharded,
        use_cpu=not torch.cuda.is_available(),
        seed=spec.seed,
        data_seed=spec.seed,
        logging_steps=1,
        logging_nan_inf_filter=False,
        eval_strategy="no",  # the Monitor decides when
        save_strategy="no",
        save_total_limit=2,
        report_to=list(report_to) or "none",
        run_name=spec.run_id,
        disable_tqdm=True,
        remove_unused_columns=False,
        **{"ddp_find_unused_parameters": False, **train.distributed},
    )
    # A process trains on one GPU: with several visible ones DataParallel would make larger batches.
    settings._n_gpu = min(settings.n_gpu, 1)
    return settings


def _refuse_if_mixed(model: Any, next_token: NextToken, rows: Sequence[Sequence[int]]) -> None:
    """Raise UserError unless packed rows score as they do alone, tried on two rows of the run."""
    device = next(model.parameters()).device
    two = [[*row[:16]] for row in rows[:2]]
    with probe.evaluating(model):
        packed, separate = (
            next_token.nll(model, {key: value.to(device) for key, value in batch.items()})
            for batch in (tokens.pack(two), tokens.collate(two, 0))
        )
    unpacked = torch.cat([separate[i, : len(row)] for i, row in enumerate(two)])
    if not torch.allclose(packed[0], unpacked, rtol=1e-3, atol=1e-3):
        raise UserError(
            f"train.packing: the attention of {model.config.model_type} does not keep packed documents "
            "apart; leave packing off"
        )
