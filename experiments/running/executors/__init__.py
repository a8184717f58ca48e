"""Where runs execute: processes of this machine, or a Ray cluster. Each run is a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from experiments.running.job import Job
from toolkit.errors import UserError
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


def choose(name: str, jobs: int | None, *, address: str | None, **needs: float | None) -> Executor:
    """The executor that a command's options ask for; options of the other one are refused, not ignored."""
    given = {"address": address, **needs}
    if name == "ray":
        from experiments.running.executors.ray import Needs, OnRay

        if jobs is not None:
            raise UserError("--jobs: how many runs a cluster takes at once follows from --cpus and --gpus")
        for option, value in needs.items():
            if value is not None and (value < 0 or (value == 0 and option != "gpus")):
                raise UserError(f"--{option.replace('_', '-')} {value:g}: more than 0")
        gigabytes = needs["memory_gb"]
        memory = None if gigabytes is None else int(gigabytes * 1e9)
        return OnRay(address or "auto", Needs(needs["cpus"], needs["gpus"], memory))
    from experiments.running.executors.local import Local

    for option, value in given.items():
        if value is not None:
            raise UserError(f"--{option.replace('_', '-')} is for --executor ray")
    if jobs is not None and jobs < 1:
        raise UserError(f"--jobs {jobs}: at least one run at a time")
    return Local(jobs)
