"""What a person sees of long work: a live table on a terminal, plain lines elsewhere, and `study.log`."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from toolkit.events import Advanced, Event, PhaseStarted, StepTaken, Validated

QUIET_SECONDS = 20  # between two plain lines of the same stage
BARS = "▁▂▃▄▅▆▇█"
PHASE_WORDS = {"waiting": "waiting for another process"}  # phases that are shown by other words


@dataclass
class Running:
    """A run that is on its way."""

    number: int
    what: str
    began: float
    stage: str = "starting"
    done: int = 0
    total: int = 0
    losses: list[float] = field(default_factory=list)
    tokens_per_second: float | None = None
    stage_began: float = 0.0
    stage_first: int = 0
    """How much of the stage was done when it was first heard of: a resumed run does not begin at 0."""
    said: float = 0.0

    @property
    def progress(self) -> str:
        """`training 34/120`."""
        return f"{self.stage} {self.done}/{self.total}" if self.total else self.stage

    @property
    def seconds_left(self) -> float | None:
        """Of this stage, by its rate so far; None while there is none."""
        new = self.done - self.stage_first
        return (time.monotonic() - self.stage_began) / new * (self.total - self.done) if new > 0 else None


class Board:
    """Shows the events of workers: which runs are on their way, how many are done, how long it may take."""

    def __init__(self, console: Console, log: Path | None = None) -> None:
        self._console, self._log = console, log
        self._lock = threading.RLock()  # the live table is drawn by a thread of rich's
        self._running: dict[str, Running] = {}
        self._total = self._there = self._left_alone = self._ended = self._failed = 0
        self._began: float | None = None
        self._live = Live(
            get_renderable=self._table, console=console, refresh_per_second=2, transient=True, screen=False
        )

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None and self._began is not None:
            self._note("stopped" if issubclass(kind, KeyboardInterrupt) else f"ended: {error}")
        self._live.stop()

    def say(self, text: str) -> None:
        """A line that stays."""
        self._note(text)
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def plan(self, total: int) -> None:
        """How many runs the study has."""
        self._total = total

    def found(self, there: int, failed: int) -> None:
        """So many more runs need nothing: done before, or failed before and left alone."""
        self._there += there
        self._left_alone += failed

    def begin(self, key: str, number: int, what: str, node: str | None = None) -> None:
        """A run starts; again, where the machine that it was on is lost."""
        now = time.monotonic()
        self._began = self._began or now
        with self._lock:
            again = self._running.get(key)
            self._running[key] = Running(number, what, again.began if again else now)
        self.say(f"{self._name(key)}: starting{' again' if again else ''}{f' on {node}' if node else ''}")

    def event(self, key: str, event: Event) -> None:
        """Show what a worker reports."""
        if isinstance(event, PhaseStarted):
            phase = PHASE_WORDS.get(event.phase, event.phase)
            resumed = ", resumed from a checkpoint" if event.resumed else ""
            with self._lock:
                self._stage(self._running[key], phase, 0, 0)
            if event.phase not in ("loading", "measuring"):
                self._line(f"{self._name(key)}: {phase}{resumed}")
        elif isinstance(event, StepTaken):
            with self._lock:
                run = self._running[key]
                run.losses.append(event.loss)
                run.tokens_per_second = event.tokens / event.seconds if event.seconds else None
            self._advance(key, "training", event.step, event.steps, f" · loss {event.loss:.3f}")
        elif isinstance(event, Advanced):
            self._advance(key, event.work, event.done, event.total or 0)
        elif isinstance(event, Validated):
            text = f"validation at step {event.step}: {event.bits_per_byte:.4f} bits per byte"
            self.say(f"{self._name(key)}: {text}")

    def end(self, key: str, error: str | None) -> None:
        """A run is done, or has failed."""
        name = self._name(key)
        with self._lock:
            run = self._running.pop(key)
            self._ended += 1
            self._failed += bool(error)
        seconds = time.monotonic() - run.began
        self.say(f"{name}: {f'failed: {error}' if error else 'done'} ({seconds:.0f} s)")
        left = self._seconds_left()
        if left:
            self._line(f"{self._summary()} · about {duration(left)} left")

    @property
    def running(self) -> list[str]:
        """Keys of the runs on their way."""
        return list(self._running)

    def _name(self, key: str) -> str:
        run = self._running[key]
        return f"run {run.number} of {self._total} · {run.what}"

    def _advance(self, key: str, stage: str, done: int, total: int, extra: str = "") -> None:
        with self._lock:
            run = self._running[key]
            if run.stage != stage or not run.total:
                self._stage(run, stage, done, total)
            run.done = done
        now = time.monotonic()
        if now - run.said >= QUIET_SECONDS and done:
            run.said = now
            left = run.seconds_left
            later = f" · {duration(left)} left" if left else ""
            self._line(f"{self._name(key)} · {run.progress}{extra}{later}")

    @staticmethod
    def _stage(run: Running, stage: str, done: int, total: int) -> None:
        run.stage, run.done, run.total, run.said = stage, done, total, 0.0
        run.stage_began, run.stage_first = time.monotonic(), done

    def _line(self, text: str) -> None:
        """Worth a line in the log and where there is no live table."""
        if self._console.is_terminal:
            self._note(text)
        else:
            self.say(text)

    def _note(self, text: str) -> None:
        if self._log is None:
            return
        try:
            self._log.parent.mkdir(parents=True, exist_ok=True)
            with self._log.open("a", encoding="utf-8") as stream:
                stream.write(f"{datetime.now().astimezone():%Y-%m-%d %H:%M:%S%z} {text}\n")
        except OSError as error:
            path, self._log = self._log, None
            self.say(f"cannot write {path}: {error.strerror}; going on without it")

    def _seconds_left(self) -> float | None:
        """Of the study, by the rate at which runs ended; None before the first."""
        if not self._ended or self._began is None:
            return None
        remaining = max(0, self._total - self._there - self._left_alone - self._ended)
        return (time.monotonic() - self._began) / self._ended * remaining

    def _summary(self) -> str:
        failed = self._left_alone + self._failed
        done = self._there + self._ended - self._failed
        return f"{done} of {self._total} runs done" + (f", {failed} failed" if failed else "")

    def _table(self) -> RenderableType:
        with self._lock:
            if not self._running:
                return Text("")
            left = self._seconds_left()
            head = (
                f"{self._summary()} · {f'about {duration(left)} left' if left else 'time left not known yet'}"
            )
            table = Table(box=None, padding=(0, 1, 0, 0), expand=True, header_style="dim")
            table.add_column("run", no_wrap=True)
            table.add_column("what", no_wrap=True, overflow="ellipsis", ratio=1)
            table.add_column("stage", no_wrap=True, min_width=16)
            table.add_column("loss", no_wrap=True)
            table.add_column("tok/s", justify="right", no_wrap=True)
            table.add_column("left", justify="right", no_wrap=True)
            room = max(1, self._console.height - 4)
            room_of_name = max(20, self._console.width - 51)  # its end tells runs of one base apart
            for run in list(self._running.values())[:room]:
                speed, rest = run.tokens_per_second, run.seconds_left
                loss = f"{sparkline(run.losses)} {run.losses[-1]:.2f}" if run.losses else ""
                table.add_row(
                    f"{run.number}",
                    Text(run.what if len(run.what) <= room_of_name else f"…{run.what[1 - room_of_name :]}"),
                    run.progress,
                    loss,
                    f"{speed:.0f}" if speed and run.stage == "training" else "",
                    clock(rest) if rest else "",
                )
            return Group(Text(head, style="bold", no_wrap=True, overflow="ellipsis"), table)


def sparkline(values: Sequence[float], width: int = 8) -> str:
    """The values in so many bars at most: means of equal stretches, scaled from lowest to highest."""
    count = min(width, len(values))
    edges = [round(i * len(values) / count) for i in range(count + 1)] if count else [0]
    means = [sum(values[a:b]) / (b - a) for a, b in zip(edges, edges[1:], strict=False)]
    low, span = min(means, default=0.0), max(means, default=0.0) - min(means, default=0.0)
    return "".join(BARS[round((value - low) / span * 7) if span else 0] for value in means)


def duration(seconds: float) -> str:
    """`40 s`, `12 min`, `2 h 5 min`, `3 d 4 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def clock(seconds: float) -> str:
    """`4:10`, `1:04:10`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
