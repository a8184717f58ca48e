"""What a cell of a study is: a run under a condition, and what it is for; and how one is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from experiments.design.study import StudySpec
from toolkit import config
from toolkit.records import Condition, Phase, RateChoice
from toolkit.specs import BASE, DatasetSpec, DataSpec, ModelSpec, RunSpec, TrainSpec

Fingerprints = Mapping[tuple[str, int], Mapping[str, str]]
"""Data set name and training size -> split -> fingerprint."""


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
    rate_choice: RateChoice | None = None
    """How a confirming run's learning rate was chosen; None for other runs."""

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
    def key(self) -> str:
        """Its identity: one run may tune under one condition and confirm under another."""
        return f"{self.run.run_id} {self.phase} {self.condition}"

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
        counts = {len(entry.learning_rates) for entry in self.study.trained_here.values()}
        return len(counts) == 1 and counts != {1}


def sizes_of(study: StudySpec, train_size: int) -> DataSpec:
    """The study's split sizes with one training size."""
    return DataSpec(**{**study.data.model_dump(), "train": train_size})


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


def elsewhere_cell(design: Design, specs: ConditionSpec, name: str) -> CellSpec:
    """What was trained elsewhere, under one condition: one set of weights, so one seed."""
    method = design.study.methods[name].method
    run = RunSpec(
        model=specs.model,
        dataset=None,
        data=None,
        method=method.model_copy(update={"trained_on": None}),  # it is the study that compares it
        learning_rate=None,
        train=TrainSpec(precision=design.study.train.precision),
        seed=design.study.seeds[0],
    )
    return CellSpec(specs, name, "confirm", False, run)


def converted_cell(design: Design, name: str, source: CellSpec) -> CellSpec:
    """What is converted from a run of another method: it has that run's seed, and was tuned with it."""
    run = RunSpec(
        model=source.model,
        dataset=None,
        data=None,
        method=design.study.methods[name].method,
        learning_rate=None,
        train=TrainSpec(precision=source.run.train.precision),
        converts=source.run.run_id,
        seed=source.run.seed,
    )
    return CellSpec(source.specs, name, "confirm", source.tuned, run)


def cell_of(
    design: Design,
    specs: ConditionSpec,
    name: str,
    rate: float,
    seed: int,
    phase: Phase,
    budget: float = 1.0,
    rate_choice: RateChoice | None = None,
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
    return CellSpec(specs, name, phase, design.tuned, run, budget, rate_choice)
