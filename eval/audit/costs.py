"""Whether what runs cost can be compared: times that were taken beside other work can't."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from toolkit.records import Cell, Finding, RunRecord

CROWDED = 0.1
"""Share of a run's threads that may lack a core before its times are flagged."""


def busy_machine(trained: Sequence[Cell], runs: Mapping[str, RunRecord]) -> list[Finding]:
    """Flag methods that trained on a CPU whose cores were taken by other work; nothing where it is unknown.

    A run's threads lack cores if they and what others took are more than the machine has.
    """
    taken: defaultdict[str, list[float]] = defaultdict(list)
    crowded = set()
    cores = 0
    for cell in trained:
        run = runs[cell.run_id]
        others, has = run.costs.cores_of_others, run.environment
        if others is None or "cuda" in has or not has.get("cores") or not has.get("threads"):
            continue
        taken[cell.method].append(others)
        cores = has["cores"]
        if others > cores - (1 - CROWDED) * has["threads"]:
            crowded.add(cell.method)
    if not taken:
        return []
    if not crowded:
        return [Finding(check="busy machine", status="ok", text="no other work beside the runs")]
    spans = "; ".join(f"{name}: {min(taken[name]):.1f} to {max(taken[name]):.1f}" for name in sorted(taken))
    text = f"other work took some of {cores} cores while steps ran ({spans}): times can't be compared"
    return [Finding(check="busy machine", status="flagged", text=text, methods=tuple(sorted(crowded)))]
