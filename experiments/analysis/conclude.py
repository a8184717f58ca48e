"""What a study concludes: cells, estimates, comparisons with verdicts and the audit -> comparisons.json."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from eval.audit import audit, under_the_floor, with_edges_untuned
from eval.metrics import metric
from eval.statistics.crossed import ALPHA, SeedPrior
from eval.statistics.verdicts import with_holm
from experiments.analysis import optima
from experiments.analysis.claims.judge import claims_of
from experiments.analysis.comparisons import KnownComparisons, compare, comparisons, estimates, margin_of
from experiments.analysis.decodings import of_generations
from experiments.analysis.families import (
    abandoned,
    earlier,
    family_changes,
    flagged,
    flagged_looks,
    planned_for,
)
from experiments.analysis.recommend import recommend
from experiments.analysis.statistics import Statistics, seed_priors_of, statistics_of
from experiments.design.conditions import CellSpec
from experiments.design.planning.edits import write_study
from experiments.design.study import STUDIES, StudySpec
from experiments.design.study_state import CellState, StudyState
from toolkit.errors import UserError, nearest
from toolkit.records import (
    Cell,
    Comparison,
    Conclusions,
    Condition,
    Estimate,
    Finding,
    LookPlan,
    Recommendation,
    StudyRecords,
    write_lines,
)
from toolkit.records.folders import Root


class Concluded(NamedTuple):
    """A study's conclusions, and the records that they were drawn from: a report needs both."""

    conclusions: Conclusions
    records: StudyRecords


def conclude(
    study_state: StudyState,
    planned: Sequence[CellSpec],
    errors: dict[str, str],
    sequential: LookPlan | None = None,
) -> Concluded:
    """Read the records once, infer, and write `comparisons.json`, with `failures.jsonl` beside it.

    ``sequential``: the looks at a study that is run until decided, this one included; those of the earlier
    conclusions, if any, are kept, and so is their level.
    """
    study, root = study_state.study, study_state.root
    cells = with_edges_untuned(
        [done for cell in planned for done in _cells(study_state, cell, errors.get(cell.run.run_id))],
        study.converted,
    )
    records = StudyRecords.read(cells, root)
    runs = records.runs
    headline = study.headline_metrics()
    data = {dataset.name: study_state.data_report(dataset) for dataset in study.dataset}
    claimed = study.matched_parameters
    findings = audit(records, matched_parameters=claimed, metrics=headline, margins=study.margins, data=data)
    statistics = statistics_of(records)
    found = optima.optima(study, cells, runs)
    texts = of_generations(study, records)
    folder = root.results(study.name)
    before = earlier(folder.conclusions)
    former = sequential or (before.sequential if before else None)
    looks = former if former and planned_for(former, study) else None
    level = looks.now.level if looks else ALPHA
    compared = with_holm(comparisons(study, statistics, headline, findings, level=level))
    concluded = KnownComparisons(compared)
    values = estimates(statistics)
    names = tuple(m.name for m in headline)
    changes = family_changes(before, names, compared)
    size = len(study.seeds), study.data.test + study.data.further_test
    looked = flagged_looks(looks, *size, tuple(study.methods), names)
    looked += [abandoned(former)] if former and not looks else []
    conclusions = Conclusions(
        study=study.name,
        question=study.question,
        baseline=study.baseline,
        headline=names,
        cells=tuple(cells),
        estimates=tuple(values),
        comparisons=tuple(compared),
        audit=(
            *findings,
            *under_the_floor(compared, records),
            *flagged(changes),
            *looked,
        ),
        family_changes=changes,
        optima=tuple(found),
        claims=tuple(claims_of(study, statistics, findings, records, found, concluded, level)),
        recommendations=tuple(
            _recommendations(study, statistics, findings, records, values, concluded, level)
        ),
        settings=tuple(texts.settings),
        decoding=tuple(texts.decoding),
        failures=tuple(texts.failures),
        sequential=looks,
        looks=study.looks,
        data=data,
    )
    write_lines(folder.failures, texts.failing, sealed=True)
    write_study(study_state)
    conclusions.write(folder.conclusions, sealed=True)
    return Concluded(conclusions, records)


