"""Every method of a study beside its baseline: value, difference, costs, and what a board says of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Literal, NamedTuple

from eval.audit import comparable, had_its_cores
from eval.statistics.crossed import ALPHA
from eval.statistics.optimum import Located, located
from experiments.publishing.board.rule import LEAST_SEEDS, may_be_called_better
from experiments.publishing.kept import Kept
from figures.wording.names import count
from toolkit.records import BASE, CLEARLY, Candidate, Cell, Comparison, Condition, CostKind, Estimate

STUDY = "board"
Standing = Literal["baseline", "better", "equivalent", "worse", "undecided", "refused"]
COSTS: tuple[tuple[CostKind, str], ...] = (
    ("memory", "peak memory"),
    ("time", "training time"),
    ("size", "saved size"),
)


class Row(NamedTuple):
    """A method on the board."""

    method: str
    tuned: bool
    estimate: Estimate
    comparison: Comparison | None
    """With the baseline; None for the baseline itself."""
    candidate: Candidate | None
    """With its costs; None if it was no candidate for a recommendation."""
    parameters: float | None
    """Trainable ones; None if not recorded."""
    standing: Standing
    unconfirmed: str | None
    """Why a study's *better* does not meet the board's rule; None of all else."""
    ratios: Mapping[CostKind, Located]
    """What it takes over what the baseline takes."""


def standing_of(comparison: Comparison | None, tuned: bool) -> tuple[Standing, str | None]:
    """Return what a board says of a method, and why if the study says *better* and the board does not.

    A study's *better* that does not meet the board's rule is *equivalent* if its whole interval lies inside
    the margin, and *undecided* if not.
    """
    if comparison is None:
        return "baseline", None
    verdict, seeds = comparison.verdict, comparison.seeds
    if verdict != "better":
        return "equivalent" if comparison.within_margin else verdict, None
    if may_be_called_better(verdict, comparison.p_holm, seeds=seeds, tuned=tuned):
        return "better", None
    why = f"better only at {ALPHA:g}"
    if not tuned:
        why = "better, but untuned"
    elif seeds < LEAST_SEEDS:
        why = f"better, but with {count(seeds, 'seed')}"
    return "equivalent" if comparison.within_margin else "undecided", why


def rows_of(kept: Kept, condition: Condition) -> list[Row]:
    """Return the methods of a condition, best value first, on the first metric of the headline."""
    concluded = kept.conclusions
    metric = concluded.headline[0]
    cells = [cell for cell in concluded.cells if cell.condition == condition and cell.phase == "confirm"]
    compared = {
        one.method: one
        for one in concluded.comparisons
        if (one.condition, one.metric, one.baseline) == (condition, metric, concluded.baseline)
    }
    candidates = {
        candidate.method: candidate
        for one in concluded.recommendations
        if one.condition == condition
        for candidate in one.candidates
    }
    rows = []
    for estimate in concluded.estimates:
        method = estimate.method
        if estimate.condition != condition or estimate.metric != metric or method == BASE:
            continue
        of_method = [cell for cell in cells if cell.method == method]
        both = [cell for cell in cells if cell.method in (method, concluded.baseline)]
        tuned = all(cell.tuned for cell in both)
        there = [kept.runs[cell.run_id] for cell in of_method if cell.run_id in kept.runs]
        trained = [run.costs.trainable_parameters for run in there]
        known = [number for number in trained if number is not None]
        standing, unconfirmed = standing_of(compared.get(method), tuned)
        rows.append(
            Row(
                method,
                all(cell.tuned for cell in of_method),
                estimate,
                compared.get(method),
                candidates.get(method),
                fmean(known) if known else None,
                "refused" if standing == "baseline" and method != concluded.baseline else standing,
                unconfirmed,
                ratios_of(kept, cells, method, concluded.baseline),
            )
        )
    lower = all(one.direction == "lower" for one in compared.values())
    return sorted(
        rows,
        key=lambda row: (
            row.estimate.value is None,
            (row.estimate.value or 0.0) * (1 if lower else -1),
        ),
    )


def without_value(kept: Kept, condition: Condition) -> list[str]:
    """Return the trained methods of a condition that have no row: no confirming run was evaluated."""
    trained = dict.fromkeys(c.method for c in kept.conclusions.cells if c.condition == condition)
    rows = {row.method for row in rows_of(kept, condition)}
    return [method for method in trained if method not in (*rows, BASE)]


def ratios_of(kept: Kept, cells: Sequence[Cell], method: str, baseline: str) -> dict[CostKind, Located]:
    """Return what a method takes over what the baseline takes, by seed, with intervals over the seeds.

    Time and memory are those of the runs on one device (`comparable`); no time if one of them shared its
    cores with other work, or if that is not known.
    """
    spent: dict[CostKind, dict[str, dict[int, float]]] = {by: {} for by, _ in COSTS}
    on_device, quiet = comparable(cells, kept.runs, baseline), True
    for cell in cells:
        run = kept.runs.get(cell.run_id)
        if run is None or run.status != "finished" or cell.method not in (method, baseline):
            continue
        here = cell.run_id in on_device
        quiet = quiet and (not here or had_its_cores(run) is True)
        costs = run.costs
        values: dict[CostKind, float | None] = {
            "memory": costs.cuda_allocated_bytes or costs.peak_memory_bytes,
            "time": costs.train_seconds,
            "size": costs.artifact_bytes,
        }
        for by, value in values.items():
            if value and (here or by == "size"):
                spent[by].setdefault(cell.method, {})[cell.seed] = value
    found = {}
    for by, both in spent.items():
        ours, theirs = both.get(method, {}), both.get(baseline, {})
        seeds = sorted(ours.keys() & theirs.keys())
        if by == "size" or (seeds and (by != "time" or quiet)):
            found[by] = located([ours[seed] / theirs[seed] for seed in seeds])
    return found


def cheaper_on(row: Row) -> dict[CostKind, float]:
    """Return of what a method clearly takes less than the baseline, and how much over what that takes.

    Clearly: by 5 %, and the whole interval over seeds is below one. Empty if it clearly takes more memory or
    time.
    """
    less: dict[CostKind, float] = {}
    for by, _ in COSTS:
        ratio = row.ratios.get(by, Located(None, None, None))
        if ratio.value is None or ratio.low is None or ratio.high is None:
            continue
        if by != "size" and ratio.value > 1 + CLEARLY and ratio.low > 1:
            return {}
        if ratio.value < 1 - CLEARLY and ratio.high < 1:
            less[by] = ratio.value
    return less
