"""What benches of a model share: each side measured in a process of its own, on the same documents."""

from __future__ import annotations

import json
import statistics
import subprocess
import time
from collections.abc import Callable
from typing import Any

from toolkit import config
from toolkit.data.prepare import prepare
from toolkit.errors import UserError, last_reason
from toolkit.runtime import ALLOCATOR, child_environment, module_command
from toolkit.specs import DataSpec

BASE = "smollm2-135m-embedded"


def held_out(count: int) -> list[str]:
    """The first so many rendered test documents of `wikibooks`."""
    data = DataSpec(train=500, validation=10, test=max(count, 10))
    return list(prepare(config.dataset("wikibooks"), data).test)[:count]


def trained_on(count: int) -> list[str]:
    """The first so many rendered training documents of `wikibooks`."""
    data = DataSpec(train=500, validation=10, test=10)
    return list(prepare(config.dataset("wikibooks"), data).train)[:count]


def in_a_process(module: str, side: str, asked: dict[str, Any]) -> dict[str, Any]:
    """What `python -m MODULE SIDE` prints for ``asked``; our side has the settings that a run has."""
    done = subprocess.run(
        module_command(module, side),
        input=json.dumps(asked),
        env=child_environment(ALLOCATOR if side == "ours" else None),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = last_reason(done.stderr)
        raise UserError(f"{module.rpartition('.')[2]} bench, {side} side: {last}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def median_seconds(repeats: int, work: Callable[[], object]) -> float:
    """The median time of so many calls."""
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)
