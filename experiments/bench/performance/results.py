"""A part's result on disk: what was measured, by which command, when, and on what."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from experiments.bench.performance.parts import PARTS, Part
from toolkit.errors import UserError, last_reason
from toolkit.records import Record
from toolkit.runtime import child_environment, module_command

FOLDER = Path("experiments/results/bench")
"""One folder per machine, below the working directory: results of the repository are published with it."""


class PartResult(Record):
    """`<part>.json`: exists if and only if the part was measured to its end."""

    part: str
    command: tuple[str, ...]
    """Arguments of `bakeoff`."""
    edition: int = 1
    """The part's when it was measured."""
    date: str
    """UTC, to the minute: `2026-11-26T02:30Z`."""
    seconds: float
    """Of the whole command."""
    environment: dict[str, Any]
    """Of `toolkit.runtime.environment`: machine, device, threads, versions."""
    measured: dict[str, Any]
    """What the command printed."""

    @property
    def device(self) -> str:
        """The GPU by name, or the processor."""
        return str(self.environment["device"])


def environment() -> dict[str, Any]:
    """Return this machine's device, threads and versions, asked in a process of its own: it loads torch."""
    code = "import json; from toolkit.runtime import environment; print(json.dumps(environment()))"
    done = subprocess.run(
        [*module_command("")[:2], "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env=child_environment(),
    )
    if done.returncode:
        last = last_reason(done.stderr)
        raise UserError(f"bench all: cannot load torch: {last}")
    facts: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return facts


def folder_for(device: str, quick: bool, parent: Path = FOLDER) -> Path:
    """Return the folder of a device's results: `cpu-amd-epyc-2-cores`, with `-quick` for trials."""
    name = re.sub(r"[^a-z0-9]+", "-", device.lower()).strip("-")
    return parent / (f"{name}-quick" if quick else name)


def read(folder: Path, part: Part, quick: bool) -> PartResult | None:
    """Return the part's result; None if there is none, or if it is of another command than today's."""
    path = folder / f"{part.name}.json"
    if not path.is_file():
        return None
    result = PartResult.read(path)
    return result if result.command == part.command(quick) else None


def read_all(folder: Path, quick: bool, parts: Sequence[Part] = PARTS) -> dict[str, PartResult]:
    """Return the results that are there, by the part's name, in the page's order."""
    found = {part.name: read(folder, part, quick) for part in parts}
    return {name: result for name, result in found.items() if result is not None}


def with_other_machines(
    folder: Path, here: dict[str, PartResult], groups: Iterable[Sequence[str]]
) -> dict[str, PartResult]:
    """Return this machine's results, and those of other machines for groups of parts of which it has none.

    ``groups`` are parts that are shown together, by name; each comes from one machine, the one with most of
    them. Results of a GPU are not mixed with those of a processor.
    """
    cpu = folder.name.startswith("cpu-")
    others = [other for other in sorted(folder.parent.glob("*")) if other.is_dir() and other != folder]
    alike = [
        read_all(other, quick=False)
        for other in others
        if not other.name.endswith("-quick") and other.name.startswith("cpu-") == cpu
    ]
    everywhere = dict(here)
    for group in groups:
        if not any(name in here for name in group):
            most = max(alike, key=lambda found: sum(name in found for name in group), default={})
            everywhere |= {name: most[name] for name in group if name in most}
    return everywhere
