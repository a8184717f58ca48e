"""`bakeoff bench all`: measure what is missing, one process per part; one that fails costs itself alone."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from experiments.bench.performance import page as pages
from experiments.bench.performance import results
from experiments.bench.performance.parts import Part, chosen
from experiments.bench.performance.results import PartResult
from experiments.bench.performance.sections import SECTIONS
from toolkit.errors import UserError, one_line
from toolkit.runtime import child_environment, module_command

Status = Literal["measured", "kept", "failed", "no time left"]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a part."""

    part: str
    status: Status
    """`kept`: measured before."""
    seconds: float | None = None
    """Of the part's measurement, now or before; None without one."""
    error: str | None = None
    file: str | None = None
    """Path of the result."""


@dataclass(frozen=True, kw_only=True)
class Done:
    """What `bakeoff bench all` did."""

    outcomes: list[Outcome]
    device: str
    folder: Path
    page: Path

    def as_json(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        places = {"device": self.device, "folder": str(self.folder), "page": str(self.page)}
        return {"name": "all", **places, "parts": [asdict(outcome) for outcome in self.outcomes]}


def bring_up_to_date(
    only: str | None,
    say: Callable[[str], None],
    *,
    quick: bool = False,
    minutes: float | None = None,
    records: Path | None = None,
    page: Path | None = None,
) -> Done:
    """Measure the chosen parts and write the page from all results of this machine; see `bakeoff bench all`.

    Raises UserError for a part that does not exist.
    """
    parts = chosen(only)
    facts = results.environment()
    folder = records or results.folder_for(str(facts["device"]), quick)
    page = page or (folder / "performance.md" if quick else Path("docs/performance.md"))
    outcomes = measure(parts, folder, facts, say, quick=quick, minutes=minutes)
    failures = {one.part: one.error or one.status for one in outcomes if one.file is None}
    found = results.read_all(folder, quick)
    if not quick:
        found = results.with_other_machines(folder, found, [section.parts for section in SECTIONS])
    pages.write(page, folder, found, failures)
    return Done(outcomes=outcomes, device=str(facts["device"]), folder=folder, page=page)


def measure(
    parts: Sequence[Part],
    folder: Path,
    environment: dict[str, Any],
    say: Callable[[str], None],
    *,
    quick: bool = False,
    minutes: float | None = None,
) -> list[Outcome]:
    """Measure the parts that ``folder`` has no result of, and write a file for each as it ends.

    A part that fails is named, and the others are measured. After ``minutes`` the part that is under way is
    stopped, and it and the rest are `no time left`. ``say`` gets lines of progress.
    """
    end = None if minutes is None else time.monotonic() + 60 * minutes
    outcomes: list[Outcome] = []
    for number, part in enumerate(parts, start=1):
        place = f"[{number}/{len(parts)}] {part.name}"
        before = results.read(folder, part, quick)
        path = folder / f"{part.name}.json"
        if before is not None and before.edition == part.edition:
            say(f"{place}: measured before, {before.date}")
            outcome = Outcome(part=part.name, status="kept", seconds=before.seconds, file=str(path))
        elif end is not None and time.monotonic() >= end:
            outcome = Outcome(part=part.name, status="no time left")
        else:
            about = "" if quick else f", about {part.minutes:g} min on two CPU cores"
            say(f"{place}: bakeoff {' '.join(part.command(quick))}{about}")
            outcome = _measured(part, path, environment, say, quick, end)
        if outcome.status in ("failed", "no time left"):
            say(f"{place}: {outcome.status}{f': {outcome.error}' if outcome.error else ''}")
        outcomes.append(outcome)
    return outcomes


def _measured(
    part: Part,
    path: Path,
    environment: dict[str, Any],
    say: Callable[[str], None],
    quick: bool,
    end: float | None,
) -> Outcome:
    began = time.monotonic()
    command = part.command(quick)
    try:
        text = output_of(
            module_command("experiments.cli", *command, "--json"),
            lambda line: say(f"    {line}"),
            None if end is None else end - began,
        )
        seconds = round(time.monotonic() - began, 1)
        PartResult(
            part=part.name,
            command=command,
            edition=part.edition,
            date=datetime.now(UTC).strftime("%Y-%m-%dT%H:%MZ"),
            seconds=seconds,
            environment=environment,
            measured=json.loads(text),
        ).write(path)
    except TimeoutError:
        return Outcome(part=part.name, status="no time left")
    except (UserError, ValueError) as error:  # ValueError: what it printed is no JSON object
        return Outcome(part=part.name, status="failed", error=one_line(error))
    say(f"    {part.name}: measured in {seconds:.0f} s")
    return Outcome(part=part.name, status="measured", seconds=seconds, file=str(path))


def output_of(command: Sequence[str], say: Callable[[str], None], seconds: float | None = None) -> str:
    """Run a command and return what it printed; its standard error goes to ``say``, line by line.

    It and all that it started are stopped after ``seconds`` (TimeoutError), and if this process is
    interrupted. Raises UserError with the last line of its standard error if it fails.
    """
    last = "no message"
    stopped = threading.Event()
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as printed,
        subprocess.Popen(
            command,
            stdout=printed,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env=child_environment(),
            start_new_session=True,  # stopped as a whole: the sides of a bench are its children
        ) as process,
    ):

        def stop() -> None:
            stopped.set()
            _end(process.pid)

        timer = None if seconds is None else threading.Timer(max(0.0, seconds), stop)
        if timer is not None:
            timer.start()
        try:
            for line in process.stderr or ():
                if line.strip():
                    last = line.strip()
                    say(last)
            code = process.wait()
        except BaseException:
            _end(process.pid)
            raise
        finally:
            if timer is not None:
                timer.cancel()
        if stopped.is_set():
            raise TimeoutError
        if code:
            raise UserError(f"exit code {code}: {last}")
        printed.seek(0)
        return printed.read()


def _end(session: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(session, signal.SIGKILL)
