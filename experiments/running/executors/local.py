"""Runs as processes of this machine, several at once: each gets its own GPU, and cores are divided."""

from __future__ import annotations

import os
import queue
import sys
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock, Timeout

from experiments.running.executors.base import JobListener
from experiments.running.executors.forking import ForkServer
from experiments.running.executors.process import ENVIRONMENT, WorkerProcess
from experiments.running.job import Job
from toolkit.errors import UserError
from toolkit.events import Ended, Event, Started
from toolkit.records.folders import RunFolder
from toolkit.runtime import gpus


class Local:
    """``jobs`` runs at once; as many as there are GPUs when None, or one."""

    def __init__(self, jobs: int | None = None) -> None:
        if jobs is not None and jobs < 1:
            raise UserError(f"jobs: {jobs}; at least one run at a time")
        self._gpus, self._jobs = gpus(), jobs

    def __call__(self, jobs: Sequence[Job], listener: JobListener) -> list[str | None]:
        """See Executor."""
        inbox: queue.Queue[tuple[int, Event]] = queue.Queue()
        waiting = deque(enumerate(jobs))
        each = max((job.run.train.processes for job in jobs), default=1)
        at_once = self._jobs or max(1, len(self._gpus) // each)
        free = deque(places(at_once, self._gpus, _cores(), each))
        running: dict[int, tuple[WorkerProcess | None, dict[str, str]]] = {}
        errors: list[str | None] = [None] * len(jobs)
        forks = ForkServer({**ENVIRONMENT, **free[0]}) if self._forks(len(jobs)) else None
        try:
            while waiting or running:
                while waiting and free:
                    index, job = _take(waiting)
                    place = free.popleft()
                    running[index] = (None, place)
                    listener(index, Started())
                    running[index] = (_start(index, job, place, inbox, forks), place)
                index, event = inbox.get()
                if isinstance(event, Ended):
                    errors[index] = event.error
                    free.append(running.pop(index)[1])
                listener(index, event)
        finally:
            for process, _ in running.values():
                if process is not None:
                    process.stop()
            if forks is not None:
                forks.close()
        return errors

    def _forks(self, jobs: int) -> bool:
        """Whether a fork server pays and is safe: several runs, Linux, no GPU (never tried with one)."""
        return jobs > 1 and sys.platform == "linux" and not self._gpus


def _take(waiting: deque[tuple[int, Job]]) -> tuple[int, Job]:
    """The first job that no other process works on, so that several commands share a study's runs."""
    chosen = next((entry for entry in waiting if _is_free(entry[1])), waiting[0])
    waiting.remove(chosen)
    return chosen


def _is_free(job: Job) -> bool:
    try:
        with FileLock(RunFolder(Path(job.root), job.run.run_id).lock, timeout=0):
            return True
    except (Timeout, OSError):
        return False


def _start(
    index: int,
    job: Job,
    place: dict[str, str],
    inbox: queue.Queue[tuple[int, Event]],
    forks: ForkServer | None,
) -> WorkerProcess | None:
    try:
        return WorkerProcess(job, place, lambda event: inbox.put((index, event)), forks)
    except OSError as error:
        text = f"cannot start: {error.filename or 'its process'}: {error.strerror}"
        inbox.put((index, Ended(error=text)))
        return None


def places(at_once: int, gpus: Sequence[str], cores: int, each: int = 1) -> list[dict[str, str]]:
    """Return an environment for each run at once: ``each`` GPUs in turn, and a share of the cores.

    A number of threads that the user has set stays.
    """
    threads = os.environ.get("OMP_NUM_THREADS") or str(max(1, cores // at_once))
    shared = {"OMP_NUM_THREADS": threads}
    if not gpus:
        return [shared] * at_once
    dealt = ([gpus[(i * each + k) % len(gpus)] for k in range(min(each, len(gpus)))] for i in range(at_once))
    return [{**shared, "CUDA_VISIBLE_DEVICES": ",".join(names)} for names in dealt]


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
