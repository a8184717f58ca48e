"""Where runs execute: processes of this machine, each run in one of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from experiments.worker import Job
from toolkit import runtime
from toolkit.store import RunFolder

Listen = Callable[[int, dict[str, Any]], None]


class Ended(NamedTuple):
    """How a job ended."""

    error: str | None
    """None where it went well; else one line that says what went wrong and where the log is."""


def local(jobs: Sequence[Job], at_once: int, listen: Listen) -> list[Ended]:
    """Run the jobs in processes, ``at_once`` at a time; one that fails does not stop the others."""
    if not jobs:
        return []
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = max(1, cores // at_once)
    with ThreadPoolExecutor(max_workers=at_once) as pool:
        return list(pool.map(lambda i: _run(i, jobs[i], threads, listen), range(len(jobs))))


def _run(index: int, job: Job, threads: int, listen: Listen) -> Ended:
    folder = RunFolder(Path(job.root), job.run.run_id)
    folder.path.mkdir(parents=True, exist_ok=True)
    environment = {
        **os.environ,
        **runtime.ALLOCATOR,
        "TOKENIZERS_PARALLELISM": "false",
        "PYTHONUNBUFFERED": "1",
    }
    listen(index, {"event": "begin"})
    told: str | None = None
    with (
        folder.log.open("a", encoding="utf-8") as log,
        subprocess.Popen(
            [sys.executable, "-m", "experiments.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=environment,
        ) as process,
    ):
        try:
            assert process.stdin is not None  # noqa: S101 - tells the type checker what PIPE means
            assert process.stdout is not None  # noqa: S101
            process.stdin.write(job.model_copy(update={"threads": threads}).model_dump_json())
            process.stdin.close()
            for line in process.stdout:
                event = json.loads(line)
                if event["event"] == "error":
                    told = event["text"]
                else:
                    listen(index, event)
        except BaseException:
            process.terminate()
            raise
        code = process.wait()
    ended = Ended(_error(code, told, folder))
    listen(index, {"event": "end", "error": ended.error})
    return ended


def _error(code: int, told: str | None, folder: RunFolder) -> str | None:
    if code == 0:
        return None
    if told:
        return told
    if code == -signal.SIGKILL:
        return (
            "killed by the system, most likely for want of memory: lower train.batch_tokens, or jobs at once"
        )
    lines = folder.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return f"{lines[-1][:300] if lines else f'ended with code {code}'} (log: {folder.log})"
