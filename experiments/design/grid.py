"""The cells of a study: under each condition the untouched base, a search for learning rates, fresh seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from experiments.design import search
from experiments.design.study import ANCHOR, StudySpec
from toolkit import config
from toolkit.data.prepare import Prepared, prepare
from toolkit.models import locate
from toolkit.records import Condition, RunRecord
from toolkit.records.folders import RunFolder
from toolkit.specs import DatasetSpec, DataSpec, ModelSpec, RunSpec, TrainSpec

Phase = Literal["anchor", "tune", "confirm"]


@dataclass(frozen=True)
class Setting:
    """A condition with its specs: what all methods compared under it share."""

    model: ModelSpec
    dataset: DatasetSpec
    data: DataSpec
    train: TrainSpec

    @property
    def condition(self) -> Condition:
        """Its names and numbers, as records carry them."""
        return Condition(self.model.name, self.dataset.name, self.data.train, self.train.epochs)


@dataclass(frozen=True)
class Planned:
    """One cell of the grid: a run, and what it is for."""

    setting: Setting
    """An untouched base stands in all settings of its data set; it carries the one with most documents."""
    method: str
    phase: Phase
    tuned: bool
    run: RunSpec
    budget: float = 1.0
    """Share of the setting's epochs that it trains."""

    @property
    def model(self) -> ModelSpec:
        """Its base model."""
        return self.setting.model

    @property
    def dataset(self) -> DatasetSpec:
        """Its data set."""
        return self.setting.dataset


