"""The executor for the options of a command."""

from __future__ import annotations

from experiments.running.executors.base import Executor
from toolkit.errors import UserError


def choose(name: str, jobs: int | None, *, address: str | None, **needs: float | None) -> Executor:
    """Return the executor for a command's options; options of another executor are refused, not ignored."""
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

    for option in ("address", *needs):
        if (address if option == "address" else needs[option]) is not None:
            raise UserError(f"--{option.replace('_', '-')} is for --executor ray")
    if jobs is not None and jobs < 1:
        raise UserError(f"--jobs {jobs}: at least one run at a time")
    return Local(jobs)
