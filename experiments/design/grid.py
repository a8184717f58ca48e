"""The cells of a study, as pure functions of the study, the data's fingerprints and the records so far."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

from experiments.design import learning_rates
from experiments.design.conditions import (
    CellSpec,
    ConditionSpec,
    Design,
    base_cell,
    cell_of,
    converted_cell,
    elsewhere_cell,
)
from experiments.design.learning_rates import ChosenRate
from experiments.design.study import StudySpec
from toolkit.records import RunRecord


class Records(Protocol):
    """Finished runs by id: a dictionary, or a reader of the disk."""

    def get(self, run_id: str, /) -> RunRecord | None:
        """The record of a run; None if it has not finished."""


def cells_of(design: Design, records: Records, lost: Collection[str] = ()) -> list[CellSpec]:
    """The cells that ``records`` decide so far; more of them follow once these have run.

    ``lost`` are ids of runs that failed: the search continues without them.
    """
    study = design.study
    bases = [base_cell(design, model, dataset) for model in design.base_models for dataset in study.dataset]
    tuning: list[CellSpec] = []
    confirming: list[CellSpec] = []
    for specs in design.conditions:
        tries, searched = _searched(design, specs, records, lost)
        rates = {name: rate for name, rate in searched.items() if rate is not None}
        tuning += tries
        sources = [
            cell_of(design, specs, name, rates[name].rate, seed, "confirm", rate_choice=rates[name].choice)
            for seed in study.seeds
            for name in study.methods
            if name in rates
        ]
        sources += [elsewhere_cell(design, specs, name) for name in study.elsewhere]
        confirming += sources
        # Of a run that was lost, too: its conversion then fails with the reason, and is not left out.
        confirming += [
            converted_cell(design, name, source)
            for name, converts in study.converted.items()
            for source in sources
            if source.method == converts
            and (records.get(source.run.run_id) is not None or source.run.run_id in lost)
        ]
    return [*bases, *tuning, *confirming]


def more_to_come(
    design: Design, cells: Sequence[CellSpec], records: Records, lost: Collection[str] = ()
) -> int:
    """The number of cells that will at least follow ``cells`` once these have run.

    ``records`` and ``lost``: as for `cells_of`. A search that is over asks for nothing more, and a method
    without a rate is not confirmed.
    """
    study = design.study
    seeds = {name: len(study.seeds) if name in study.trained_here else 1 for name in study.methods}
    made = Counter((cell.condition, cell.method, cell.phase) for cell in cells)
    missing = -sum(cell.phase == "confirm" for cell in cells)
    for specs in design.conditions:
        _, searched = _searched(design, specs, records, lost)
        hopeless = {name for name, rate in searched.items() if rate is None}
        sources = (study.converted.get(name, name) for name in study.methods)
        missing += sum(seeds[name] for name in sources if name not in hopeless)
        for name, entry in study.trained_here.items():
            if name not in searched:
                fewest = learning_rates.fewest_runs(study.search, len(entry.learning_rates))
                missing += max(0, fewest * len(study.tuning_seeds) - made[specs.condition, name, "tune"])
    return missing


def undecided_cells(
    design: Design, cells: Sequence[CellSpec], records: Records, lost: Collection[str] = ()
) -> list[CellSpec]:
    """The confirming runs whose rate is still being searched for; here it is the middle of the grid.

    A method whose search is over without a rate, since every one diverged or failed, has none.
    """
    known = {(cell.condition, cell.method) for cell in cells if cell.phase == "confirm"}
    for specs in design.conditions:
        known |= {(specs.condition, name) for name in _searched(design, specs, records, lost)[1]}
    middle = {
        name: sorted(entry.learning_rates)[len(entry.learning_rates) // 2]
        for name, entry in design.study.trained_here.items()
    }
    return [
        cell_of(design, specs, name, middle[name], seed, "confirm")
        for specs in design.conditions
        for seed in design.study.seeds
        for name in design.study.trained_here
        if (specs.condition, name) not in known
    ]


def waiting_conversions(
    design: Design, cells: Sequence[CellSpec], records: Records, lost: Collection[str] = ()
) -> list[CellSpec]:
    """The conversions whose source has not run, or is not known yet."""
    known = {(cell.method, cell.run.converts) for cell in cells}
    every = [*cells, *undecided_cells(design, cells, records, lost)]
    return [
        converted_cell(design, name, source)
        for name, converts in design.study.converted.items()
        for source in every
        if source.phase == "confirm" and source.method == converts and (name, source.run.run_id) not in known
    ]


def _searched(
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
    grids = {name: entry.learning_rates for name, entry in methods.items() if name not in fixed}
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


Losses = dict[float, float]
"""Learning rate -> mean validation bits per byte."""
Grids = Mapping[str, Sequence[float]]
Tried = Callable[..., Losses | None]
"""Asks for runs of a method at some rates and a budget; returns their losses, None while a run is missing."""


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
        ends = {
            name: [learning_rates.beyond(grid, study.search.step, side) for side in (-1, 1)]
            for name, grid in grids.items()
        }
        grids = {name: (*grid, *ends[name]) for name, grid in grids.items()}
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
