"""What a person sees of long work: bars on a terminal or in a notebook, lines elsewhere, and a log file."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Column

from experiments.running.lines import duration, indented, sparkline
from toolkit.errors import visible
from toolkit.events import Advanced, Event, Halted, Listener, PhaseStarted, StepTaken, Validated

QUIET_SECONDS = 20
"""At least this many seconds lie between two plain lines about the same work."""
QUIET_PHASES = ("loading", "measuring")
"""Phases of seconds, which get no line of their own."""


@dataclass
class _Work:
    """Something on its way: a run, or work of this process."""

    name: str
    """What plain lines call it."""
    shown: str
    """What its bar is labelled with."""
    task: TaskID
    began: float
    stage: str = "starting"
    losses: list[float] = field(default_factory=list)
    last_line: float | None = None
    """When the last plain line was printed; None before the first event of the stage."""


class Board:
    """Shows the events of jobs: which are on their way, how many are done, and how long it may take."""

    def __init__(
        self, console: Console, log: Path | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._console, self._log, self._clock = console, log, clock
        self._animated = console.is_terminal or (console.is_jupyter and find_spec("ipywidgets") is not None)
        self._works: dict[str, _Work] = {}
        self._total = self._skipped = self._left_alone = self._ended = self._failed = 0
        self._began: float | None = None
        self._progress = Progress(
            _plain("description", Column(ratio=1, no_wrap=True, overflow="ellipsis")),
            _plain("fields[stage]", Column(no_wrap=True)),
            BarColumn(bar_width=8),
            _plain("fields[loss]", Column(no_wrap=True)),
            _plain("fields[speed]", Column(no_wrap=True)),
            TimeRemainingColumn(compact=True),
            console=console,
            transient=True,
            refresh_per_second=2,
            expand=True,
            disable=not self._animated,
            speed_estimate_period=600,
            get_time=clock,
        )
        self._study: TaskID | None = None

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None and self._began is not None:
            self._write_log("stopped" if issubclass(kind, KeyboardInterrupt) else f"ended: {error}")
        self._progress.stop()

    def line(self, text: str) -> None:
        """Print a line that stays, and write it to the log. A console that is gone stops nothing."""
        self._write_log(text)
        try:
            self._console.print(indented(text), highlight=False, markup=False, soft_wrap=True)
        except (OSError, ValueError):  # the terminal was closed, or the disk of a redirection is full
            self._console.quiet = True

    def count_anew(self) -> None:
        """Forget which runs were counted: a study that grows counts all of its runs at each size."""
        self._total = self._skipped = self._left_alone = self._ended = self._failed = 0
        self._began = None

    def expect(self, total: int) -> None:
        """Set the number of runs that the study has."""
        self._total = total
        self._refresh_study()

    def skip(self, done: int, failed: int) -> None:
        """Count runs that need nothing: done before, or failed before and left alone."""
        self._skipped += done
        self._left_alone += failed
        self._refresh_study()

    def begin(self, key: str, number: int, what: str, node: str | None = None) -> None:
        """Start a run; again, if the machine that it ran on was lost."""
        now = self._clock()
        self._began = now if self._began is None else self._began
        again = self._works.get(key)
        self.close(key)
        name = f"run {number} of {self._total} · {what}"
        self._works[key] = self._add(name, f"{number} · {what}", "starting", again.began if again else now)
        self._refresh_study()
        self.line(f"{name}: starting{' again' if again else ''}{f' on {node}' if node else ''}")

    def event(self, key: str, event: Event) -> None:
        """Show an event of a run; nothing happens if it has ended, or was never begun."""
        work = self._works.get(key)
        if work is None:
            return
        if isinstance(event, PhaseStarted):
            self._enter(work, event.phase, None)
            if event.phase not in QUIET_PHASES:
                resumed = ", resumed from a checkpoint" if event.resumed else ""
                words = "waiting for another process" if event.phase == "waiting" else event.phase
                self._quiet_line(f"{work.name}: {words}{resumed}")
        elif isinstance(event, Halted):
            number = event.process
            self.line(
                f"{work.name}: process {number} was stopped by a signal; `kill -CONT {number}` continues it"
            )
        elif isinstance(event, StepTaken):
            work.losses.append(event.loss)
            speed = f"{event.tokens / event.seconds:.0f} tok/s" if event.seconds else ""
            self._advance(work, "training", event.step, event.steps, f" · loss {event.loss:.3f}")
            loss = f"{sparkline(work.losses)} {event.loss:.2f}"
            self._progress.update(work.task, loss=loss, speed=speed)
        elif isinstance(event, Advanced):
            self._advance(work, event.work, event.done, event.total)
        elif isinstance(event, Validated):
            bits = f"{event.bits_per_byte:.4f} bits per byte"
            self.line(f"{work.name}: validation at step {event.step}: {bits}")

    def end(self, key: str, error: str | None) -> None:
        """Count a run as done or failed, also one that never began."""
        work = self._works.get(key)
        self.close(key)
        self._ended += 1
        self._failed += bool(error)
        self._refresh_study()
        name = work.name if work else f"run {key} of {self._total}"
        took = f" ({self._clock() - work.began:.0f} s)" if work else ""
        self.line(f"{name}: {f'failed: {error}' if error else 'done'}{took}")
        if self._seconds_left():
            self._quiet_line(self._summary())

    def listener(self, name: str) -> Listener:
        """Return a listener for countable work of this process, such as preparing data, labelled ``name``."""

        def listen(event: Event) -> None:
            if not isinstance(event, Advanced):
                return
            if name not in self._works:
                self._works[name] = self._add(name, name, "", self._clock())
            self._advance(self._works[name], event.work, event.done, event.total, at_once=False)

        return listen

    def close(self, name: str) -> None:
        """Remove the bar of a run or of a listener's work; nothing happens if there is none."""
        work = self._works.pop(name, None)
        if work:
            self._progress.remove_task(work.task)

    @property
    def running(self) -> list[str]:
        """Keys of the runs on their way."""
        return list(self._works)

    def _add(self, name: str, shown: str, stage: str, began: float) -> _Work:
        return _Work(name, shown, self._add_task(shown, stage), began)

    def _add_task(self, shown: str, stage: str, total: int | None = None, done: int = 0) -> TaskID:
        return self._progress.add_task(
            visible(shown), total=total, completed=done, stage=visible(stage), loss="", speed=""
        )

    def _enter(self, work: _Work, stage: str, total: int | None, done: int = 0) -> None:
        """Start a stage: a resumed one at ``done``, so that its rate counts only what is done from now on."""
        work.stage, work.last_line = stage, None
        self._progress.remove_task(work.task)
        work.task = self._add_task(work.shown, stage, total, done)

    def _advance(
        self, work: _Work, stage: str, done: int, total: int | None, extra: str = "", at_once: bool = True
    ) -> None:
        if work.stage != stage or work.last_line is None:
            self._enter(work, stage, total, done)
            work.last_line = self._clock() - (QUIET_SECONDS if at_once else 0)
        progress = visible(f"{stage} {done:,}/{total:,}" if total else f"{stage} {done:,}")
        self._progress.update(work.task, completed=done, stage=progress)
        if done and self._clock() - work.last_line >= QUIET_SECONDS:
            work.last_line = self._clock()
            left = next((t.time_remaining for t in self._progress.tasks if t.id == work.task), None)
            later = f" · {duration(left)} left" if left else ""
            self._quiet_line(f"{work.name} · {progress}{extra}{later}")

    def _quiet_line(self, text: str) -> None:
        """Write a line to the log, and print it if there are no progress bars."""
        if self._animated:
            self._write_log(text)
        else:
            self.line(text)

    def _write_log(self, text: str) -> None:
        if self._log is None:
            return
        try:
            self._log.parent.mkdir(parents=True, exist_ok=True)
            with self._log.open("a", encoding="utf-8") as stream:
                stream.write(f"{datetime.now().astimezone():%Y-%m-%d %H:%M:%S%z} {indented(text)}\n")
        except OSError as error:
            path, self._log = self._log, None
            self.line(f"cannot write {path}: {error.strerror}; continuing without it")

    def _seconds_left(self) -> float | None:
        """Seconds until the study is done, by the rate at which runs ended; None before the first."""
        if not self._ended or self._began is None:
            return None
        remaining = max(0, self._total - self._skipped - self._left_alone - self._ended)
        return (self._clock() - self._began) / self._ended * remaining

    def _summary(self) -> str:
        failed = self._left_alone + self._failed
        done = self._skipped + self._ended - self._failed
        left = self._seconds_left()
        later = f" · about {duration(left)} left" if left else ""
        return f"{done} of {self._total} runs done{f', {failed} failed' if failed else ''}{later}"

    def _refresh_study(self) -> None:
        if self._study is None:
            self._study = self._add_task("", "")
        done = self._skipped + self._left_alone + self._ended
        self._progress.update(self._study, description=self._summary(), total=self._total, completed=done)


def _plain(value: str, column: Column) -> TextColumn:
    """Return a column of text in which square brackets are no markup."""
    return TextColumn(f"{{task.{value}}}", table_column=column, markup=False)
