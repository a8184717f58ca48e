"""What a study concludes: cells, estimates, comparisons with verdicts and the audit -> comparisons.json."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from eval import stats
from eval.audit import audit, refused
from eval.harness import evaluation_digest
from eval.metrics import Metric, all_metrics, metric
from experiments.grid import Grid, Planned
from experiments.study import ANCHOR, StudySpec
from toolkit import config
from toolkit.errors import UserError
from toolkit.records import (
    Cell,
    Comparison,
    Conclusions,
    Condition,
    Estimate,
    EvaluationRecord,
    Finding,
    Outcome,
    RunRecord,
    read_lines,
)
from toolkit.store import RunFolder, write_text

Side = tuple[Condition, str]  # condition, method
Rows = dict[str, list[tuple[float, ...] | None]]  # metric -> statistics of each document
Statistics = dict[Side, dict[int, Rows]]  # side -> seed -> rows


def results_folder(root: Path, study: str) -> Path:
    """`results/<study>/`: where a study's conclusions and its report lie."""
    return root / "results" / study


def conclude(grid: Grid, planned: Sequence[Planned], errors: dict[str, str]) -> Conclusions:
    """Read what is there, infer, and write `comparisons.json` and `study.yaml`."""
    study, root = grid.study, grid.root
    cells = [done for cell in planned for done in _cells(grid, cell, errors.get(cell.run.run_id))]
    runs = {c.run_id: RunRecord.read(RunFolder(root, c.run_id).record) for c in cells if c.status != "failed"}
    evaluations = {
        c.run_id: EvaluationRecord.read(RunFolder(root, c.run_id).evaluation(c.eval_digest))
        for c in cells
        if c.eval_digest
    }
    findings = audit(cells, runs, evaluations)
    statistics = _statistics(root, cells)
    headline = headline_metrics(study)
    conclusions = Conclusions(
        study=study.name,
        question=study.question,
        baseline=study.baseline,
        headline=tuple(m.name for m in headline),
        cells=tuple(cells),
        estimates=tuple(_estimates(statistics)),
        comparisons=tuple(_with_holm(_comparisons(study, statistics, headline, findings))),
        audit=tuple(findings),
        data={dataset.name: grid.prepared(dataset).report for dataset in study.dataset},
    )
    folder = results_folder(root, study.name)
    write_text(folder / "study.yaml", config.dump_yaml(study.model_dump(mode="json")))
    conclusions.write(folder / "comparisons.json")
    return conclusions


def read(root: Path, study: str) -> Conclusions:
    """A study's conclusions from disk."""
    path = results_folder(root, study) / "comparisons.json"
    if not path.is_file():
        raise UserError(
            f"no results of study '{study}' in {root / 'results'}. `bakeoff run {study}` makes them"
        )
    return Conclusions.read(path)


def headline_metrics(study: StudySpec) -> list[Metric]:
    """The metrics that get a verdict."""
    for name in study.margins:
        metric(name)  # an unknown one is told with its nearest match
    return [metric(name) for name in study.metrics] or [m for m in all_metrics().values() if m.headline]


def _cells(grid: Grid, cell: Planned, error: str | None) -> list[Cell]:
    """The cell's record; an untouched base has one in each condition of its data set."""
    done = _cell(grid, cell, error)
    if cell.phase != "anchor":
        return [done]
    same = [s.condition for s in grid.settings if (s.model, s.dataset) == (cell.model, cell.dataset)]
    return [done.model_copy(update=condition._asdict()) for condition in same]


def _cell(grid: Grid, cell: Planned, error: str | None) -> Cell:
    record = grid.record(cell)
    evaluated = None
    if record is not None and record.status == "finished" and cell.phase != "tune":
        form = config.form(cell.dataset.format)
        test = grid.prepared(cell.dataset).fingerprints["test"]
        digest = evaluation_digest(grid.study.evaluate, test, form)
        if RunFolder(grid.root, cell.run.run_id).evaluation(digest).is_file():
            evaluated = digest
    failed = record is None or (record.status == "finished" and evaluated is None and cell.phase != "tune")
    return Cell(
        **cell.setting.condition._asdict(),
        method=cell.method,
        learning_rate=cell.run.learning_rate,
        seed=cell.run.seed,
        tuned=cell.tuned,
        phase=cell.phase,
        budget=cell.budget,
        run_id=cell.run.run_id,
        eval_digest=evaluated,
        status="failed" if failed or record is None else record.status,
        error=(error or "not there") if failed else None,
    )


