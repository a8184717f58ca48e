"""What is measured while a run trains: steps, validations and time, written to `steps.jsonl`."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from pydantic import ValidationError
from transformers import TrainerCallback

from toolkit import runtime
from toolkit.data.conversations.labels import supervised
from toolkit.events import Listener, StepTaken, Validated
from toolkit.records import Step, read_lines, write_lines
from toolkit.records.folders import RunFolder, step_of
from toolkit.training import checkpoints
from toolkit.training.neighbours import seconds_of_others
from toolkit.training.validation import BestWeights

MAX_RISE = 0.5  # nats per token above the start, at a validation, from which a run counts as diverged


class DivergedError(Exception):
    """The loss became nan or infinite, or validation is far worse than before the first step."""


class OutOfPatienceError(Exception):
    """A resumed run had used up its patience at its checkpoint: it ends there."""


class Clock(NamedTuple):
    """Seconds so far, summed over all processes that trained a run one after the other."""

    train: float = 0.0
    validate: float = 0.0
    save: float = 0.0
    interruptions: int = 0
    others: float = 0.0
    """Processor seconds of other processes while steps ran."""
    memory: int = 0
    """Peak resident bytes of the one of these processes that needed most."""
    cuda_allocated: int | None = None
    cuda_reserved: int | None = None
    """Peak bytes on the CUDA device, the same way; None without one."""

    @classmethod
    def of(cls, checkpoint: Path | None) -> Clock:
        """Return the clock of the checkpoint that a run continues from, or a new one."""
        if checkpoint is None:
            return cls()
        clock = cls(**checkpoints.clock_of(checkpoint))
        return clock._replace(interruptions=clock.interruptions + 1)

    def with_peaks(self) -> Clock:
        """Return it with this process's peaks of memory so far, where they are the largest."""
        memory = max(self.memory, runtime.peak_memory_bytes())
        allocated, reserved = runtime.cuda_peaks()
        if allocated is None or reserved is None:
            return self._replace(memory=memory)
        allocated, reserved = max(allocated, self.cuda_allocated or 0), max(reserved, self.cuda_reserved or 0)
        return self._replace(memory=memory, cuda_allocated=allocated, cuda_reserved=reserved)


class StepTotals(NamedTuple):
    """Totals after each optimizer step, the first entry before any: known before training starts."""

    tokens: list[int]
    """Supervised tokens."""
    documents: list[int]
    positions: list[int]
    """Tokens fed to the model, padding included; of packed batches there is none."""
    epoch_documents: int

    @classmethod
    def of(
        cls,
        rows: Sequence[Sequence[int]],
        batches: Sequence[Sequence[int]],
        accumulate: int,
        *,
        packing: bool = False,
    ) -> StepTotals:
        """Sum over groups of ``accumulate`` batches."""
        seen, documents, positions = [0], [0], [0]
        for first in range(0, len(batches), accumulate):
            micro_batches = [[len(rows[i]) for i in batch] for batch in batches[first : first + accumulate]]
            group = [index for batch in batches[first : first + accumulate] for index in batch]
            seen.append(seen[-1] + sum(supervised(rows[i]) for i in group))
            documents.append(documents[-1] + len(group))
            # The last token of a row, or of all rows packed into one, is predicted and never fed.
            fed = [sum(b) - 1 if packing else len(b) * (max(b) - 1) for b in micro_batches]
            positions.append(positions[-1] + sum(fed))
        return cls(seen, documents, positions, len(rows))

    @property
    def steps(self) -> int:
        """Optimizer steps."""
        return len(self.tokens) - 1


