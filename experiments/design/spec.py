"""What a study compares, under which conditions, and how learning rates are chosen: names resolved."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

from pydantic import BeforeValidator, Field, PositiveFloat, PositiveInt, field_validator, model_validator

from eval.metrics import Metric, all_metrics, metric
from eval.statistics.verdicts import require_margin_of
from experiments.design.findings import published_findings
from experiments.design.learning_rates import Search, fewest_runs
from toolkit.errors import UserError, unknown_name
from toolkit.records import ANCHOR_LABELS, MethodLook
from toolkit.specs import BASE, DatasetSpec, DataSpec, EvalSpec, MethodSpec, ModelSpec, Name, Spec, TrainSpec
from toolkit.specs.base import digest_of


def many(value: Any) -> list[Any]:
    """One value or several, as a list."""
    items: list[Any] = [value]
    if isinstance(value, list | tuple):
        items = list(value)
    return items


def _some(values: Any) -> Any:
    if values in ([], {}):
        raise ValueError("empty: an axis needs at least one value")
    return values


def axis(value: Any) -> list[Any]:
    """The levels of an axis: one value or several, none of them twice. Raises ValueError if empty."""
    values: list[Any] = _some(many(value))
    twice = [item for place, item in enumerate(values) if item in values[:place]]
    if twice:
        raise ValueError(f"{twice[0]} is given twice" if not isinstance(twice[0], dict) else "one is twice")
    return values


T = TypeVar("T")
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Axis = Annotated[tuple[T, ...], BeforeValidator(axis)]
"""One value, or a list of them: each is a level of the grid."""


class StudyData(DataSpec):
    """The sizes of the splits; several training sizes are an axis, each the start of the larger ones."""

    train: Axis[PositiveInt]  # type: ignore[assignment]  # a study has many runs, a run has one size
    """Training documents."""


class StudyTraining(TrainSpec):
    """How runs train; several numbers of epochs are an axis."""

    epochs: Axis[PositiveFloat] = (1.0,)  # type: ignore[assignment]  # as above
    """Passes over the training documents."""


def _rates(value: Any) -> list[Any]:
    return axis(value) if many(value) else []


class StudyMethod(Spec):
    """A method and the learning rates it may choose from."""

    method: MethodSpec
    learning_rates: Annotated[tuple[PositiveFloat, ...], BeforeValidator(_rates)]
    """One: used as it is, and the result is labelled untuned. Several: chosen on validation data, as those of
    `tune`, the grid of `search`. None if it was trained elsewhere or is converted."""
    own_grid: bool = False
    """Whether the rates are the grid of `search`, which may be extended, and not written out."""

    @model_validator(mode="after")
    def _rates_if_trained_here(self) -> Self:
        if not self.method.trained_here and self.learning_rates:
            raise ValueError("learning_rates: what was trained elsewhere, or is converted, has none")
        if self.method.trained_here and not self.learning_rates:
            raise ValueError("learning_rates: empty: an axis needs at least one value")
        return self


LABELS = ("note", "license", "published_as")
"""Keys that say something about a base or a data set, and change nothing."""


class StudySpec(Spec):
    """A study file, names resolved."""

    name: Name
    """The name of the study and of its folder in `results/`; default: the name of the file."""
    question: str | None = None
    """What the study is to answer; the report opens with it."""
    base_models: Axis[ModelSpec]
    """Base models: a name of the catalog, a model written out, or a list of them."""
    dataset: Axis[DatasetSpec]
    """Data sets: a name of the catalog, a data set written out, or a list of them."""
    data: StudyData
    """How many documents each split gets."""
    methods: Annotated[dict[str, StudyMethod], BeforeValidator(_some)]
    """Method -> learning rates, or `tune`: the grid of `search`. A list of names means `tune` for each."""
    search: Search = Search()
    """How `tune` finds a learning rate."""
    baseline: str
    """The method that the others are compared with; default: the first one."""
    seeds: Axis[Seed] = (0,)
    """Seeds of the compared runs. A seed sets data order, initialisation and dropout together."""
    tuning_seeds: Axis[Seed] = (1000,)
    """Seeds of the runs that choose a learning rate: none of `seeds`, which must be fresh."""
    train: StudyTraining = StudyTraining()
    """How runs train."""
    evaluate: EvalSpec = EvalSpec()
    """How runs are evaluated."""
    report_to: tuple[str, ...] = ()
    """Trackers that get every run's curves, by transformers' names: tensorboard, wandb, mlflow, trackio."""
    metrics: tuple[str, ...] = ()
    """Metrics that get a verdict; default: those marked as headline metrics."""
    claims: tuple[str, ...] = ()
    """Published findings that the study judges, by name, or `all`."""
    looks: dict[str, MethodLook] = Field(default_factory=dict)
    """Method -> its label, colour (`#rrggbb`) and mark in figures, as far as the study chooses them."""
    margins: dict[str, PositiveFloat] = Field(default_factory=dict)
    """Metric -> equivalence margin that replaces the metric's own: smaller differences are negligible."""
    max_runs: PositiveInt = 2000
    """A study that may have more runs than this is refused before any runs; raise it for one so large."""
    matched_parameters: bool = False
    """Whether the study claims that its adapters train equally many weights: the audit then checks it."""

    @field_validator("claims", mode="before")
    @classmethod
    def _known(cls, value: Any) -> list[str]:
        known = [published.name for published in published_findings()]
        asked = known if value == "all" else many(value)
        for name in asked:
            if name not in known:
                raise ValueError(unknown_name("finding", str(name), known))
        return asked

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.baseline not in self.methods:
            raise ValueError(f"baseline: {unknown_name('method of this study', self.baseline, self.methods)}")
        for name in self.looks:
            if name not in (*self.methods, BASE):
                raise ValueError(f"looks: {unknown_name('method of this study', name, self.methods)}")
        self._refuse_shared_labels()
        sources = [name for name in self.methods if name not in self.converted]
        for name, source in self.converted.items():
            if source not in sources:
                problem = unknown_name("trained method of this study", source, sources)
                raise ValueError(f"methods: {name}: convert: {problem}")
        if self.baseline in self.converted:
            raise ValueError(f"baseline: '{self.baseline}' is converted; choose a method that is trained")
        both = set(self.tuning_seeds) & set(self.seeds)
        if both:
            raise ValueError(f"tuning_seeds: {min(both)} is one of the seeds; choose one that is not")
        if BASE in self.methods:
            raise ValueError(f"methods: '{BASE}' is the untouched base model, which is always included")
        for kind, names in (("base model", self.base_models), ("data set", self.dataset)):
            if len({item.name for item in names}) != len(names):
                raise ValueError(f"two entries of one {kind} name")
        for dataset in self.dataset:
            # A prompt that holds the last section would leave nothing to write.
            modes = [section.name for section in dataset.format.sections[:-1]]
            for mode in self.evaluate.prompts:
                if mode not in modes and len({type(one.format) for one in self.dataset}) > 1:
                    raise ValueError(
                        "dataset: documents with sections and conversations are two kinds of data, which are "
                        "prompted differently: make a study of each"
                    )
                if mode not in modes:
                    raise unknown_name(f"prompt mode of format '{dataset.format.name}'", mode, modes)
        return self

    def _refuse_shared_labels(self) -> None:
        """Raise ValueError for a label that another method has, or an anchor: tables are made by label."""
        taken = {name: name for name in (*self.methods, BASE, *ANCHOR_LABELS.values())}
        for method, look in self.looks.items():
            if look.label is None:
                continue
            owner = taken.setdefault(look.label, method)
            if owner != method:
                whose = "that of another method" if owner in self.methods or owner == BASE else "an anchor's"
                raise ValueError(f"looks: {method}: label '{look.label}' is {whose}: choose another")

    @property
    def what_is_trained(self) -> str:
        """A digest of bases, data, training and search: the same at every size it may grow to.

        Its methods are not in it, nor on how many processes they train, which is no part of a run, nor the
        folders in which files lie and what is said about them.
        """
        return digest_of(_without_places(self._trained_alike()))

    @property
    def what_was_trained(self) -> tuple[str, str]:
        """The same with folders and labels, and with its methods too, as earlier versions recorded it."""
        kept = {"base_models", "dataset", "data", "methods", "search", "train", "tuning_seeds"}
        return digest_of(self._trained_alike()), digest_of(self._what_grows(kept))

    def _trained_alike(self) -> dict[str, Any]:
        value = self._what_grows({"base_models", "dataset", "data", "search", "train", "tuning_seeds"})
        for execution in ("processes", "distributed"):
            value["train"].pop(execution, None)
        return value

    def _what_grows(self, keys: set[str]) -> dict[str, Any]:
        value = self.model_dump(mode="json", include=keys)
        value["data"].pop("further_test", None)
        return value

    @property
    def most_runs(self) -> int:
        """An upper bound of the study's runs, without those by which a grid may be extended."""
        grids = [len(m.learning_rates) for m in self.methods.values() if len(m.learning_rates) > 1]
        # Halving has more runs than rates: each of its rounds is a run.
        tries = sum(max(rates, fewest_runs(self.search, rates)) for rates in grids)
        trained = len(self.trained_here) + len(self.converted)
        each = tries * len(self.tuning_seeds) + trained * len(self.seeds) + len(self.elsewhere)
        sets = len(self.base_models) * len(self.dataset)
        return sets * (1 + len(self.data.train) * len(self.train.epochs) * each)

    @property
    def trained_here(self) -> dict[str, StudyMethod]:
        """The methods that this study trains."""
        return {name: entry for name, entry in self.methods.items() if entry.method.trained_here}

    @property
    def elsewhere(self) -> list[str]:
        """Names of the methods that were trained elsewhere."""
        return [name for name, entry in self.methods.items() if entry.method.elsewhere]

    @property
    def converted(self) -> dict[str, str]:
        """Method -> the method that it converts. They are compared with that one, not with the baseline."""
        return {name: entry.method.convert for name, entry in self.methods.items() if entry.method.convert}

    def headline_metrics(self) -> list[Metric]:
        """The metrics that get a verdict. Raises UserError for unknown names and margins of another unit."""
        for name, margin in self.margins.items():
            require_margin_of(metric(name), margin)
        forms = [dataset.format for dataset in self.dataset]
        for name in self.metrics:
            if not any(metric(name).defined_on(form) for form in forms):
                names = ", ".join(form.name for form in forms)
                raise UserError(f"metrics: '{name}' says nothing about documents of format {names}")
        named = [metric(name) for name in self.metrics]
        return named or [
            item for item in all_metrics().values() if item.headline and any(map(item.defined_on, forms))
        ]


def _without_places(value: Any) -> Any:
    """Return a dumped value without labels, and with the names of files and folders for their paths."""
    if isinstance(value, dict):
        return {key: _without_places(item) for key, item in value.items() if key not in LABELS}
    if isinstance(value, list):
        return [_without_places(item) for item in value]
    return Path(value).name if isinstance(value, str) and Path(value).is_absolute() else value
