"""A study, as its file says it: what is compared, under which conditions, how learning rates are found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

from pydantic import BeforeValidator, Field, PositiveFloat, PositiveInt, field_validator, model_validator

from eval.metrics import Metric, all_metrics, metric
from experiments.design.findings import published_findings
from experiments.design.search import Search, own_rates
from toolkit import config
from toolkit.errors import UserError, unknown_name
from toolkit.specs import BASE, DatasetSpec, DataSpec, EvalSpec, MethodSpec, ModelSpec, Name, Spec, TrainSpec
from toolkit.specs.reading import shorten

STUDIES = Path(__file__).parents[1] / "studies"
LONGEST_NAME = 1024
"""Characters of a study's name or path."""
"""The method name of the untouched base model."""
TUNE = "tune"
AXES = ("base_models", "dataset", "data.train", "train.epochs", "methods", "seeds", "tuning_seeds")


def _many(value: Any) -> list[Any]:
    """One value or several, as a list."""
    return list(value) if isinstance(value, list | tuple) else [value]


def _some(values: Any) -> Any:
    if values in ([], {}):
        raise ValueError("empty: an axis needs at least one value")
    return values


def _axis(value: Any) -> list[Any]:
    values = _some(_many(value))
    twice = [item for place, item in enumerate(values) if item in values[:place]]
    if twice:
        raise ValueError(f"{twice[0]} is given twice" if not isinstance(twice[0], dict) else "one is twice")
    return values


T = TypeVar("T")
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Axis = Annotated[tuple[T, ...], BeforeValidator(_axis)]
"""One value, or a list of them: each is a level of the grid."""


class Parts(DataSpec):
    """The sizes of the parts; several training sizes are an axis, each the start of the larger ones."""

    train: Axis[PositiveInt]  # type: ignore[assignment]  # a study has many runs, a run has one size
    """Training documents."""


class Training(TrainSpec):
    """How runs train; several numbers of epochs are an axis."""

    epochs: Axis[PositiveFloat] = (1.0,)  # type: ignore[assignment]  # as above
    """Passes over the training documents."""


class StudyMethod(Spec):
    """A method and the learning rates it may choose from."""

    method: MethodSpec
    learning_rates: Axis[PositiveFloat]
    """One: taken as it is, and the result is labelled untuned. Several: chosen on validation."""
    own_grid: bool = False
    """Whether the rates are the grid of the study's search, which may be extended, or written out."""


class StudySpec(Spec):
    """What a study file says, names resolved."""

    name: Name
    question: str | None = None
    """What the study is to answer; the report opens with it."""
    base_models: Axis[ModelSpec]
    dataset: Axis[DatasetSpec]
    """One data set, or several."""
    data: Parts
    methods: Annotated[dict[str, StudyMethod], BeforeValidator(_some)]
    """Method -> its learning rates, or `tune`: the grid of `search`."""
    search: Search = Search()
    baseline: str
    """The method that the others are compared with; the first one unless said otherwise."""
    seeds: Axis[Seed] = (0,)
    """A seed moves data order, initialisation and dropout together."""
    tuning_seeds: Axis[Seed] = (1000,)
    """Seeds of the runs that choose a learning rate: none of `seeds`, which must be fresh."""
    train: Training = Training()
    evaluate: EvalSpec = EvalSpec()
    report_to: tuple[str, ...] = ()
    """Trackers that get every run's curves, by transformers' names: tensorboard, wandb, mlflow, trackio."""
    metrics: tuple[str, ...] = ()
    """Metrics that get a verdict; those that the metrics themselves call headline when empty."""
    claims: tuple[str, ...] = ()
    """Published findings that the study is to judge, by name, or `all`."""
    matched_parameters: bool = False
    """Whether the study claims that its adapters train equally many weights: the audit then checks it."""
    margins: dict[str, PositiveFloat] = Field(default_factory=dict)
    """Metric -> differences below this are of no account, where the metric's own margin does not suit."""

    @field_validator("claims", mode="before")
    @classmethod
    def _known(cls, value: Any) -> list[str]:
        known = [published.name for published in published_findings()]
        asked = known if value == "all" else _many(value)
        for name in asked:
            if name not in known:
                raise ValueError(unknown_name("finding", str(name), known))
        return asked

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.baseline not in self.methods:
            raise ValueError(f"baseline: {unknown_name('method of this study', self.baseline, self.methods)}")
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
                if mode not in modes:
                    raise unknown_name(f"prompt mode of format '{dataset.format.name}'", mode, modes)
        return self

    def headline_metrics(self) -> list[Metric]:
        """The metrics that get a verdict. Raises UserError for an unknown name here or among the margins."""
        for name in self.margins:
            metric(name)
        return [metric(name) for name in self.metrics] or [m for m in all_metrics().values() if m.headline]


