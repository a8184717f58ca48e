"""A study: base models x data sets x methods x learning rates x seeds -> runs. Tune, then confirm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, PositiveFloat, field_validator, model_validator

from toolkit import config, models
from toolkit.data.prepare import Prepared, prepare
from toolkit.errors import UserError, unknown_name
from toolkit.records import RunRecord
from toolkit.specs import DatasetSpec, DataSpec, EvalSpec, MethodSpec, ModelSpec, RunSpec, Spec, TrainSpec
from toolkit.store import RunFolder

STUDIES = Path(__file__).parent / "studies"
ANCHOR = "base"


class StudyMethod(Spec):
    """A method and the learning rates it may choose from."""

    method: MethodSpec
    learning_rates: tuple[PositiveFloat, ...] = Field(min_length=1)
    """One: taken as it is, and the result is labelled untuned. Several: chosen on validation."""


class StudySpec(Spec):
    """What a study file says, names resolved."""

    name: str
    question: str | None = None
    """What the study is to answer; the report opens with it."""
    base_models: tuple[ModelSpec, ...] = Field(min_length=1)
    dataset: tuple[DatasetSpec, ...] = Field(min_length=1)
    """One data set, or several."""
    data: DataSpec
    methods: dict[str, StudyMethod] = Field(min_length=1)
    """Method -> its learning rates."""
    baseline: str
    """The method that the others are compared with; the first one unless said otherwise."""
    seeds: tuple[int, ...] = Field(default=(0,), min_length=1)
    """A seed moves data order, initialisation and dropout together."""
    tuning_seed: int = 1000
    """Seed of the runs that choose a learning rate: none of `seeds`, which must be fresh."""
    train: TrainSpec = TrainSpec()
    evaluate: EvalSpec = EvalSpec()
    metrics: tuple[str, ...] = ()
    """Metrics that get a verdict; those that the metrics themselves call headline when empty."""
    margins: dict[str, PositiveFloat] = Field(default_factory=dict)
    """Metric -> differences below this are of no account, where the metric's own margin does not suit."""

    @field_validator("seeds")
    @classmethod
    def _distinct(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(seeds)) != len(seeds):
            raise ValueError(f"a seed is given twice: {list(seeds)}")
        return seeds

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.baseline not in self.methods:
            raise ValueError(f"baseline: {unknown_name('method of this study', self.baseline, self.methods)}")
        if self.tuning_seed in self.seeds:
            raise ValueError(f"tuning_seed {self.tuning_seed} is one of the seeds; choose one that is not")
        if ANCHOR in self.methods:
            raise ValueError(f"methods: '{ANCHOR}' is the untouched base model and always there")
        for kind, names in (("base model", self.base_models), ("data set", self.dataset)):
            if len({item.name for item in names}) != len(names):
                raise ValueError(f"two entries of one {kind} name")
        return self


@dataclass(frozen=True)
class Planned:
    """One cell of the grid: a run, and what it is for."""

    model: ModelSpec
    dataset: DatasetSpec
    method: str
    phase: Literal["anchor", "tune", "confirm"]
    tuned: bool
    run: RunSpec


def load(name: str, overrides: Sequence[str] = ()) -> StudySpec:
    """A study by its name or its file, with `key=value` overrides laid over it."""
    path = Path(name)
    if path.suffix not in (".yaml", ".yml"):
        path = STUDIES / f"{name}.yaml"
        if not path.is_file():
            raise unknown_name("study", name, [file.stem for file in STUDIES.glob("*.yaml")])
    value = config.with_overrides(config.read_yaml(path), overrides)
    where = path.name if not overrides else f"{path.name} with {' '.join(overrides)}"
    return config.validate(StudySpec, _resolved({"name": path.stem, **value}, where), where)


