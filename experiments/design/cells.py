"""The cells of a study, as pure functions of the study, the data's fingerprints and the records so far."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Protocol

from experiments.design import search
from experiments.design.study import StudySpec
from toolkit import config
from toolkit.records import Condition, RunRecord
from toolkit.specs import BASE, DatasetSpec, DataSpec, ModelSpec, RunSpec, TrainSpec

Phase = Literal["base", "tune", "confirm"]
Fingerprints = Mapping[tuple[str, int], Mapping[str, str]]
"""Data set name and training size -> split -> fingerprint."""


class Records(Protocol):
    """Finished runs by id: a dictionary, or a reader of the disk."""

    def get(self, run_id: str, /) -> RunRecord | None:
        """The record of a run; None if it has not finished."""


@dataclass(frozen=True)
class ConditionSpec:
    """The specs that all methods compared under one condition share."""

    model: ModelSpec
    dataset: DatasetSpec
    data: DataSpec
    train: TrainSpec

    @property
    def condition(self) -> Condition:
        """Its names and numbers, as records carry them."""
        return Condition(self.model.name, self.dataset.name, self.data.train, self.train.epochs)


@dataclass(frozen=True)
class CellSpec:
    """One cell of the grid: a run, and what it is for. `records.Cell` is what became of it."""

    specs: ConditionSpec
    """An untouched base belongs to all conditions of its data set; it carries the one with most documents."""
    method: str
    phase: Phase
    tuned: bool
    run: RunSpec
    budget: float = 1.0
    """Share of the condition's epochs that it trains."""

    @property
    def condition(self) -> Condition:
        """The condition that it belongs to."""
        return self.specs.condition

    @property
    def model(self) -> ModelSpec:
        """Its base model."""
        return self.specs.model

    @property
    def dataset(self) -> DatasetSpec:
        """Its data set."""
        return self.specs.dataset

    @property
    def data(self) -> DataSpec:
        """The sizes of its splits."""
        return self.specs.data

    @property
    def label(self) -> str:
        """`smollm2-135m-embedded full at 0.0001, seed 0`."""
        rate = "" if self.run.learning_rate is None else f" at {self.run.learning_rate:g}"
        return f"{self.model.name} {self.method}{rate}, seed {self.run.seed}"


@dataclass(frozen=True)
class Design:
    """A study with what its cells' identities need: base models by content, and the data's fingerprints."""

    study: StudySpec
    base_models: tuple[ModelSpec, ...]
    """The study's base models; a local folder with the hash of its files."""
    fingerprints: Fingerprints

    @cached_property
    def conditions(self) -> list[ConditionSpec]:
        """The conditions, in the study's order."""
        train = self.study.train.model_dump()
        return [
            ConditionSpec(
                model, dataset, sizes_of(self.study, size), TrainSpec(**{**train, "epochs": epochs})
            )
            for model in self.base_models
            for dataset in self.study.dataset
            for size in self.study.data.train
            for epochs in self.study.train.epochs
        ]

    @cached_property
    def tuned(self) -> bool:
        """Whether every method has the same number of learning rates to choose from, and more than one."""
        counts = {len(entry.learning_rates) for entry in self.study.methods.values()}
        return len(counts) == 1 and counts != {1}


def sizes_of(study: StudySpec, train_size: int) -> DataSpec:
    """The study's split sizes with one training size."""
    return DataSpec(**{**study.data.model_dump(), "train": train_size})


def cells_of(design: Design, records: Records, lost: Collection[str] = ()) -> list[CellSpec]:
    """The cells that ``records`` decide so far; more of them follow once these have run.

    ``lost`` are ids of runs that failed: the search continues without them.
    """
    study = design.study
    bases = [base_cell(design, model, dataset) for model in design.base_models for dataset in study.dataset]
    tuning: list[CellSpec] = []
    confirming: list[CellSpec] = []
    for specs in design.conditions:
        tries, rates = _searched(design, specs, records, lost)
        tuning += tries
        confirming += [
            cell_of(design, specs, name, rates[name], seed, "confirm")
            for seed in study.seeds
            for name in study.methods
            if name in rates
        ]
    return [*bases, *tuning, *confirming]


