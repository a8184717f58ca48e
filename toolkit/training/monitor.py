"""What is measured while a run trains: validation, time, and `steps.jsonl`."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from pydantic import ValidationError
from transformers import TrainerCallback

from toolkit import runtime
from toolkit.data import batches as tokens
from toolkit.events import Listener, StepTaken, Validated
from toolkit.records import Step, read_lines, write_lines
from toolkit.records.files import write_text
from toolkit.records.folders import CLOCK, RunFolder
from toolkit.training.loss import NextToken
from toolkit.training.validation import Best

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

RISE = 0.5  # nats per token above the start, at a validation, from which a run counts as diverged


class DivergedError(Exception):
    """The loss became nan or infinite, or validation is far worse than before the first step; says which."""


class Validation:
    """Token-weighted nll and bits per byte of the validation part, in length-sorted batches."""

    def __init__(
        self, texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, batch_tokens: int, precision: str
    ) -> None:
        self._rows = tokens.encode(texts, tokenizer).ids
        self._batches = tokens.sorted_batches([len(row) for row in self._rows], batch_tokens)
        self._bytes = sum(len(text.encode()) for text in texts)
        self._pad, self._precision = tokenizer.eos_token_id, precision

    @property
    def longest(self) -> int:
        """Tokens of the longest validation document."""
        return max(map(len, self._rows))

    def __call__(self, model: PreTrainedModel, next_token: NextToken) -> dict[str, float]:
        """`eval_nll`, nats per token with end-of-text; `eval_bits_per_byte`, of the text alone."""
        training, where = model.training, next(model.parameters()).device
        model.eval()
        total = stops = 0.0
        for batch in self._batches:
            rows = [self._rows[i] for i in batch]
            inputs = {key: value.to(where) for key, value in tokens.collate(rows, self._pad).items()}
            with runtime.autocast(where, self._precision):
                nll = next_token.nll(model, inputs).double()
            last = torch.tensor([[len(row) - 1] for row in rows], device=where)
            total += nll.sum().item()
            stops += nll.gather(1, last).sum().item()
        model.train(training)
        count = sum(len(row) - 1 for row in self._rows)
        return {"eval_nll": total / count, "eval_bits_per_byte": (total - stops) / math.log(2) / self._bytes}


class Clock(NamedTuple):
    """Seconds so far, over all lives of a run. Written last in a checkpoint: it marks a whole one."""

    train: float = 0.0
    validate: float = 0.0
    save: float = 0.0
    interruptions: int = 0

    @classmethod
    def of(cls, checkpoint: Path | None) -> Clock:
        """The clock of a checkpoint that a run goes on from, or a new one."""
        if checkpoint is None:
            return cls()
        kept = cls(**json.loads((checkpoint / CLOCK).read_text()))
        return kept._replace(interruptions=kept.interruptions + 1)


class Plan(NamedTuple):
    """What each optimizer step will have seen, cumulated: known before the first one."""

    tokens: list[int]
    documents: list[int]
    positions: list[int]
    """Tokens fed to the model, padding among them."""
    epoch_documents: int

    @classmethod
    def of(cls, rows: Sequence[Sequence[int]], batches: Sequence[Sequence[int]], accumulate: int) -> Plan:
        """Sums over groups of ``accumulate`` batches."""
        seen, documents, positions = [0], [0], [0]
        for first in range(0, len(batches), accumulate):
            group = [index for batch in batches[first : first + accumulate] for index in batch]
            seen.append(seen[-1] + sum(len(rows[i]) - 1 for i in group))
            documents.append(documents[-1] + len(group))
            fed = [len(b) * (max(len(rows[i]) for i in b) - 1) for b in batches[first : first + accumulate]]
            positions.append(positions[-1] + sum(fed))
        return cls(seen, documents, positions, len(rows))

    @property
    def steps(self) -> int:
        """Optimizer steps."""
        return len(self.tokens) - 1


class Watch(TrainerCallback):
    """Writes `steps.jsonl`, says when to validate and when to save, and keeps the time."""

    def __init__(
        self,
        folder: RunFolder,
        plan: Plan,
        *,
        validations: int,
        resumed_from: Path | None,
        checkpoint_seconds: float,
        progress: Listener,
        best: Best,
    ) -> None:
        self._folder, self._plan, self._progress, self.best = folder, plan, progress, best
        self._validate_at = {max(1, round(plan.steps * (i + 1) / validations)) for i in range(validations)}
        self._checkpoint_seconds = checkpoint_seconds
        self.clock = Clock.of(resumed_from)
        self._began = self._last_save = time.perf_counter()
        self.last_bits: float | None = None
        self._start: float | None = None
        step = int(resumed_from.name.rpartition("-")[2]) if resumed_from else -1
        kept = _lines_through(folder.steps, step) if resumed_from else []
        for line in kept:
            if line.validation_bits_per_byte is not None and line.validation_nll is not None:
                self._validated(line.step, line.validation_nll, line.validation_bits_per_byte)
        if runtime.rank() == 0:
            write_lines(folder.steps, kept)

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        """Start the clock."""
        self._began = time.perf_counter()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
        """Stop the clock; ask for what is due."""
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        now = time.perf_counter()
        self.clock = self.clock._replace(train=self.clock.train + now - self._began)
        control.should_evaluate = state.global_step in self._validate_at
        due = runtime.agreed(now - self._last_save >= self._checkpoint_seconds)
        control.should_save = due and state.global_step < self._plan.steps
        self._began = now
        return control

    def on_log(
        self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any
    ) -> None:
        """A training line."""
        if not logs or "loss" not in logs:
            return
        if not math.isfinite(logs["loss"]):
            raise DivergedError(f"training loss {logs['loss']} at step {state.global_step}")
        self._write(
            state.global_step,
            loss=logs["loss"],
            learning_rate=logs["learning_rate"],
            gradient_norm=_finite(logs.get("grad_norm")),
        )
        self._progress(
            StepTaken(
                step=state.global_step,
                steps=self._plan.steps,
                loss=logs["loss"],
                tokens=self._plan.tokens[state.global_step],
                seconds=self.clock.train,
            )
        )

    def on_evaluate(
        self, args: Any, state: Any, control: Any, metrics: dict[str, float], model: Any = None, **_: Any
    ) -> Any:
        """A validation line; the end of a run whose patience is at its end."""
        nll, bits = metrics["eval_nll"], metrics["eval_bits_per_byte"]
        if not math.isfinite(nll):
            raise DivergedError(f"validation loss {nll} at step {state.global_step}")
        self._write(state.global_step, validation_nll=nll, validation_bits_per_byte=bits)
        self._progress(Validated(step=state.global_step, nll=nll, bits_per_byte=bits))
        if self._validated(state.global_step, nll, bits, model):
            control.should_training_stop = True
        if self._start is not None and nll > self._start + RISE:
            rise = f"validation loss rose from {self._start:.2f} to {nll:.2f} nats per token"
            raise DivergedError(f"{rise} at step {state.global_step}")
        return control

    def _validated(self, step: int, nll: float, bits: float, model: Any = None) -> bool:
        self.last_bits = bits
        if self._start is None:
            self._start = nll
        return self.best.seen(step, bits, model)

    def validated(self, seconds: float) -> None:
        """Add a validation's seconds."""
        self.clock = self.clock._replace(validate=self.clock.validate + seconds)

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """The checkpoint is there: close it with the clock."""
        self._last_save = time.perf_counter()
        self.clock = self.clock._replace(save=self.clock.save + self._last_save - self._began)
        if runtime.rank():
            return
        marker = Path(args.output_dir) / f"checkpoint-{state.global_step}" / CLOCK
        write_text(marker, json.dumps(self.clock._asdict()))

    def _write(self, step: int, **values: float | None) -> None:
        if runtime.rank():
            return
        line = Step(
            step=step,
            epoch=self._plan.documents[step] / self._plan.epoch_documents,
            seconds=self.clock.train,
            tokens=self._plan.tokens[step],
            **values,
        )
        with self._folder.steps.open("a", encoding="utf-8") as stream:
            stream.write(line.model_dump_json() + "\n")


def _lines_through(path: Path, step: int) -> list[Step]:
    """The lines up to a checkpoint's step. What follows is not read: its end may be half a line."""
    lines = []
    with path.open(encoding="utf-8") as stream:
        for text in stream:
            try:
                line = Step.model_validate_json(text)
            except ValidationError:
                break
            if line.step > step:
                break
            lines.append(line)
    if not lines or lines[-1].step < step:
        read_lines(path, Step)  # damaged before that step: said with its line
    return lines


def _finite(value: Any) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)
