"""A study before it runs: its cells, which of them are done or have failed, and what the others will cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from eval.audit.search import widths
from experiments.design.conditions import CellSpec
from experiments.design.planning.costs import Cost, Costs, probe_of
from experiments.design.planning.edits import describe_edit
from experiments.design.study import StudySpec
from experiments.design.study_state import CellState, StudyState
from figures.wording.names import amount, condition_label, count
from toolkit import config, runtime
from toolkit.errors import UserError
from toolkit.models import methods

DONE = CellState.DONE, CellState.LIKELY_DONE
"""The states of runs that cost nothing more."""
OVER = *DONE, CellState.FAILED
"""The states of runs that are not left to do."""


def check(study: StudySpec) -> None:
    """Refuse, before anything runs, what a study names and what does not exist.

    Raises UserError for more runs than `max_runs`, for unknown metrics, and for adapter types and options
    that peft does not know. If a method is not the catalog's own, that imports peft.
    """
    check_size(study)
    study.headline_metrics()
    known = config.catalog("methods")
    own = [m.method for n, m in study.methods.items() if n not in known or config.method(n) != m.method]
    if any(method.peft is not None for method in own):
        runtime.quiet_libraries()
    for method in own:
        methods.check_options(method)


def check_size(study: StudySpec) -> None:
    """Refuse a study that may have more runs than its `max_runs`."""
    if study.most_runs > study.max_runs:
        raise UserError(
            f"study {study.name}: up to {study.most_runs:,} runs, and max_runs is {study.max_runs:,}: "
            "raise it, or compare less"
        )


def plan(study_state: StudyState) -> dict[str, Any]:
    """Return the study's runs, one dictionary each, and what is left to do, ready for JSON.

    A run that waits for a search has the rate None and the status `after tuning`, or `likely done` if it is
    done at the rate that the search so far chooses; one that converts a run which has not finished has
    `after training`. Runs that a search has not asked for yet are counted at their
    fewest under `left_to_search`, and are in no other number; an extension of a grid adds more. Runs that
    failed are left alone, so they are not among those that are left.
    """
    lost = study_state.failed()
    cells = study_state.cells(lost)
    costs = Costs(study_state)
    rows = [_row(study_state, costs, cell, study_state.state(cell)) for cell in cells]
    undecided = study_state.undecided_cells(cells, lost)
    conversions = study_state.waiting_conversions(cells, lost)
    open_yet = {"learning_rate": None, "run_id": None, "rate_choice": None}
    for cell in undecided:
        rows.append({**_row(study_state, costs, cell, _after_tuning(study_state, cell)), **open_yet})
    for cell in conversions:
        rows.append({**_row(study_state, costs, cell, CellState.AFTER_TRAINING), "run_id": None})
    counted = Counter(row["status"] for row in rows)
    left = [row for row in rows if row["status"] not in OVER]
    known = [row["seconds"] for row in left if row["seconds"] is not None]
    memory = [row["memory_bytes"] for row in left if row["memory_bytes"] is not None]
    return {
        "study": study_state.study.name,
        "edited": describe_edit(study_state, cells),
        "uneven": _uneven(study_state),
        "without_weights": _without_weights(study_state, cells, rows),
        "runs": rows,
        "done": counted[CellState.DONE],
        "likely_done": counted[CellState.LIKELY_DONE],
        "failed": counted[CellState.FAILED],
        "left": len(left),
        "left_to_search": max(0, study_state.more_to_come(cells, lost) - len(undecided) - len(conversions)),
        "left_seconds": sum(known) if known or not left else None,
        "left_of_unknown_cost": len(left) - len(known),
        "largest_memory_bytes": max(memory, default=None),
    }


def probes_for(study_state: StudyState) -> list[CellSpec]:
    """A probe for each base model, data set and method whose cost is not known from finished runs."""
    cells = study_state.cells()
    costs = Costs(study_state)
    probes = {}
    for cell in [*cells, *study_state.undecided_cells(cells)]:
        key = (cell.model.name, cell.dataset.name, cell.method)
        if key not in probes and cell.phase != "tune" and costs(cell).seconds is None:
            probes[key] = probe_of(study_state, cell)
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
    failed = f"{planned['failed']} failed" + (" (--retry-failed runs them)" if planned["failed"] else "")
    likely = f" and {planned['likely_done']} likely done" if planned["likely_done"] else ""
    words = f"{planned['done']} done{likely}, {failed}, {planned['left']} left"
    if planned["left_to_search"]:
        words += f" and at least {planned['left_to_search']} more to search"
    if not planned["left"]:
        return words
    if planned["left_seconds"] is None:
        return f"{words}: their cost is not known from finished runs; --probe measures it in short runs"
    words += f": about {amount(planned['left_seconds'], 'seconds')} one at a time"
    if planned["largest_memory_bytes"] is not None:
        words += f", up to {amount(planned['largest_memory_bytes'], 'bytes')} of memory"
    if planned["left_of_unknown_cost"]:
        words += (
            f"; {planned['left_of_unknown_cost']} more of unknown cost (--probe measures it in short runs)"
        )
    return words


def _uneven(study_state: StudyState) -> str | None:
    """One line if methods search unequally many or far apart rates, which the audit refuses at the end."""
    searches = {name: entry.learning_rates for name, entry in study_state.study.trained_here.items()}
    numbers = {name: str(len(rates)) for name, rates in searches.items()}
    for what, values in (("number", numbers), ("width", widths(searches))):
        if len(set(values.values())) > 1:
            each = ", ".join(f"{name} {value}" for name, value in values.items())
            return f"not the same {what} of learning rates for all ({each}): the audit will refuse it"
    return None


def _without_weights(
    study_state: StudyState, cells: Sequence[CellSpec], rows: Sequence[dict[str, Any]]
) -> str | None:
    """One line if an evaluation is left of runs whose weights are elsewhere, which makes it fail.

    ``rows`` begin with those of the ``cells``, in their order.
    """
    folders = []
    for cell, row in zip(cells, rows, strict=False):
        folder = study_state.root.run(cell.run.run_id)
        evaluation_left = row["status"] in (CellState.TO_EVALUATE, CellState.FAILED)
        if not evaluation_left or cell.phase != "confirm" or not cell.run.method.trained_here:
            continue
        if study_state.record(cell) is not None and not folder.artifact.is_dir():
            folders.append(folder.path)
    if not folders:
        return None
    return (
        f"no weights here to evaluate {count(len(folders), 'run')}, imported or deleted: run the study where "
        f"they are, or train again after `rm -r {' '.join(map(str, folders))}`"
    )


def _after_tuning(study_state: StudyState, cell: CellSpec) -> CellState:
    """The state of a run at the rate that the search so far chooses."""
    return CellState.LIKELY_DONE if study_state.state(cell) == CellState.DONE else CellState.AFTER_TUNING


def _row(study_state: StudyState, costs: Costs, cell: CellSpec, state: CellState) -> dict[str, Any]:
    left = state
    if state == CellState.FAILED and study_state.record(cell) is not None:
        left = CellState.TO_EVALUATE  # it was the evaluation that failed
    cost = Cost() if state in DONE else costs(cell, left)
    conditions = [specs.condition for specs in study_state.conditions]
    condition = cell.condition
    return {
        "run_id": cell.run.run_id,
        **condition._asdict(),
        "condition": condition_label(condition, conditions if cell.phase != "base" else [condition]),
        "phase": cell.phase,
        "method": cell.method,
        "learning_rate": cell.run.learning_rate,
        "rate_choice": cell.rate_choice,
        "seed": cell.run.seed,
        "budget": cell.budget,
        "status": state.value,
        "done": state == CellState.DONE,
        "seconds": cost.seconds,
        "memory_bytes": cost.memory_bytes,
        "cost_from_runs": cost.runs,
    }


def _line(rows: Sequence[dict[str, Any]], several: bool) -> dict[str, Any]:
    first = rows[0]
    counts = {status: sum(row["status"] == status for row in rows) for status in (r["status"] for r in rows)}
    status = ", ".join(name if n == len(rows) else f"{n} {name}" for name, n in counts.items())
    left = next((row for row in rows if row["status"] not in DONE), None)
    return {
        "condition": first["condition"] if several else "",
        "phase": first["phase"],
        "method": first["method"],
        "learning_rate": "" if first["learning_rate"] is None else f"{first['learning_rate']:g}",
        "chosen": first["rate_choice"] if first["rate_choice"] not in (None, "fixed") else "",
        "epochs": "" if first["budget"] == 1 else f"{first['epochs'] * first['budget']:g}",
        "seeds": " ".join(str(row["seed"]) for row in rows),
        "status": status,
        "time_a_run": "" if left is None else amount(left["seconds"], "seconds"),
        "memory": "" if left is None else amount(left["memory_bytes"], "bytes"),
    }