def more_to_come(design: Design, cells: Sequence[CellSpec]) -> int:
    """The number of cells that will at least follow ``cells`` once these have run."""
    study, conditions = design.study, len(design.conditions)
    missing = len(study.seeds) * len(study.methods) * conditions
    missing -= sum(cell.phase == "confirm" for cell in cells)
    for name, entry in study.methods.items():
        if len(entry.learning_rates) > 1:
            rounds = search.rungs(study.search, len(entry.learning_rates))
            alive = [len(entry.learning_rates), *(rung.keep for rung in rounds[:-1])]
            tries = sum(alive) * len(study.tuning_seeds) * conditions
            missing += max(0, tries - sum(cell.phase == "tune" and cell.method == name for cell in cells))
    return missing


def undecided_cells(design: Design, cells: Sequence[CellSpec]) -> list[CellSpec]:
    """The confirming runs whose rate is still being searched for; here it is the middle of the grid."""
    known = {(cell.condition, cell.method) for cell in cells if cell.phase == "confirm"}
    middle = {
        name: sorted(entry.learning_rates)[len(entry.learning_rates) // 2]
        for name, entry in design.study.methods.items()
    }
    return [
        cell_of(design, specs, name, middle[name], seed, "confirm")
        for specs in design.conditions
        for seed in design.study.seeds
        for name in design.study.methods
        if (specs.condition, name) not in known
    ]


def base_cell(design: Design, model: ModelSpec, dataset: DatasetSpec) -> CellSpec:
    """The untouched base model on a data set."""
    run = RunSpec(
        model=model,
        dataset=None,
        data=None,
        method=config.method(BASE),
        learning_rate=None,
        train=TrainSpec(precision=design.study.train.precision),
        seed=0,
    )
    specs = [s for s in design.conditions if (s.model, s.dataset) == (model, dataset)]
    return CellSpec(max(specs, key=lambda s: s.data.train), BASE, "base", False, run)


def cell_of(
    design: Design,
    specs: ConditionSpec,
    name: str,
    rate: float,
    seed: int,
    phase: Phase,
    budget: float = 1.0,
) -> CellSpec:
    """A training cell. Raises UserError if the method's own training settings are not valid."""
    method = design.study.methods[name].method
    settings = {**specs.train.model_dump(), **method.train}
    train = config.validate(TrainSpec, settings, f"method {name}: train")
    if budget < 1:
        train = train.model_copy(update={"epochs": train.epochs * budget, "validations": 1})
    fingerprints = design.fingerprints[specs.dataset.name, specs.data.train]
    run = RunSpec(
        model=specs.model,
        dataset=specs.dataset,
        data=specs.data,
        method=method,
        learning_rate=rate,
        train=train,
        seed=seed,
        fingerprints={split: fingerprints[split] for split in ("train", "validation")},
    )
    return CellSpec(specs, name, phase, design.tuned, run, budget)


def _searched(
    design: Design, specs: ConditionSpec, records: Records, lost: Collection[str]
) -> tuple[list[CellSpec], dict[str, float]]:
    """The tuning cells of a condition, and method -> learning rate as far as it is decided.

    A method waits for the others: a grid that has to be extended is extended for all of them.
    """
    methods = design.study.methods
    fixed = {n: entry.learning_rates[0] for n, entry in methods.items() if len(entry.learning_rates) == 1}
    grids = {name: entry.learning_rates for name, entry in methods.items() if name not in fixed}
    cells: list[CellSpec] = []
    scores: dict[str, dict[float, float]] = {}
    decided = True
    for name, grid in grids.items():
        alive: Sequence[float] = grid
        for rung in search.rungs(design.study.search, len(grid)):
            tries, means = _tried(design, specs, name, alive, rung.budget, records, lost)
            cells += tries
            if means is None:
                decided = False
                break
            scores[name], alive = means, search.best(means, rung.keep)
    if not decided:
        return cells, fixed
    chosen = {name: rate for name in grids for rate in search.best(scores[name], 1)}
    for side in _sides_to_extend(design.study, grids, chosen):
        for name, rates in grids.items():
            rate = search.beyond(rates, design.study.search.step, side)
            last = search.rungs(design.study.search, len(rates))[-1]
            tries, means = _tried(design, specs, name, [rate], last.budget, records, lost)
            cells += tries
            decided &= means is not None
            scores[name] |= means or {}
    if not decided:
        return cells, fixed
    return cells, fixed | {name: rate for name in grids for rate in search.best(scores[name], 1)}


def _sides_to_extend(
    study: StudySpec, grids: Mapping[str, Sequence[float]], chosen: Mapping[str, float]
) -> list[int]:
    """On which sides one more rate is tried; rates that a study writes out are taken as written."""
    own = all(study.methods[name].own_grid for name in grids)
    return search.sides(chosen, grids) if own and study.search.at_edge == "extend" else []


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
