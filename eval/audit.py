"""May these runs be compared at all? Each check says ok, flagged (read with care) or refused (no verdict)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from eval.metrics import held_out
from toolkit.records import Cell, Condition, EvaluationRecord, Finding, RunRecord

Value = Callable[[RunRecord], Any]

FEW = 30
"""Held-out documents below which verdicts are flagged; docs/calibration.md checks them from 50 on."""


def audit(
    cells: Sequence[Cell], runs: dict[str, RunRecord], evaluations: dict[str, EvaluationRecord]
) -> list[Finding]:
    """All findings over the confirming cells, condition by condition."""
    findings: list[Finding] = []
    for condition in dict.fromkeys(c.condition for c in cells):
        panel = [c for c in cells if c.condition == condition]
        trained = [c for c in panel if c.phase == "confirm" and c.run_id in runs]
        said = [
            *_one_seed_one_stream(trained, runs),
            _same("base weights", "refused", panel, runs, lambda r: r.environment.get("base_revision")),
            _same("test part", "refused", panel, evaluations, lambda e: e.test),
            _same("decoding", "refused", panel, evaluations, lambda e: e.spec.digest),
            _same("epochs", "refused", trained, runs, lambda r: r.spec.train.epochs),
            _same("precision", "refused", trained, runs, lambda r: r.precision),
            *_few_documents(panel, evaluations),
            *([_end_labels(trained, runs), *_training_settings(trained, runs)] if trained else []),
            _learning_rates(panel),
            *_grid_edges(panel),
            _same("device", "flagged", panel, runs, lambda r: r.environment.get("device")),
            _same("versions", "flagged", panel, runs, lambda r: r.environment.get("versions")),
            *_left_out(trained, runs),
            *_not_finished(panel),
        ]
        findings += [f.model_copy(update=condition._asdict()) for f in said]
    return findings


def refused(findings: Iterable[Finding], condition: Condition, methods: set[str]) -> str | None:
    """Why these methods may not be compared under this condition; None where they may."""
    for finding in findings:
        where = (finding.base_model, finding.dataset, finding.train_size, finding.epochs)
        here = where == condition
        if here and finding.status == "refused" and (not finding.methods or methods & set(finding.methods)):
            return f"{finding.check}: {finding.text}"
    return None


def _same(
    check: str, otherwise: Any, cells: Sequence[Cell], records: dict[str, Any], value: Value
) -> Finding:
    """One value for all; those that differ from the most frequent one are named."""
    by_value: dict[str, set[str]] = {}
    for cell in cells:
        if cell.run_id in records:
            by_value.setdefault(str(value(records[cell.run_id])), set()).add(cell.method)
    if len(by_value) <= 1:
        shown = next(iter(by_value), "nothing recorded")
        return Finding(check=check, status="ok", text=f"the same for all: {_short(shown)}")
    usual = max(by_value, key=lambda v: len(by_value[v]))
    odd = sorted(set().union(*(names for v, names in by_value.items() if v != usual)))
    text = "; ".join(f"{', '.join(sorted(names))}: {_short(v)}" for v, names in by_value.items())
    return Finding(check=check, status=otherwise, text=f"differs ({text})", methods=tuple(odd))


def _one_seed_one_stream(cells: Sequence[Cell], runs: dict[str, RunRecord]) -> list[Finding]:
    """For each seed every method must have been fed the same tokens in the same order."""
    seeds = sorted({cell.seed for cell in cells})
    found = []
    for seed in seeds:
        group = [cell for cell in cells if cell.seed == seed]
        found.append(_same(f"training tokens, seed {seed}", "refused", group, runs, _stream))
    wrong = [f for f in found if f.status != "ok"]
    if wrong or not found:
        return wrong
    counts = sorted({runs[c.run_id].data.tokens for c in cells if runs[c.run_id].data})
    size = ", ".join(f"{n:,}" for n in counts)
    text = f"the same in the same order for every method of a seed ({size} a pass)"
    return [Finding(check="training tokens", status="ok", text=text)]


def _stream(run: RunRecord) -> Any:
    return run.data and (run.data.stream_hash, run.data.tokens)


def _few_documents(cells: Sequence[Cell], evaluations: dict[str, EvaluationRecord]) -> list[Finding]:
    """Texts written at a setting may be fewer than the documents scored."""
    counts = set()
    for cell in cells:
        if cell.run_id in evaluations:
            record = evaluations[cell.run_id]
            scored = max((value.documents for value in held_out(record.metrics).values()), default=0)
            counts.add((scored, min(scored, record.spec.generations or scored)))
    if not counts:
        return []
    scored, written = min(counts)
    text = f"{scored} scored, {written} written for"
    if min(scored, written) < FEW:
        text += f": too few for intervals to be relied on (fewer than {FEW})"
        return [Finding(check="held-out documents", status="flagged", text=text)]
    return [Finding(check="held-out documents", status="ok", text=text)]


def _end_labels(cells: Sequence[Cell], runs: dict[str, RunRecord]) -> Finding:
    low = sorted({c.method for c in cells if (d := runs[c.run_id].data) and d.end_labels < 1})
    if low:
        return Finding(
            check="end labels",
            status="flagged",
            text="not every training document ends, supervised, in the end marker and end-of-text",
            methods=tuple(low),
        )
    return Finding(
        check="end labels", status="ok", text="every training document keeps its end marker and end-of-text"
    )


def _training_settings(cells: Sequence[Cell], runs: dict[str, RunRecord]) -> list[Finding]:
    """A setting in which methods differ is allowed (an entry may ask for it) and always shown."""
    settings: dict[str, dict[str, set[str]]] = {}
    for cell in cells:
        for key, value in runs[cell.run_id].spec.train.model_dump().items():
            settings.setdefault(key, {}).setdefault(str(value), set()).add(cell.method)
    return [
        Finding(
            check=f"train.{key}",
            status="flagged",
            text="; ".join(f"{', '.join(sorted(names))}: {value}" for value, names in values.items()),
        )
        for key, values in settings.items()
        if len(values) > 1 and key not in ("epochs", "precision")
    ] or [Finding(check="training settings", status="ok", text="the same for all but the learning rate")]


def _learning_rates(cells: Sequence[Cell]) -> Finding:
    tried: dict[str, set[float]] = {}
    for cell in cells:
        if cell.learning_rate is not None:
            tried.setdefault(cell.method, set()).add(cell.learning_rate)
    counts = {len(rates) for rates in tried.values()}
    text = "; ".join(f"{name}: {len(rates)}" for name, rates in sorted(tried.items()))
    if len(counts) > 1:
        return Finding(
            check="learning rates tried", status="refused", text=f"not the same number for all ({text})"
        )
    if counts == {1}:
        text = "one each, not searched: every result is untuned, and another rate may turn the verdict"
        return Finding(check="learning rates tried", status="flagged", text=text)
    return Finding(check="learning rates tried", status="ok", text=f"the same number for all ({text})")


def _grid_edges(cells: Sequence[Cell]) -> list[Finding]:
    found = []
    for method in sorted({c.method for c in cells if c.phase == "tune"}):
        grid = sorted(
            {c.learning_rate for c in cells if c.phase == "tune" and c.method == method and c.learning_rate}
        )
        chosen = {c.learning_rate for c in cells if c.phase == "confirm" and c.method == method}
        if len(grid) > 1 and chosen & {grid[0], grid[-1]}:
            rates = ", ".join(f"{rate:g}" for rate in grid)
            text = f"the best of {rates} is at the edge: a better one may lie beyond"
            found.append(Finding(check="grid edge", status="flagged", text=text, methods=(method,)))
    return found


def _left_out(cells: Sequence[Cell], runs: dict[str, RunRecord]) -> list[Finding]:
    lost = {d.left_out_too_long for c in cells if (d := runs[c.run_id].data)}
    if not any(lost):
        return []
    text = f"{max(lost)} training documents exceed train.max_length and were left out, for all alike"
    return [Finding(check="left out", status="flagged", text=text)]


def _not_finished(cells: Sequence[Cell]) -> list[Finding]:
    return [
        Finding(
            check=cell.status,
            status="flagged",
            text=f"{cell.method} at {cell.learning_rate}, seed {cell.seed}: {cell.error or 'not said why'}",
            methods=(cell.method,),
        )
        for cell in cells
        if cell.status != "finished"
    ]


def _short(text: str) -> str:
    return text if len(text) <= 120 else f"{text[:117]}…"
