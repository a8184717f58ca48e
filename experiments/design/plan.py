"""A study before it runs: its grid, what is done or has failed, and what each cell will cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from experiments.design.costs import Cost, Costs, probe_of
from experiments.design.edits import note
from experiments.design.grid import Grid, Planned
from figures.wording.names import amount, condition_label

State = Callable[[Grid, Planned], str]


def plan(grid: Grid, state: State, results: Path) -> dict[str, Any]:
    """The study's runs, one dictionary each, and what is left to do, as JSON would have it.

    A run that waits for a search has the rate None and the status `after tuning`. Later rounds of a search,
    and an extension of its grid, add runs that are not in it yet.
    """
    grid.lost |= {cell.run.run_id for cell in grid.cells() if state(grid, cell) == "failed"}
    cells = grid.cells()
    costs = Costs(grid)
    rows = [_row(grid, costs, cell, state(grid, cell)) for cell in cells]
    rows += [
        {**_row(grid, costs, cell, "after tuning"), "learning_rate": None, "run_id": None}
        for cell in grid.to_come(cells)
    ]
    left = [row for row in rows if row["status"] != "done"]
    edited = note(grid, results, cells)
    known = [row["seconds"] for row in left if row["seconds"] is not None]
    memory = [row["memory_bytes"] for row in left if row["memory_bytes"] is not None]
    return {
        "study": grid.study.name,
        "edited": edited,
        "uneven": _uneven(grid),
        "runs": rows,
        "done": len(rows) - len(left),
        "failed": sum(row["status"] == "failed" for row in rows),
        "left": len(left),
        "left_seconds": sum(known) if known or not left else None,
        "left_of_unknown_cost": len(left) - len(known),
        "largest_memory_bytes": max(memory, default=None),
    }


def unknown(grid: Grid) -> list[Planned]:
    """A probe for each base, data set and method whose cost no finished run tells."""
    cells = grid.cells()
    costs = Costs(grid)
    probes = {}
    for cell in [*cells, *grid.to_come(cells)]:
        key = (cell.model.name, cell.dataset.name, cell.method)
        if key not in probes and cell.phase != "tune" and costs(cell).seconds is None:
            probes[key] = probe_of(grid, cell)
    return list(probes.values())


def lines(planned: dict[str, Any]) -> list[dict[str, Any]]:
    """The runs for people: those that differ in their seed alone share a line."""
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in planned["runs"]:
        key = tuple(row[name] for name in ("condition", "phase", "method", "learning_rate", "budget"))
        groups.setdefault(key, []).append(row)
    several = len({row["condition"] for row in planned["runs"]}) > 1
    return [_line(rows, several) for rows in groups.values()]


def total(planned: dict[str, Any]) -> str:
    """What is left, in a sentence."""
    words = f"{planned['done']} done, {planned['failed']} failed, {planned['left']} left"
    if not planned["left"]:
        return words
    if planned["left_seconds"] is None:
        return f"{words}: no finished run tells what they cost here; --probe measures it in short runs"
    words += f": about {amount(planned['left_seconds'], 'seconds')} one at a time"
    if planned["largest_memory_bytes"] is not None:
        words += f", up to {amount(planned['largest_memory_bytes'], 'bytes')} of memory"
    if planned["left_of_unknown_cost"]:
        words += (
            f"; {planned['left_of_unknown_cost']} more of unknown cost (--probe measures it in short runs)"
        )
    return words


def _uneven(grid: Grid) -> str | None:
    """Said before anything runs: what the audit would refuse at the end."""
    tries = {name: len(entry.learning_rates) for name, entry in grid.study.methods.items()}
    if len(set(tries.values())) == 1:
        return None
    counts = ", ".join(f"{name} {number}" for name, number in tries.items())
    return f"not the same number of learning rates for all ({counts}): the audit will refuse to compare them"


def _row(grid: Grid, costs: Costs, cell: Planned, status: str) -> dict[str, Any]:
    spent = Cost() if status == "done" else costs(cell, status)
    conditions = [setting.condition for setting in grid.settings]
    place = cell.setting.condition
    return {
        "run_id": cell.run.run_id,
        **place._asdict(),
        "condition": condition_label(place, conditions if cell.phase != "anchor" else [place]),
        "phase": cell.phase,
        "method": cell.method,
        "learning_rate": cell.run.learning_rate,
        "seed": cell.run.seed,
        "budget": cell.budget,
        "status": status,
        "done": status == "done",
        "seconds": spent.seconds,
        "memory_bytes": spent.memory_bytes,
        "cost_from_runs": spent.runs,
    }


def _line(rows: Sequence[dict[str, Any]], several: bool) -> dict[str, Any]:
    first = rows[0]
    counts = {status: sum(row["status"] == status for row in rows) for status in (r["status"] for r in rows)}
    status = ", ".join(name if n == len(rows) else f"{n} {name}" for name, n in counts.items())
    left = next((row for row in rows if row["status"] != "done"), None)
    return {
        "condition": first["condition"] if several else "",
        "phase": first["phase"],
        "method": first["method"],
        "learning_rate": "" if first["learning_rate"] is None else f"{first['learning_rate']:g}",
        "epochs": "" if first["budget"] == 1 else f"{first['epochs'] * first['budget']:g}",
        "seeds": " ".join(str(row["seed"]) for row in rows),
        "status": status,
        "time_a_run": "" if left is None else amount(left["seconds"], "seconds"),
        "memory": "" if left is None else amount(left["memory_bytes"], "bytes"),
    }
