"""What was run for a board: data, seeds, learning rates, and the device of its costs."""

from __future__ import annotations

from collections.abc import Sequence

from eval.audit import comparable
from experiments.publishing.board.rows import Row
from experiments.publishing.kept import Kept
from figures.wording.names import count, joined
from toolkit.records import Cell, Condition


def setting(kept: Kept, rows: Sequence[Row], condition: Condition) -> str:
    """Return the section on data, seeds, learning rates, device, margin and runs that did not finish."""
    concluded = kept.conclusions
    fewest, most = (of(row.estimate.seeds for row in rows) for of in (min, max))
    seeds = count(most, "seed") if fewest == most else f"{fewest} to {count(most, 'seed')}"
    documents = max(row.estimate.documents for row in rows)
    margin = next((row.comparison.margin for row in rows if row.comparison and row.comparison.margin), None)
    confirmed = [c for c in concluded.cells if c.condition == condition and c.phase == "confirm"]
    costed = comparable(confirmed, kept.runs, concluded.baseline)
    devices = [{str(run.environment.get("device")) for run in runs.values()} for runs in (costed, kept.runs)]
    others = sorted(devices[1] - devices[0])
    lost = [cell for cell in concluded.cells if cell.status != "finished" and cell.condition == condition]
    lines = [
        "## What was run",
        f"- {condition.base_model} on {condition.dataset}: {condition.train_size} training documents, "
        f"{documents} test documents, {seeds} per method; {len(kept.runs)} runs in all.",
        f"- Learning rates: {_tries(kept, condition)} per method, on validation data; then new seeds.",
        f"- Device of the costs: {', '.join(sorted(devices[0])) or 'none that two methods share'}"
        + (f" (other runs, whose costs are not compared, were on {joined(others)})." if others else "."),
    ]
    if margin is not None:
        lines.append(f"- Margin of *equivalent*: {margin:.4f} {rows[0].estimate.unit or ''}".rstrip() + ".")
    if lost:
        lines.append(f"- Did not finish: {joined([_lost(cell) for cell in lost])}.")
    return "\n".join(lines).replace("run\n-", "run\n\n-", 1)


def _lost(cell: Cell) -> str:
    at = "" if cell.learning_rate is None else f" at {cell.learning_rate:g}"
    return f"`{cell.method}`{at} ({cell.phase}, seed {cell.seed}, {cell.status})"


def _tries(kept: Kept, condition: Condition) -> str:
    tried: dict[str, set[float | None]] = {}
    for cell in kept.conclusions.cells:
        if cell.condition == condition and cell.phase == "tune":
            tried.setdefault(cell.method, set()).add(cell.learning_rate)
    numbers = sorted({len(rates) for rates in tried.values()})
    return " to ".join(map(str, numbers[:1] + numbers[-1:] if len(numbers) > 1 else numbers)) or "none"
