"""A run's worker as a process: started, listened to, stopped, and its end put in words."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Mapping
from contextlib import suppress

import psutil

from experiments.running.executors.forking import Forked, ForkServer
from experiments.running.job import Job, might_need_them
from toolkit import runtime
from toolkit.errors import first_line
from toolkit.events import Ended, Failed, Halted, Listener, from_json
from toolkit.records.folders import RunFolder

PATIENCE = 5  # seconds between asking a process to stop and making it
WATCH_SECONDS = 5.0
"""A process that a signal has stopped is reported after at most this time."""
WORKER = "experiments.running.worker"
FIXED = {"TOKENIZERS_PARALLELISM": "false", "PYTHONUNBUFFERED": "1"}
ENVIRONMENT = {**runtime.ALLOCATOR, **FIXED}
"""Of every worker."""


class WorkerProcess:
    """A worker at its job. ``listener`` is called from a thread of its own; the last event is `Ended`.

    The worker ends when this process does, however that ends: it holds the other end of a pipe. ``forks``
    starts it, if given and if the job is one that it has imported everything for.
    """

    def __init__(
        self, job: Job, environment: Mapping[str, str], listener: Listener, forks: ForkServer | None = None
    ):
        self._folder, self._listener = job.folder, listener
        self._folder.path.mkdir(parents=True, exist_ok=True)
        self._process: subprocess.Popen[str] | Forked
        if forks is None or might_need_them(job) or job.run.train.processes > 1:
            self._process = _started(environment, self._folder)
        else:
            read = job.run.model if job.run.method.elsewhere else None
            self._process = forks.start(WORKER, [], environment, self._folder.log, read)
        self._thread = threading.Thread(target=self._listen, args=(job.model_dump_json(),), daemon=True)
        self._thread.start()
        threading.Thread(target=self._watch, daemon=True).start()

    def stop(self) -> None:
        """End the process and what it has started."""
        for order in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self._process.pid, order)
                self._process.wait(PATIENCE)
            except ProcessLookupError:
                break
            except subprocess.TimeoutExpired:
                continue
        self._thread.join(PATIENCE)

    def join(self) -> None:
        """Wait for the end."""
        self._thread.join()

    def _watch(self) -> None:
        """Report each time that the process, or one that it has started, is stopped by a signal."""
        reported: set[int] = set()
        while True:
            try:
                self._process.wait(WATCH_SECONDS)
                return
            except subprocess.TimeoutExpired:
                stopped = stopped_processes(self._process.pid)
            for number in sorted(stopped - reported):
                self._listener(Halted(process=number))
            reported = stopped

    def _listen(self, job: str) -> None:
        """Report the process's events, and its end whatever happens: an executor waits for that."""
        error: str | None = None
        try:
            failure = self._report(job)
            error = _in_words(self._process.wait(), failure, self._folder)
        except Exception as problem:  # noqa: BLE001 - it is the run's end, and costs the others nothing
            error = f"its worker was ended, as its events could not be reported: {first_line(problem)}"
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._listener(Ended(error=error))

    def _report(self, job: str) -> str | None:
        """Send the job and report events until there are no more; the failure that the worker reported."""
        failure: str | None = None
        process = self._process
        assert process.stdin is not None  # noqa: S101 - tells the type checker what PIPE means
        assert process.stdout is not None  # noqa: S101
        try:
            process.stdin.write(job + "\n")
            process.stdin.flush()
        except BrokenPipeError:
            pass  # it died before it read; its code and its log say why
        for line in process.stdout:
            try:
                event = from_json(line)
            except ValueError:  # printed by what the worker imports, before it could redirect it
                self._log(line)
                continue
            if isinstance(event, Failed):
                failure = event.error
            else:
                self._listener(event)
        process.stdout.close()
        return failure

    def _log(self, line: str) -> None:
        with suppress(OSError), self._folder.log.open("a", encoding="utf-8") as log:
            log.write(line)


def _started(environment: Mapping[str, str], folder: RunFolder) -> subprocess.Popen[str]:
    """Start a worker as a Python of its own."""
    with folder.log.open("ab") as log:
        return subprocess.Popen(
            runtime.module_command(WORKER),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            encoding="utf-8",
            errors="replace",  # a line that is no event may be any bytes
            env=runtime.child_environment({**ENVIRONMENT, **environment}),
            start_new_session=True,  # Ctrl-C reaches the one who started it, who stops it
        )


def stopped_processes(number: int) -> set[int]:
    """Return the ids of a process and those that it has started, of those that a signal has stopped."""
    stopped = set()
    with suppress(psutil.Error):  # it has just ended
        process = psutil.Process(number)
        for one in (process, *process.children(recursive=True)):
            with suppress(psutil.Error):
                if one.status() == psutil.STATUS_STOPPED:
                    stopped.add(one.pid)
    return stopped


def log_tail(folder: RunFolder, lines: int = 20) -> tuple[str, ...]:
    """Return the last lines of a run's log; none without a log."""
    try:
        with folder.log.open("rb") as stream:
            stream.seek(max(0, stream.seek(0, os.SEEK_END) - 20_000))
            text = stream.read().decode(errors="replace")
    except OSError:
        return ()
    return tuple(line[:500] for line in text.strip().splitlines()[-lines:])


def _in_words(code: int, failure: str | None, folder: RunFolder) -> str | None:
    if code == 0:
        return None
    if failure:
        return failure
    if code == -signal.SIGKILL:
        return "killed by the operating system, probably out of memory: lower train.batch_tokens or --jobs"
    if code < 0:
        known = {number.value: number.name for number in signal.Signals}
        return f"ended by signal {known.get(-code, -code)} (log: {folder.log})"
    last = log_tail(folder, 1)
    return f"{last[0][:300] if last else f'ended with code {code}'} (log: {folder.log})"