def _resolved(value: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The file's short forms written out: catalog names looked up, one item as a list, a method's rates."""
    full = dict(value)
    if full.get("base_models"):
        full["base_models"] = [config.model(item).model_dump() for item in _many(full["base_models"])]
    if full.get("dataset"):
        full["dataset"] = [config.dataset(item).model_dump() for item in _many(full["dataset"])]
    methods = full.get("methods")
    if methods is not None:
        if not isinstance(methods, Mapping):
            raise UserError(f"{where}: methods: expected `method: [learning rates]` lines, got {methods!r}")
        full["methods"] = {name: _method(name, rates) for name, rates in methods.items()}
        full.setdefault("baseline", next(iter(methods), ""))
    return full


def _method(name: str, given: Any) -> dict[str, Any]:
    if isinstance(given, Mapping):
        rates = given.get("learning_rates", ())
        rest = {key: value for key, value in given.items() if key != "learning_rates"}
        method = config.method({"name": name, **rest} if rest else name)
    else:
        rates, method = given, config.method(name)
    return {"method": method.model_dump(), "learning_rates": _many(rates)}


def _many(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


class Grid:
    """A study on a root folder: its runs, and which of them are there."""

    def __init__(self, study: StudySpec, root: Path) -> None:
        self.study, self.root = study, root
        self._prepared: dict[str, Prepared] = {}

    def prepared(self, dataset: DatasetSpec) -> Prepared:
        """The data set's parts, read once."""
        if dataset.name not in self._prepared:
            form = config.form(dataset.format)
            self._prepared[dataset.name] = prepare(
                dataset, self.study.data, form, self.root / "runs" / ".data"
            )
        return self._prepared[dataset.name]

    @cached_property
    def base_models(self) -> tuple[ModelSpec, ...]:
        """The base models, a local folder with the hash of its weights: other weights are another run."""
        return tuple(models.pinned(model) for model in self.study.base_models)

    def first(self) -> list[Planned]:
        """The untouched bases, and the runs that choose learning rates."""
        cells = []
        for model in self.base_models:
            for dataset in self.study.dataset:
                cells.append(Planned(model, dataset, ANCHOR, "anchor", False, self._anchor(model)))
                for name, entry in self.study.methods.items():
                    if len(entry.learning_rates) > 1:
                        cells += [
                            self._cell(model, dataset, name, rate, self.study.tuning_seed, "tune")
                            for rate in entry.learning_rates
                        ]
        return cells

    def confirming(self) -> list[Planned]:
        """The runs with fresh seeds, each method at its chosen rate. Needs the tuning runs' records."""
        return [
            self._cell(model, dataset, name, rate, seed, "confirm")
            for model in self.base_models
            for dataset in self.study.dataset
            for seed in self.study.seeds
            for name in self.study.methods
            if (rate := self.chosen_rate(model, dataset, name)) is not None
        ]

    def chosen_rate(self, model: ModelSpec, dataset: DatasetSpec, method: str) -> float | None:
        """The only rate, or that of the lowest validation bits per byte; None while it is not known."""
        rates = self.study.methods[method].learning_rates
        if len(rates) == 1:
            return rates[0]
        scores = {}
        for rate in rates:
            record = self.record(self._cell(model, dataset, method, rate, self.study.tuning_seed, "tune"))
            if record and record.status == "finished" and record.validation_bits_per_byte is not None:
                scores[rate] = record.validation_bits_per_byte
        return min(scores, key=lambda rate: scores[rate]) if scores else None

    def record(self, cell: Planned) -> RunRecord | None:
        """The run's record, if it is there."""
        path = RunFolder(self.root, cell.run.run_id).record
        return RunRecord.read(path) if path.is_file() else None

    def _anchor(self, model: ModelSpec) -> RunSpec:
        return RunSpec(
            model=model,
            dataset=None,
            data=None,
            method=config.method(ANCHOR),
            learning_rate=None,
            train=TrainSpec(precision=self.study.train.precision),
            seed=0,
        )

    def _cell(
        self, model: ModelSpec, dataset: DatasetSpec, name: str, rate: float, seed: int, phase: Any
    ) -> Planned:
        entry = self.study.methods[name]
        train = {**self.study.train.model_dump(), **entry.method.train}
        prints = self.prepared(dataset).fingerprints
        run = RunSpec(
            model=model,
            dataset=dataset,
            data=self.study.data,
            method=entry.method,
            learning_rate=rate,
            train=config.validate(TrainSpec, train, f"method {name}: train"),
            seed=seed,
            recipes={part: prints[part] for part in ("train", "validation")},
        )
        counts = {len(method.learning_rates) for method in self.study.methods.values()}
        return Planned(model, dataset, name, phase, len(counts) == 1 and counts != {1}, run)