def _statistics(root: Path, cells: Sequence[Cell]) -> Statistics:
    """What the outcomes hold, seeds in ascending order."""
    found: Statistics = {}
    for cell in sorted(cells, key=lambda c: c.seed):
        if cell.eval_digest:
            rows = read_lines(RunFolder(root, cell.run_id).outcomes(cell.eval_digest), Outcome)
            by_metric = {name: [row.statistics.get(name) for row in rows] for name in all_metrics()}
            found.setdefault((cell.condition, cell.method), {})[cell.seed] = by_metric
    return found


def _estimates(statistics: Statistics) -> list[Estimate]:
    result = []
    for (condition, method), seeds in statistics.items():
        for name, item in all_metrics().items():
            table = stats.stack([rows[name] for rows in seeds.values()])
            found = stats.estimate(item, table)
            result.append(
                Estimate(
                    **condition._asdict(),
                    method=method,
                    metric=name,
                    value=found.value,
                    low=found.low,
                    high=found.high,
                    seeds=len(seeds),
                    documents=int((~np.isnan(table).any(axis=(0, 2))).sum()),
                    scope=found.scope,
                    unit=item.unit,
                )
            )
    return result


def _comparisons(
    study: StudySpec, statistics: Statistics, headline: Sequence[Metric], findings: Sequence[Finding]
) -> list[Comparison]:
    """Every method against the baseline, then every method against the untouched base."""
    result = []
    for against in (study.baseline, ANCHOR):
        for condition, method in statistics:
            theirs = statistics.get((condition, against))
            if method in (against, ANCHOR) or theirs is None:
                continue
            ours = statistics[condition, method]
            why = refused(findings, condition, {method, against})
            if ours.keys() != theirs.keys() and against != ANCHOR:
                why = f"seeds {list(ours)} against {list(theirs)}: some runs are missing"
            for item in headline:
                shared = {
                    **condition._asdict(),
                    "method": method,
                    "baseline": against,
                    "metric": item.name,
                    "direction": item.direction,
                    "unit": item.unit,
                }
                result.append(
                    _refusal(shared, why) if why else _comparison(shared, item, study, ours, theirs)
                )
    return result


def _comparison(
    shared: dict[str, Any], item: Metric, study: StudySpec, ours: dict[int, Rows], theirs: dict[int, Rows]
) -> Comparison:
    found = stats.compare(
        item,
        stats.stack([rows[item.name] for rows in ours.values()]),
        stats.stack([rows[item.name] for rows in theirs.values()]),
        margin=study.margins.get(item.name, item.margin),
    )
    left_out = f"{found.left_out} documents without a value on one side" if found.left_out else None
    return Comparison(
        **shared,
        difference=found.difference,
        low=found.low,
        high=found.high,
        p=found.p,
        p_holm=None,
        margin=found.margin,
        verdict=found.verdict,
        scope=found.scope,
        seeds=found.seeds,
        documents=found.documents,
        smallest_detectable=found.smallest_detectable,
        needed=found.needed,
        reason=found.reason or left_out,
    )


def _refusal(shared: dict[str, Any], why: str) -> Comparison:
    empty = dict.fromkeys(("difference", "low", "high", "p", "p_holm", "margin"))
    return Comparison(**shared, **empty, verdict="refused", scope="none", seeds=0, documents=0, reason=why)


def _with_holm(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """The verdicts again, by the p-values corrected over all comparisons of the study."""
    corrected = stats.holm([c.p for c in comparisons])
    result = []
    for c, p in zip(comparisons, corrected, strict=True):
        again = (
            c.verdict
            if c.verdict == "refused"
            else stats.verdict(c.low, c.high, p, margin=c.margin, direction=c.direction)
        )
        result.append(
            c.model_copy(
                update={"p_holm": p, "verdict": again, "needed": c.needed if again == "undecided" else None}
            )
        )
    return result
