"""The cells of a study, as pure functions of the study, the data's fingerprints and the records so far."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from experiments.design import learning_rates
from experiments.design.conditions import (
    CellSpec,
    Design,
    base_cell,
    cell_of,
    converted_cell,
    elsewhere_cell,
)
from experiments.design.grid import searches
from experiments.design.grid.searches import Records


def cells_of(design: Design, records: Records, lost: Collection[str] = ()) -> list[CellSpec]:
    """The cells that ``records`` decide so far; more of them follow once these have run.

    ``lost`` are ids of runs that failed: the search continues without them.
    """
    study = design.study
    bases = [base_cell(design, model, dataset) for model in design.base_models for dataset in study.dataset]
    tuning: list[CellSpec] = []
    confirming: list[CellSpec] = []
    for specs in design.conditions:
        tries, searched = searches.searched(design, specs, records, lost)
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
        _, searched = searches.searched(design, specs, records, lost)
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
    """The confirming runs whose rate is still being searched for; here it is that of `searches.rate_so_far`.

    A method whose search is over without a rate, since every one diverged or failed, has none.
    """
    known = {(cell.condition, cell.method) for cell in cells if cell.phase == "confirm"}
    for specs in design.conditions:
        known |= {(specs.condition, name) for name in searches.searched(design, specs, records, lost)[1]}
    rates = {
        (specs.condition, name): searches.rate_so_far(design, specs, name, records, lost)
        for specs in design.conditions
        for name in design.study.trained_here
        if (specs.condition, name) not in known
    }
    return [
        cell_of(design, specs, name, rates[specs.condition, name], seed, "confirm")
        for specs in design.conditions
        for seed in design.study.seeds
        for name in design.study.trained_here
        if (specs.condition, name) in rates
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
