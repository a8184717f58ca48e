"""What a person sees of long work: live bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

QUIET_SECONDS = 20  # between two lines of the same stage where there is no terminal


class Board:
    """Shows the events of workers. One bar a run, and which run of how many."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=10),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self._live = console.is_terminal
        self._tasks: dict[str, TaskID] = {}
        self._labels: dict[str, str] = {}
        self._state: dict[str, dict[str, Any]] = {}

    def __enter__(self) -> Self:
        if self._live:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._bars.stop()

    def say(self, text: str) -> None:
        """A line that stays."""
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def begin(self, key: str, label: str) -> None:
        """A run starts."""
        self._labels[key] = label
        self._state[key] = {"stage": "starting", "said": 0.0, "began": time.monotonic()}
        self.say(f"{label}: starting")
        if self._live:
            self._tasks[key] = self._bars.add_task(f"{self._short(key)} · starting", total=None)

    def event(self, key: str, event: dict[str, Any]) -> None:
        """Something that a worker told."""
        kind = event["event"]
        if kind == "phase":
            self._stage(key, event["phase"] + (", resumed from a checkpoint" if event.get("resumed") else ""))
        elif kind == "step":
            self._advance(key, "training", event["step"], event["steps"], f"loss {event['loss']:.3f}")
        elif kind in ("scoring", "generating"):
            self._advance(key, kind, event["done"], event["of"], "")
        elif kind == "validation":
            text = f"validation at step {event['step']}: {event['eval_bits_per_byte']:.4f} bits per byte"
            self.say(f"{self._labels[key]}: {text}")

    def end(self, key: str, text: str) -> None:
        """A run is done, or has failed."""
        if self._live:
            self._bars.remove_task(self._tasks.pop(key))
        seconds = time.monotonic() - self._state.pop(key)["began"]
        self.say(f"{self._labels.pop(key)}: {text} ({seconds:.0f} s)")

    def _short(self, key: str) -> str:
        """`run 2 of 3`: a bar has to fit 80 columns, and what the run is stands in a line above."""
        return self._labels[key].split(" · ")[0]

    def _stage(self, key: str, stage: str) -> None:
        self._state[key] |= {"stage": stage, "said": 0.0, "stage_began": time.monotonic()}
        if self._live:
            self._bars.reset(self._tasks[key], total=None, description=f"{self._short(key)} · {stage}")
        elif stage not in ("loading", "measuring"):
            self.say(f"{self._labels[key]}: {stage}")

    def _advance(self, key: str, stage: str, done: int, total: int, extra: str) -> None:
        state = self._state[key]
        if state["stage"] != stage:
            state |= {"stage": stage, "said": 0.0, "stage_began": time.monotonic()}
            if self._live:
                self._bars.reset(self._tasks[key], total=total)
        name = self._short(key) if self._live else self._labels[key]
        text = " · ".join(part for part in (name, f"{stage} {done}/{total}", extra) if part)
        if self._live:
            self._bars.update(self._tasks[key], completed=done, total=total, description=text)
            return
        now = time.monotonic()
        if now - state["said"] >= QUIET_SECONDS and done:
            state["said"] = now
            left = (now - state["stage_began"]) / done * (total - done)
            self.say(f"{text} · {left:.0f} s left" if done < total else text)
