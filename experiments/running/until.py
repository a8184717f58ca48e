"""`bakeoff run STUDY --until decided`: add seeds, then test documents, until it is decided.

The sizes and the levels of their looks are planned once, from costs and a budget, when the runs of the first
size are finished and before a result is looked at. The plan is recorded with the conclusions, so that the
same command again continues it and spends no level twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from eval.statistics.power.assurance import Variances, decided
from eval.statistics.sequential import State, state
from experiments.analysis.conclude import Concluded, conclude
from experiments.analysis.detectable import Basis, bases_of, independent_of, tests_of
from experiments.analysis.families import earlier, planned_for
from experiments.design.planning.looks import (
    Size,
    affordable,
    documents_of,
    grown,
    looks_at,
    seconds_between,
    sizes,
    training_of,
)
from experiments.design.planning.plan import check_size
from experiments.design.study import StudySpec
from experiments.design.study_state import StudyState
from experiments.running.board import Board
from experiments.running.executors.base import Executor
from experiments.running.runner import Work, prepare_data, run_cells
from figures.wording.names import amount
from toolkit.errors import UserError
from toolkit.records import Comparison, Look, LookPlan
from toolkit.records.folders import Root


def chance_of(
    comparisons: Sequence[Comparison],
    variances: Mapping[str, Variances],
    documents: Mapping[str, int],
    seeds: int,
    tests: int,
    level: float,
) -> float:
    """Return the largest chance that an undecided primary comparison is decided at the largest size.

    Its difference is taken as it is seen. ``variances`` and ``documents``: of each metric, the latter (or
    their clusters) at the largest size. A metric of unknown variances counts as 1; one without a better
    direction can only be equivalent, so 0 if it has no margin or if its difference lies beyond it. ``level``:
    of the last look.
    """
    chances = [0.0]
    for one in comparisons:
        if one.family != "primary" or one.verdict != "undecided" or one.difference is None:
            continue
        size = abs(one.difference)
        if one.direction == "neither" and (one.margin is None or size >= one.margin):
            continue
        known = variances.get(one.metric)
        if known is None:
            return 1.0
        directed, there = one.direction != "neither", documents[one.metric]
        chances.append(decided(known, seeds, there, size, one.margin, tests, level=level, directed=directed))
    return max(chances)


LookState = State | Literal["refused", "missing"]
"""As `state`; else no primary comparison is undecided, but the audit refused one, or there is none."""


class NextStep(NamedTuple):
    """What to do after a look."""

    state: LookState
    chance: float | None
    """As `chance_of`; None if no primary comparison is undecided."""


def after_look(
    study: StudySpec,
    comparisons: Sequence[Comparison],
    bases: Mapping[str, Basis],
    planned: Sequence[Look],
    taken: int,
) -> NextStep:
    """Return whether a study goes on after a look: the stopping rule.

    ``comparisons``: of this look, corrected, at its level; ``bases``: variances by metric, of what was seen
    so far; ``taken``: looks taken, this one included.
    """
    last = planned[-1]
    largest = grown(study, Size(last.seeds, last.documents))
    chance = chance_of(
        comparisons,
        {name: basis.variances for name, basis in bases.items()},
        {m.name: independent_of(largest, m, bases.get(m.name)) for m in study.headline_metrics()},
        last.seeds,
        tests_of(study),
        last.level,
    )
    primary = [one.verdict for one in comparisons if one.family == "primary"]
    if "undecided" in primary:
        return NextStep(state("undecided", chance, last=taken == len(planned)), chance)
    if "refused" in primary:
        return NextStep("refused", None)
    return NextStep("decided" if primary else "missing", None)


def run_until_decided(
    study: StudySpec,
    root: Path,
    board: Board,
    budget: float,
    *,
    execute: Executor | None = None,
    retry_failed: bool = False,
    clock: Callable[[], float] = time.monotonic,
) -> Concluded:
    """Bring a study up to date, look at it, and grow it until its primary comparisons are decided.

    It stops when none of them is undecided (decided, refused or missing), when those that are have little
    chance at the largest size, at the largest size that was planned, or when the next size does not fit into
    what is left of ``budget`` (seconds of this call). The first size is run whatever it costs.
    """
    started = clock()
    plan = plan_of(study, root)
    size = (
        Size(plan.now.seeds, plan.now.documents) if plan else sizes(len(study.seeds), documents_of(study))[0]
    )
    work = run_cells(grown(study, size), root, board, execute=execute, retry_failed=retry_failed)
    if plan is None:
        plan = _planned(study, work, root, board, budget - (clock() - started), budget)
        board.line(f"planned looks: {_in_words(plan)}")
    while True:
        concluded = _looked(study, conclude(work.state, work.cells, work.errors, plan), work.state)
        plan = concluded.conclusions.sequential or plan
        now = plan.planned[plan.taken - 1]
        board.line(f"look {plan.taken} of {len(plan.planned)}, {now.seeds} × {now.documents}: {plan.state}")
        if plan.state != "continue":
            return concluded
        following = plan.planned[plan.taken]
        before, size = Size(now.seeds, now.documents), Size(following.seeds, following.documents)
        larger = _state_at(study, size, work.state, board)
        seconds = seconds_between(_state_at(study, before, work.state), larger, work.errors)
        left = budget - (clock() - started)
        if seconds is None or seconds > left:
            cost = "an unknown time" if seconds is None else f"about {amount(seconds, 'seconds')}"
            rest = amount(max(0.0, left), "seconds")
            board.line(f"stopped for the budget: the next size takes {cost}, and {rest} are left")
            return concluded
        work = run_cells(grown(study, size), root, board, execute=execute, retry_failed=retry_failed)
        plan = plan.model_copy(update={"taken": plan.taken + 1, "state": None, "chance": None})


def plan_of(study: StudySpec, root: Path) -> LookPlan | None:
    """Return the plan that the study's conclusions record; None if there is none, or it is another study's.

    It is the study's if it has the same base models, data, training and search, the same methods and metrics,
    and the same first size.
    """
    before = earlier(Root(root).results(study.name).conclusions)
    plan = before.sequential if before else None
    first = sizes(len(study.seeds), documents_of(study))[0]
    if plan is None or (plan.planned[0].seeds, plan.planned[0].documents) != first:
        return None
    same = (plan.methods, plan.metrics) == (tuple(study.methods), _metrics(study))
    return plan if same and planned_for(plan, study) else None


def _planned(study: StudySpec, work: Work, root: Path, board: Board, left: float, budget: float) -> LookPlan:
    state = work.state
    possible = sizes(len(study.seeds), documents_of(study))
    states = [state]
    for size in possible[1:]:
        try:
            check_size(grown(study, size))
            states.append(_state_at(study, size, state, board))
        except UserError:  # more runs than the study allows, or too few documents in the data set
            break
        if training_of(states[-1]) != training_of(state):
            states.pop()
            break
    steps = [seconds_between(one, other, work.errors) for one, other in zip(states, states[1:], strict=False)]
    before = Root(root).results(study.name).conclusions.is_file()
    return LookPlan(
        planned=looks_at(affordable(possible[: len(states)], steps, left)),
        taken=1,
        budget_seconds=budget,
        concluded_before=before,
        methods=tuple(study.methods),
        metrics=_metrics(study),
        study=study.what_is_trained,
    )


def _looked(study: StudySpec, concluded: Concluded, at: StudyState) -> Concluded:
    """Record what to do after the look that was just concluded."""
    conclusions, plan = concluded.conclusions, concluded.conclusions.sequential
    if plan is None:
        raise RuntimeError("conclude() kept no plan")
    done = plan.model_copy(
        update=after_look(study, conclusions.comparisons, bases_of(at), plan.planned, plan.taken)._asdict()
    )
    conclusions = conclusions.model_copy(update={"sequential": done})
    conclusions.write(at.root.results(study.name).conclusions, sealed=True)
    return Concluded(conclusions, concluded.records)


def _state_at(study: StudySpec, size: Size, like: StudyState, board: Board | None = None) -> StudyState:
    at = StudyState(grown(study, size), like.root.path)
    if board is None:
        return at.prepare()
    prepare_data(at, board)
    return at


def _metrics(study: StudySpec) -> tuple[str, ...]:
    return tuple(item.name for item in study.headline_metrics())


def _in_words(plan: LookPlan) -> str:
    return ", ".join(f"{look.seeds} × {look.documents} at {look.level:.2g}" for look in plan.planned)