def name_of(given: str) -> str:
    """Return the name of a study that is given by its name or its file."""
    path = _path(given)
    if path is None:
        return given
    return str(config.read_yaml(path).get("name", path.stem)) if path.is_file() else path.stem


def _path(given: str) -> Path | None:
    """The file that a study is given by; None if it is given by its name."""
    if len(given) > LONGEST_NAME:
        raise UserError(f"no study has a name of {len(given):,} characters: '{shorten(given)}'")
    path = Path(given)
    return path if path.suffix in (".yaml", ".yml") else None


def load(name: str, overrides: Sequence[str] = ()) -> StudySpec:
    """Load a study by its name or its file, with `key=value` overrides laid over it.

    Relative paths in the file are relative to the file, those in overrides to the working directory.
    """
    path = _path(name)
    if path is None:
        path = STUDIES / f"{name}.yaml"
        if not path.is_file():
            raise unknown_name("study", name, [file.stem for file in STUDIES.glob("*.yaml")])
    written = config.absolute_paths(config.read_yaml(path), path.absolute().parent)
    value = config.absolute_paths(config.with_overrides(written, overrides), Path.cwd())
    where = path.name if not overrides else f"{path.name} with {shorten(' '.join(overrides), 200)}"
    return config.validate(StudySpec, _resolved({"name": path.stem, **value}, where), where)


def written_out(study: StudySpec) -> str:
    """The study as YAML with every name resolved: it loads as the same study from any folder."""
    value = study.model_dump(mode="json")
    value["methods"] = {
        name: {
            **entry.method.model_dump(mode="json", exclude_none=True),
            "learning_rates": TUNE if entry.own_grid else list(entry.learning_rates),
        }
        for name, entry in study.methods.items()
    }
    return config.dump_yaml(value)


def _resolved(value: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The file's short forms written out: catalog names looked up, one item as a list, a method's rates."""
    full = dict(value)
    _refuse_other_lists(full, where)
    for key, look_up in (("base_models", config.model), ("dataset", config.dataset)):
        if full.get(key):
            full[key] = [look_up(item).model_dump() for item in _many(full[key])]
    probe = full.get("evaluate", {}).get("general") if isinstance(full.get("evaluate"), Mapping) else None
    if isinstance(probe, Mapping) and probe.get("dataset"):
        named = {**probe, "dataset": config.dataset(probe["dataset"]).model_dump()}
        full["evaluate"] = {**full["evaluate"], "general": named}
    methods = full.get("methods")
    if methods is not None:
        if not isinstance(methods, Mapping):
            raise UserError(
                f"{where}: methods: expected `method: [rates]` or `method: {TUNE}` lines, got {methods!r}"
            )
        search = full.get("search", {})
        if not isinstance(search, Mapping):
            raise UserError(
                f"{where}: search: expected `key: value` lines, e.g. {{rates: 5}}, got {search!r}"
            )
        asked = config.validate(Search, search, f"{where}: search")
        full["methods"] = {name: _method(name, rates, asked) for name, rates in methods.items()}
        full.setdefault("baseline", next(iter(methods), ""))
    return full


def _refuse_other_lists(value: Mapping[str, Any], where: str) -> None:
    """A list of batch sizes, say, would be an axis that a study does not have."""
    for name, item in value.items():
        if isinstance(item, list) and name not in StudySpec.model_fields:
            raise UserError(f"{where}: unknown axis '{name}': the axes of a study are {', '.join(AXES)}")
    for key, kind in (("data", DataSpec), ("train", TrainSpec)):
        given = value.get(key)
        for name, item in given.items() if isinstance(given, Mapping) else ():
            if isinstance(item, list) and f"{key}.{name}" not in AXES and name in kind.model_fields:
                raise UserError(
                    f"{where}: {key}.{name} can't be a list: the axes of a study are {', '.join(AXES)}"
                )


def _method(name: str, given: Any, search: Search) -> dict[str, Any]:
    if isinstance(given, Mapping) and "own_grid" in given:  # as the first version wrote it into results
        given = {
            **given.get("method", {}),
            "learning_rates": TUNE if given["own_grid"] else given["learning_rates"],
        }
    if isinstance(given, Mapping):
        rates = given.get("learning_rates", ())
        rest = {key: value for key, value in given.items() if key != "learning_rates"}
        method = config.method({"name": name, **rest} if rest else name)
    else:
        rates, method = given, config.method(name)
    own = rates == TUNE
    return {
        "method": method.model_dump(),
        "learning_rates": own_rates(method, search) if own else _many(rates),
        "own_grid": own,
    }
