"""What an executor is: it runs jobs and reports their events."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from experiments.running.job import Job
from toolkit.events import Event

JobListener = Callable[[int, Event], None]
"""Called with a job's index and an event: `Started`, what its worker reports, and at last `Ended`."""


class Executor(Protocol):
    """Runs jobs. One that fails does not stop the others."""

    def __call__(self, jobs: Sequence[Job], listener: JobListener) -> list[str | None]:
        """Run the jobs; for each in order None, or one line that says what went wrong.

        ``listener`` is called from the calling thread alone. On KeyboardInterrupt everything that was started
        is stopped before the exception goes on.
        """
        ...