class Monitor(TrainerCallback):
    """Write `steps.jsonl`, decide when to validate and when to save, and measure time."""

    def __init__(
        self,
        folder: RunFolder,
        totals: StepTotals,
        *,
        validations: int,
        resumed_from: Path | None,
        computed: Mapping[str, str],
        checkpoint_seconds: float,
        progress: Listener,
        best: BestWeights,
    ) -> None:
        self._folder, self._totals, self._progress, self.best = folder, totals, progress, best
        self._validate_at = {max(1, round(totals.steps * (i + 1) / validations)) for i in range(validations)}
        self._checkpoint_seconds, self._computed = checkpoint_seconds, computed
        self.clock = Clock.of(resumed_from)
        self._began = self._last_save = time.perf_counter()
        self._others = seconds_of_others()
        self.last_bits: float | None = None
        self._first_nll: float | None = None
        self._out_of_patience = False
        lines = _lines_through(folder.steps, step_of(resumed_from)) if resumed_from else []
        for line in lines:
            if line.validation_bits_per_byte is not None and line.validation_nll is not None:
                nll, bits = line.validation_nll, line.validation_bits_per_byte
                self._out_of_patience = self._record_validation(line.step, nll, bits)
        if runtime.rank() == 0:
            write_lines(folder.steps, lines)

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        """Start the clock. Raises OutOfPatienceError if a resumed run is not to be trained further."""
        if self._out_of_patience:
            raise OutOfPatienceError
        self._began, self._others = time.perf_counter(), seconds_of_others()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
        """Stop the clock; request a validation or a checkpoint if one is due."""
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        now = time.perf_counter()
        others = self.clock.others + seconds_of_others() - self._others
        self.clock = self.clock._replace(train=self.clock.train + now - self._began, others=others)
        control.should_evaluate = state.global_step in self._validate_at
        due = runtime.agreed(now - self._last_save >= self._checkpoint_seconds)
        control.should_save = due and state.global_step < self._totals.steps
        self._began = now
        return control

    def on_log(
        self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any
    ) -> None:
        """Write a training line. Raises DivergedError for a loss that is not finite."""
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
                steps=self._totals.steps,
                loss=logs["loss"],
                tokens=self._totals.tokens[state.global_step],
                seconds=self.clock.train,
            )
        )

    def on_evaluate(
        self, args: Any, state: Any, control: Any, metrics: dict[str, float], model: Any = None, **_: Any
    ) -> Any:
        """Write a validation line; stop early if patience is exhausted. Raises DivergedError."""
        nll, bits = metrics["eval_nll"], metrics["eval_bits_per_byte"]
        if not math.isfinite(nll):
            raise DivergedError(f"validation loss {nll} at step {state.global_step}")
        self._write(state.global_step, validation_nll=nll, validation_bits_per_byte=bits)
        self._progress(Validated(step=state.global_step, nll=nll, bits_per_byte=bits))
        if self._record_validation(state.global_step, nll, bits, model):
            control.should_training_stop = True
        if self._first_nll is not None and nll > self._first_nll + MAX_RISE:
            rise = f"validation loss rose from {self._first_nll:.2f} to {nll:.2f} nats per token"
            raise DivergedError(f"{rise} at step {state.global_step}")
        self._began = time.perf_counter()  # a checkpoint of the same step is written from here on
        return control

    def _record_validation(self, step: int, nll: float, bits: float, model: Any = None) -> bool:
        self.last_bits = bits
        if self._first_nll is None:
            self._first_nll = nll
        return self.best.update(step, bits, model)

    def add_validation_seconds(self, seconds: float) -> None:
        """Add a validation's seconds to the clock."""
        self.clock = self.clock._replace(validate=self.clock.validate + seconds)

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Seal the checkpoint that has just been written, once every process has written its share."""
        runtime.wait_for_all()
        self._last_save = time.perf_counter()
        self.clock = self.clock._replace(save=self.clock.save + self._last_save - self._began).with_peaks()
        if runtime.rank():
            return
        checkpoint = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        checkpoints.seal(checkpoint, self.clock._asdict(), self._computed)

    def _write(self, step: int, **values: float | None) -> None:
        if runtime.rank():
            return
        line = Step(
            step=step,
            epoch=self._totals.documents[step] / self._totals.epoch_documents,
            seconds=self.clock.train,
            tokens=self._totals.tokens[step],
            **values,
        )
        with self._folder.steps.open("a", encoding="utf-8") as stream:
            stream.write(line.model_dump_json() + "\n")


def _lines_through(path: Path, step: int) -> list[Step]:
    """Read the lines up to a checkpoint's step. What follows is not read: it may end in half a line."""
    lines = []
    with path.open("rb") as stream:
        for text in stream:
            try:
                line = Step.model_validate_json(text)
            except ValidationError:
                break
            if line.step > step:
                break
            lines.append(line)
    if not lines or lines[-1].step < step:
        read_lines(path, Step)  # damaged before that step: raises UserError with the line's number
    return lines


def _finite(value: Any) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)
