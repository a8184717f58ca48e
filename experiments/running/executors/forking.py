"""A fork server: a process that has imported what a run needs, and forks one worker for each run.

Importing takes seconds, and every run needs the same packages. `python -m …forking DESCRIPTOR MODULE…` is the
server: it imports the modules, then forks for every request on its socket and reports how each worker ended.
A base model that several runs only read is loaded by the server, once for all of them. The server has one
thread, so that forking is safe.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import multiprocessing.connection
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TextIO

from experiments.running.job import IMPORTED_AHEAD
from toolkit import runtime
from toolkit.specs import ModelSpec

AHEAD = (IMPORTED_AHEAD,)
"""Modules that are imported before the first fork."""
MOST_BYTES = 65_536


class Forked:
    """A process that a fork server has started; what `WorkerProcess` needs of `subprocess.Popen`."""

    def __init__(self, pid: int, ended: socket.socket, stdin: TextIO, stdout: TextIO) -> None:
        self.pid, self.stdin, self.stdout = pid, stdin, stdout
        self._ended = ended

    def wait(self, timeout: float | None = None) -> int:
        """Return its exit code, negative for a signal; as `Popen.wait`.

        If the server is gone, nobody knows the code: the process is killed.
        """
        if not multiprocessing.connection.wait([self._ended], timeout):
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
        code = self._ended.recv(64, socket.MSG_PEEK)  # left there: several threads may wait
        if code:
            return int(code)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        return -signal.SIGKILL


class ForkServer:
    """Starts the server at the first request, and again if it is gone. Close it at the end."""

    def __init__(self, environment: Mapping[str, str], ahead: Sequence[str] = AHEAD) -> None:
        self._environment, self._ahead = environment, ahead
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def start(
        self,
        module: str,
        arguments: Sequence[str],
        own: Mapping[str, str],
        log: Path,
        read: ModelSpec | None = None,
    ) -> Forked:
        """Run ``module.main()`` in a process of its own, with variables ``own`` and errors in ``log``.

        ``read``: a base model that the process will not train; it finds it loaded (`toolkit.models.load`).
        Raises OSError if no process can be started.
        """
        request = {
            "module": module,
            "arguments": list(arguments),
            "environment": dict(own),
            "read": read and read.model_dump_json(),
        }
        with log.open("ab") as errors:
            for attempt in (1, 2):
                try:
                    return self._start(request, errors.fileno())
                except (BrokenPipeError, ConnectionError, EOFError):
                    self.close()
                    if attempt == 2:
                        raise OSError(0, "the fork server ends at once", "its process") from None
        raise AssertionError

    def _start(self, request: Mapping[str, object], errors: int) -> Forked:
        if self._control is None:
            self._begin()
        assert self._control is not None  # noqa: S101 - set by _begin
        stdin_read, stdin_write = os.pipe()
        stdout_read, stdout_write = os.pipe()
        ended, reports = socket.socketpair()
        stdin = os.fdopen(stdin_write, "w", encoding="utf-8")
        stdout = os.fdopen(stdout_read, encoding="utf-8", errors="replace")
        try:
            theirs = [stdin_read, stdout_write, errors, reports.fileno()]
            socket.send_fds(self._control, [json.dumps(request).encode()], theirs)
            answer = self._control.recv(64)
            if not answer:
                raise EOFError
        except BaseException:
            for one in (stdin, stdout, ended):
                one.close()
            raise
        finally:
            os.close(stdin_read)
            os.close(stdout_write)
            reports.close()
        return Forked(int(answer), ended, stdin, stdout)

    def _begin(self) -> None:
        self._control, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                runtime.module_command(__name__, str(theirs.fileno()), *self._ahead),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env=runtime.child_environment(self._environment),
                start_new_session=True,
            )

    def close(self) -> None:
        """End the server; workers that it has forked go on."""
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def serve(control: socket.socket) -> Callable[[], int] | None:
    """Fork for every request until the other side closes. Returns what to run in a child, None at the end."""
    heard, wake = socket.socketpair()
    wake.setblocking(False)
    signal.set_wakeup_fd(wake.fileno())
    signal.signal(signal.SIGCHLD, lambda *_: None)
    children: dict[int, socket.socket] = {}
    while True:
        ready = multiprocessing.connection.wait([control, heard])
        if heard in ready:
            heard.recv(4096)
            _report_ended(children)
        if control in ready:
            request, descriptors, _, _ = socket.recv_fds(control, MOST_BYTES, 4)
            if not request:
                return None
            asked = json.loads(request)
            _keep(asked["read"])
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for one in (control, heard, wake, *children.values()):
                    one.close()
                return _become(asked, descriptors)
            children[pid] = socket.socket(fileno=descriptors.pop())
            for descriptor in descriptors:
                os.close(descriptor)
            control.send(str(pid).encode())


def _keep(base: str | None) -> None:
    """Load a base for the process that is forked next and those after it; None: it has no use for one."""
    load = sys.modules.get("toolkit.models.load")  # a server that has imported little keeps nothing
    if load is not None:
        with contextlib.suppress(Exception):  # the worker meets it again, and reports it
            load.keep(base and ModelSpec.model_validate_json(base))


def _report_ended(children: dict[int, socket.socket]) -> None:
    """Send the exit code of every child that has ended."""
    while children:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        with children.pop(pid) as reports, contextlib.suppress(OSError):
            reports.send(str(os.waitstatus_to_exitcode(status)).encode())


def _become(request: dict[str, object], descriptors: list[int]) -> Callable[[], int]:
    """Make this process the one that was requested; returns what it runs."""
    os.setsid()
    for target, descriptor in enumerate(descriptors[:3]):
        os.dup2(descriptor, target)
    for descriptor in descriptors:
        os.close(descriptor)
    environment, arguments = request["environment"], request["arguments"]
    assert isinstance(environment, dict)  # noqa: S101 - tells the type checker what was sent
    assert isinstance(arguments, list)  # noqa: S101
    os.environ.update(environment)
    sys.argv[1:] = arguments

    def run() -> int:
        main: Callable[[], int] = importlib.import_module(str(request["module"])).main
        return main()

    return run


def main() -> int:
    """Entry point of the server, and of every process that it forks."""
    descriptor, *ahead = sys.argv[1:]
    for module in ahead:
        with contextlib.suppress(Exception):  # the worker meets it again, and reports it
            importlib.import_module(module)
    gc.collect()
    gc.freeze()  # what is shared with every worker is not touched by its collections
    work = serve(socket.socket(fileno=int(descriptor)))
    return 0 if work is None else work()


if __name__ == "__main__":
    sys.exit(main())
