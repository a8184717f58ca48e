"""Whether what runs cost can be compared: no times of several devices, and none taken beside other work."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Literal

from toolkit.records import Cell, Finding, RunRecord, on_one_device

CROWDED = 0.1
"""Share of a run's threads that may lack a core before its times are flagged."""


def had_its_cores(run: RunRecord) -> bool | None:
    """Whether a run's threads had a core each, or a GPU did the work; None if it was not measured.

    They lacked cores if they and what others took are more than the machine has.
    """
    others, machine = run.costs.cores_of_others, run.environment
    if "cuda" in machine:
        return True
    if others is None or not machine.get("cores") or not machine.get("threads"):
        return None
    return bool(others <= machine["cores"] - (1 - CROWDED) * machine["threads"])


def comparable(
    cells: Sequence[Cell], runs: Mapping[str, RunRecord], cost: Literal["memory", "time"], beside: str | None
) -> dict[str, RunRecord]:
    """Return the finished runs whose memory or time can be compared, by id (`on_one_device`).

    Times are compared on one device alone. The peak memory of a process on a CPU depends on the system and
    the number of threads, not on the model of the processor. ``beside`` is the method the others are compared
    with: the device is one where it ran; None for no such method.
    """
    finished = [cell for cell in cells if cell.run_id in runs and runs[cell.run_id].status == "finished"]
    where = _place_of_memory if cost == "memory" else _place_of_time
    there = on_one_device(finished, lambda cell: (cell.method, where(runs[cell.run_id])), beside)
    return {cell.run_id: runs[cell.run_id] for cell in there}


def _place_of_time(run: RunRecord) -> object:
    return run.environment.get("device")


def _place_of_memory(run: RunRecord) -> object:
    """Return the GPU whose allocator counted the memory; of a process's memory the system and its threads."""
    machine = run.environment
    if run.costs.cuda_allocated_bytes is not None or "cuda" in machine or not machine.get("system"):
        return machine.get("device")
    return str(machine["system"]).split()[0], machine.get("threads")


def busy_machine(trained: Sequence[Cell], runs: Mapping[str, RunRecord]) -> list[Finding]:
    """Flag methods that trained on a CPU whose cores were taken by other work; nothing if it is unknown."""
    known = {cell: alone for cell in trained if (alone := had_its_cores(runs[cell.run_id])) is not None}
    if not known:
        return []
    crowded = {cell.method for cell, alone in known.items() if not alone}
    if not crowded:
        return [Finding(check="busy machine", status="ok", text="every run had the cores it needed")]
    taken: defaultdict[str, list[float]] = defaultdict(list)
    for cell in known:
        taken[cell.method].append(runs[cell.run_id].costs.cores_of_others or 0.0)
    spans = "; ".join(f"{name}: {min(taken[name]):.1f} to {max(taken[name]):.1f}" for name in sorted(taken))
    text = f"other work took some of the cores while steps ran ({spans}): times can't be compared"
    return [Finding(check="busy machine", status="flagged", text=text, methods=tuple(sorted(crowded)))]