class Grid:
    """A study on a root folder: its cells as far as the records decide them."""

    def __init__(self, study: StudySpec, root: Path) -> None:
        self.study, self.root = study, root
        self.lost: set[str] = set()
        """Ids of runs that failed in this session: the search goes on without them."""
        self._prepared: dict[tuple[str, str], Prepared] = {}
        self._records: dict[str, RunRecord] = {}
        counts = {len(entry.learning_rates) for entry in study.methods.values()}
        self._tuned = len(counts) == 1 and counts != {1}

    def prepared(self, dataset: DatasetSpec, data: DataSpec | None = None) -> Prepared:
        """The data set's parts, read once; with the largest training part unless other sizes are given."""
        sizes = data or self._data(max(self.study.data.train))
        key = dataset.name, sizes.digest
        if key not in self._prepared:
            self._prepared[key] = prepare(dataset, sizes, self.root / "runs" / ".data")
        return self._prepared[key]

    @cached_property
    def base_models(self) -> tuple[ModelSpec, ...]:
        """The base models, a local folder with the hash of its weights: other weights are another run."""
        return tuple(locate.pinned(model) for model in self.study.base_models)

    @cached_property
    def settings(self) -> list[Setting]:
        """The conditions, in the study's order."""
        train = self.study.train.model_dump()
        return [
            Setting(model, dataset, self._data(size), TrainSpec(**{**train, "epochs": epochs}))
            for model in self.base_models
            for dataset in self.study.dataset
            for size in self.study.data.train
            for epochs in self.study.train.epochs
        ]

    def cells(self) -> list[Planned]:
        """The cells that the records there are allow to name: more of them, once these have run."""
        anchors = [
            self._anchor(model, dataset) for model in self.base_models for dataset in self.study.dataset
        ]
        tuning: list[Planned] = []
        confirming: list[Planned] = []
        for setting in self.settings:
            tries, rates = self._searched(setting)
            tuning += tries
            confirming += [
                self._cell(setting, name, rates[name], seed, "confirm")
                for seed in self.study.seeds
                for name in self.study.methods
                if name in rates
            ]
        return [*anchors, *tuning, *confirming]

    def waiting(self, cells: Sequence[Planned]) -> int:
        """How many more cells will follow at least, once ``cells`` have run."""
        runs = len(self.study.seeds) * len(self.study.methods) * len(self.settings)
        missing = runs - sum(cell.phase == "confirm" for cell in cells)
        for name, entry in self.study.methods.items():
            rounds = search.rungs(self.study.search, len(entry.learning_rates))
            if len(entry.learning_rates) > 1:
                alive = [len(entry.learning_rates), *(rung.keep for rung in rounds[:-1])]
                tries = sum(alive) * len(self.study.tuning_seeds) * len(self.settings)
                mine = sum(cell.phase == "tune" and cell.method == name for cell in cells)
                missing += max(0, tries - mine)
        return missing

    def to_come(self, cells: Sequence[Planned]) -> list[Planned]:
        """The confirming runs whose rate is still searched for, at the middle of the grid in its place."""
        known = {(cell.setting.condition, cell.method) for cell in cells if cell.phase == "confirm"}
        middle = {
            name: sorted(entry.learning_rates)[len(entry.learning_rates) // 2]
            for name, entry in self.study.methods.items()
        }
        return [
            self._cell(setting, name, middle[name], seed, "confirm")
            for setting in self.settings
            for seed in self.study.seeds
            for name in self.study.methods
            if (setting.condition, name) not in known
        ]

    def record(self, cell: Planned) -> RunRecord | None:
        """The run's record, if it is there."""
        run_id = cell.run.run_id
        if run_id not in self._records:
            path = RunFolder(self.root, run_id).record
            if not path.is_file():
                return None
            self._records[run_id] = RunRecord.read(path)
        return self._records[run_id]

    def _searched(self, setting: Setting) -> tuple[list[Planned], dict[str, float]]:
        """The tuning cells of a condition, and the rate of every method that has one.

        A method waits for the others: a grid that has to be extended is extended for all alike.
        """
        grids = {name: entry.learning_rates for name, entry in self.study.methods.items()}
        fixed = {name: rates[0] for name, rates in grids.items() if len(rates) == 1}
        grids = {name: rates for name, rates in grids.items() if name not in fixed}
        cells: list[Planned] = []
        scores: dict[str, dict[float, float]] = {}
        decided = True
        for name, grid in grids.items():
            alive: Sequence[float] = grid
            for rung in search.rungs(self.study.search, len(grid)):
                tries, found = self._tried(setting, name, alive, rung.budget)
                cells += tries
                if found is None:
                    decided = False
                    break
                scores[name], alive = found, search.best(found, rung.keep)
        if not decided:
            return cells, fixed
        chosen = {name: rate for name in grids for rate in search.best(scores[name], 1)}
        for side in self._to_extend(grids, chosen):
            for name, rates in grids.items():
                rate = search.beyond(rates, self.study.search.step, side)
                last = search.rungs(self.study.search, len(rates))[-1]
                tries, found = self._tried(setting, name, [rate], last.budget)
                cells += tries
                decided &= found is not None
                scores[name] |= found or {}
        if not decided:
            return cells, fixed
        return cells, fixed | {name: rate for name in grids for rate in search.best(scores[name], 1)}

    def _to_extend(self, grids: dict[str, tuple[float, ...]], chosen: dict[str, float]) -> list[int]:
        """On which sides one more rate is tried; rates that a study writes out are taken as written."""
        own = all(self.study.methods[name].own_grid for name in grids)
        return search.sides(chosen, grids) if own and self.study.search.at_edge == "extend" else []

    def _tried(
        self, setting: Setting, name: str, rates: Sequence[float], budget: float
    ) -> tuple[list[Planned], dict[float, float] | None]:
        """Cells of one round, and rate -> mean validation bits per byte; None while a run is to come.

        A rate that diverged or failed with one of the tuning seeds scores infinity: it was tried.
        """
        cells: list[Planned] = []
        scores: dict[float, float] = {}
        complete = True
        for rate in rates:
            values = []
            for seed in self.study.tuning_seeds:
                cell = self._cell(setting, name, rate, seed, "tune", budget)
                cells.append(cell)
                record = self.record(cell)
                complete &= record is not None or cell.run.run_id in self.lost
                value = record.validation_bits_per_byte if record and record.status == "finished" else None
                values.append(math.inf if value is None else value)
            scores[rate] = sum(values) / len(values)
        return cells, scores if complete else None

    def _data(self, train_size: int) -> DataSpec:
        return DataSpec(**{**self.study.data.model_dump(), "train": train_size})

    def _anchor(self, model: ModelSpec, dataset: DatasetSpec) -> Planned:
        run = RunSpec(
            model=model,
            dataset=None,
            data=None,
            method=config.method(ANCHOR),
            learning_rate=None,
            train=TrainSpec(precision=self.study.train.precision),
            seed=0,
        )
        mine = [s for s in self.settings if (s.model, s.dataset) == (model, dataset)]
        return Planned(max(mine, key=lambda s: s.data.train), ANCHOR, "anchor", False, run)

    def _cell(
        self, setting: Setting, name: str, rate: float, seed: int, phase: Phase, budget: float = 1.0
    ) -> Planned:
        entry = self.study.methods[name]
        asked = {**setting.train.model_dump(), **entry.method.train}
        train = config.validate(TrainSpec, asked, f"method {name}: train")
        if budget < 1:
            train = train.model_copy(update={"epochs": train.epochs * budget, "validations": 1})
        prints = self.prepared(setting.dataset, setting.data).fingerprints
        run = RunSpec(
            model=setting.model,
            dataset=setting.dataset,
            data=setting.data,
            method=entry.method,
            learning_rate=rate,
            train=train,
            seed=seed,
            recipes={part: prints[part] for part in ("train", "validation")},
        )
        return Planned(setting, name, phase, self._tuned, run, budget)