def read(root: Path, study: str) -> Conclusions:
    """A study's conclusions from disk."""
    path = Root(root).results(study).conclusions
    if not path.is_file():
        place = root / "results"
        here = [found.parent.name for found in place.glob("*/comparisons.json")]
        bundled = [file.stem for file in STUDIES.glob("*.yaml")]
        remedy = f"`bakeoff run {study}` makes them"
        if study not in bundled:
            remedy = (
                f"{nearest(Path(study).name, {*here, *bundled})}; `bakeoff run` of a study makes its results"
            )
        raise UserError(f"no results of study '{study}' in {place}. {remedy}")
    return Conclusions.read(path)


def _cells(study_state: StudyState, cell: CellSpec, error: str | None) -> list[Cell]:
    """The cell's record; an untouched base has one in each condition of its data set."""
    done = _cell(study_state, cell, error)
    if cell.phase != "base":
        return [done]
    same = [s.condition for s in study_state.conditions if (s.model, s.dataset) == (cell.model, cell.dataset)]
    return [done.model_copy(update=condition._asdict()) for condition in same]


def _cell(study_state: StudyState, cell: CellSpec, error: str | None) -> Cell:
    record = study_state.record(cell)
    evaluated = None
    if record is not None and record.status == "finished" and cell.phase != "tune":
        digest = study_state.evaluation_of(cell)
        there = study_state.root.run(cell.run.run_id).evaluation(digest).is_file()
        # a metric that changed and fails now leaves the numbers of the former one
        current = error is None or study_state.state(cell) == CellState.DONE
        evaluated = digest if there and current else None
    failed = record is None or (record.status == "finished" and evaluated is None and cell.phase != "tune")
    return Cell(
        **cell.condition._asdict(),
        method=cell.method,
        learning_rate=cell.run.learning_rate,
        rate_choice=cell.rate_choice,
        seed=cell.run.seed,
        tuned=cell.tuned,
        phase=cell.phase,
        budget=cell.budget,
        run_id=cell.run.run_id,
        eval_digest=evaluated,
        status="failed" if failed or record is None else record.status,
        error=(error or "not there") if failed or record is None else record.diverged,
    )


def _recommendations(
    study: StudySpec,
    statistics: Statistics,
    findings: Sequence[Finding],
    records: StudyRecords,
    values: Sequence[Estimate],
    concluded: KnownComparisons,
    level: float,
) -> list[Recommendation]:
    """Recommend a method under each condition; comparisons that were concluded are taken as they are.

    Those with a best method that is not the baseline are made as the study's own are, by what all methods'
    seeds say of each other, but without Holm's correction.
    """
    headline = study.headline_metrics()
    forms = {dataset.name: dataset.format for dataset in study.dataset}
    directed = sum(item.direction != "neither" for item in headline)
    tests = max(1, len(study.methods) - len(study.converted) - 1) * max(1, directed)
    cells = [cell for cell in records.cells if cell.method not in study.converted]  # none is trained
    made = []
    for condition in dict.fromkeys(cell.condition for cell in records.cells):
        here = [item for item in headline if item.defined_on(forms[condition.dataset])]
        metrics = {item.name: item.direction for item in here if item.direction != "neither"}
        if not metrics:
            continue
        judge = partial(compare, statistics, findings, condition, seeds=study.seeds, tests=tests, level=level)
        priors: dict[str, dict[tuple[Condition, str, str], SeedPrior]] = {}

        def compared(
            method: str,
            other: str,
            name: str,
            condition: Condition = condition,
            judge: Callable[..., Comparison | None] = judge,
            priors: dict[str, dict[tuple[Condition, str, str], SeedPrior]] = priors,
        ) -> Comparison | None:
            item = metric(name)
            if other not in priors:
                priors[other] = seed_priors_of(statistics, [(condition, other)], other, headline)
            prior = priors[other].get((condition, method, name))
            apart = partial(judge, method, other, item, margin_of(study, item), prior=prior)
            return concluded.get(condition, method, other, name, apart) or apart()

        made.append(recommend(condition, cells, records.runs, values, metrics, compared, study.baseline))
    return [one for one in made if one is not None]
