"""The searches for learning rates: which tuning runs they ask for, given records, and what they choose."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

from experiments.design import learning_rates
from experiments.design.conditions import CellSpec, ConditionSpec, Design, cell_of
from experiments.design.learning_rates import ChosenRate
from experiments.design.study import StudySpec
from toolkit.records import RunRecord

Losses = dict[float, float]
"""Learning rate -> mean validation bits per byte."""
Grids = Mapping[str, Sequence[float]]
Tried = Callable[..., Losses | None]
"""Asks for runs of a method at some rates and a budget; returns their losses, None while a run is missing."""


class Records(Protocol):
    """Finished runs by id: a dictionary, or a reader of the disk."""

    def get(self, run_id: str, /) -> RunRecord | None:
        """The record of a run; None if it has not finished."""


def searched(
    design: Design, specs: ConditionSpec, records: Records, lost: Collection[str]
) -> tuple[list[CellSpec], dict[str, ChosenRate | None]]:
    """The tuning cells of a condition, and method -> learning rate as far as its search is over.

    The rate is None if none of those tried has a finite loss. A method waits for the others: a grid that has
    to be extended is extended for all of them.
    """
    methods = design.study.trained_here
    fixed: dict[str, ChosenRate | None] = {
        name: ChosenRate(entry.learning_rates[0], "fixed")
        for name, entry in methods.items()
        if len(entry.learning_rates) == 1
    }
    grids = _grids(design.study)
    cells: list[CellSpec] = []

    def tried(name: str, rates: Sequence[float], budget: float = 1.0) -> Losses | None:
        tries, means = _tried(design, specs, name, rates, budget, records, lost)
        cells.extend(tries)
        return means

    search = _by_brackets if design.study.search.strategy == "bracket" else _by_rounds
    scores = search(design.study, grids, tried)
    if scores is None:
        return cells, fixed
    choose = design.study.search.choose
    return cells, fixed | {
        name: learning_rates.confirming_rate(scores[name], choose, {*grid, *scores[name]})
        for name, grid in grids.items()
    }


def rate_so_far(
    design: Design, specs: ConditionSpec, name: str, records: Records, lost: Collection[str]
) -> float:
    """The rate that a method's finished runs choose; the middle of its grid while its own search is open.

    Another method may yet ask for more rates of all, which seldom moves the choice: it is made among
    neighbours.
    """
    study = design.study
    search, grid = study.search, study.methods[name].learning_rates
    wide = _with_ends(study, grid) if _may_extend(study, _grids(study)) else grid
    scores: Losses = {}
    for rate in wide:
        scores |= _tried(design, specs, name, [rate], 1.0, records, lost)[1] or {}
    bracketed = search.strategy == "bracket"
    missing = learning_rates.downhill(wide, scores) if bracketed else {*grid} - {*scores}
    chosen = None
    if not missing:
        chosen = learning_rates.confirming_rate(scores, search.choose, {*grid, *scores})
    return sorted(grid)[len(grid) // 2] if chosen is None else chosen.rate


def _by_rounds(study: StudySpec, grids: Grids, tried: Tried) -> dict[str, Losses] | None:
    """Losses at every rate of every grid, in one round or in several; None while a run is missing."""
    scores: dict[str, Losses] = {}
    for name, grid in grids.items():
        alive: Sequence[float] = grid
        for rung in learning_rates.rungs(study.search, len(grid)):
            means = tried(name, alive, rung.budget)
            if means is None:
                scores.pop(name, None)
                break
            scores[name], alive = means, learning_rates.best(means, rung.keep)
    if len(scores) < len(grids):
        return None
    chosen = {name: rate for name in grids for rate in learning_rates.best(scores[name], 1)}
    decided = True
    for side in learning_rates.sides(chosen, grids) if _may_extend(study, grids) else []:
        for name, grid in grids.items():
            rate = learning_rates.beyond(grid, study.search.step, side)
            means = tried(name, [rate], learning_rates.rungs(study.search, len(grid))[-1].budget)
            decided &= means is not None
            scores[name] |= means or {}
    return scores if decided else None


def _by_brackets(study: StudySpec, grids: Grids, tried: Tried) -> dict[str, Losses] | None:
    """Losses until the best rate is bracketed, then at as many rates of every method as one needed."""
    scores: dict[str, Losses] = {name: {} for name in grids}
    if _may_extend(study, grids):
        grids = {name: _with_ends(study, grid) for name, grid in grids.items()}
    decided = True
    for name, grid in grids.items():
        while rates := learning_rates.downhill(grid, scores[name]):
            means = tried(name, rates)
            if means is None:
                decided = False
                break
            scores[name] |= means
    if not decided:
        return None
    most = max(map(len, scores.values()), default=0)
    for name, grid in grids.items():
        if more := learning_rates.beside(grid, scores[name], most - len(scores[name])):
            means = tried(name, more)
            decided &= means is not None
            scores[name] |= means or {}
    return scores if decided else None


def _grids(study: StudySpec) -> dict[str, tuple[float, ...]]:
    """Method -> learning rates, of the methods that search among several."""
    return {name: m.learning_rates for name, m in study.trained_here.items() if len(m.learning_rates) > 1}


def _with_ends(study: StudySpec, grid: Sequence[float]) -> tuple[float, ...]:
    """The rates of a grid, and one beyond it on either side."""
    return *grid, *(learning_rates.beyond(grid, study.search.step, side) for side in (-1, 1))


def _may_extend(study: StudySpec, grids: Grids) -> bool:
    """Whether a rate beyond the grid may be tried; rates that a study writes out are taken as written."""
    return study.search.at_edge == "extend" and all(study.methods[name].own_grid for name in grids)


def _tried(
    design: Design,
    specs: ConditionSpec,
    name: str,
    rates: Sequence[float],
    budget: float,
    records: Records,
    lost: Collection[str],
) -> tuple[list[CellSpec], dict[float, float] | None]:
    """Cells of one round, and rate -> mean validation bits per byte; None while a run is missing.

    A rate that diverged or failed with one of the tuning seeds scores infinity: it was tried.
    """
    cells: list[CellSpec] = []
    means: dict[float, float] = {}
    complete = True
    for rate in rates:
        values = []
        for seed in design.study.tuning_seeds:
            cell = cell_of(design, specs, name, rate, seed, "tune", budget)
            cells.append(cell)
            record = records.get(cell.run.run_id)
            complete &= record is not None or cell.run.run_id in lost
            value = record.validation_bits_per_byte if record and record.status == "finished" else None
            values.append(math.inf if value is None else value)
        means[rate] = sum(values) / len(values)
    return cells, means if complete else None
