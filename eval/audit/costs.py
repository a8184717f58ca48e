"""Whether what runs cost can be compared: not on several devices, and no times taken beside other work."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

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
    cells: Sequence[Cell], runs: Mapping[str, RunRecord], beside: str | None
) -> dict[str, RunRecord]:
    """Return the finished runs whose memory and time can be compared, by id: those on one device.

    It is the device that most of the cells' methods share, its memory measured in one way (`on_one_device`).
    ``beside`` is the method the others are compared with: the device is one where it ran; None for no such
    method. What was trained elsewhere has no costs, and chooses no device.
    """
    finished = [
        cell
        for cell in cells
        if cell.run_id in runs and runs[cell.run_id].status == "finished" and _measured(runs[cell.run_id])
    ]
    there = on_one_device(finished, lambda cell: (cell.method, _measured_on(runs[cell.run_id])), beside)
    return {cell.run_id: runs[cell.run_id] for cell in there}


def _measured(run: RunRecord) -> bool:
    costs = run.costs
    known = costs.train_seconds, costs.supervised_tokens_per_second, costs.peak_memory_bytes
    return any(cost is not None for cost in known)


def _measured_on(run: RunRecord) -> tuple[object, bool]:
    """Return the device, and whether its own allocator counted the memory."""
    return run.environment.get("device"), run.costs.cuda_allocated_bytes is not None


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
