"""Study files: read, short forms written out, and written again with every name resolved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.design.learning_rates import Search, own_rates
from experiments.design.spec import StudyMethod, StudySpec, many
from toolkit import config
from toolkit.errors import UserError, unknown_name
from toolkit.specs import BASE, DataSpec, TrainSpec
from toolkit.specs.method import ELSEWHERE
from toolkit.specs.reading import shorten

__all__ = [
    "BASE",
    "STUDIES",
    "TUNE",
    "StudyMethod",
    "StudySpec",
    "load",
    "name_of",
    "written_out",
]

STUDIES = Path(__file__).parents[1] / "studies"
"""The bundled studies."""
LONGEST_NAME = 1024
"""Characters of a study's name or path."""
TUNE = "tune"
AXES = ("base_models", "dataset", "data.train", "train.epochs", "methods", "seeds", "tuning_seeds")


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
    """Load a study by its name or its file; `key=value` overrides replace what the file has.

    Relative paths in the file are relative to the file, those in overrides to the working directory.
    """
    path = _path(name)
    if path is None:
        path = STUDIES / f"{name}.yaml"
        if not path.is_file():
            if Path(f"{name}.yaml").is_file():
                raise UserError(f"unknown study '{name}'. Did you mean the file {name}.yaml?")
            raise unknown_name("study", name, [file.stem for file in STUDIES.glob("*.yaml")])
    written = config.absolute_paths(config.read_yaml(path), path.absolute().parent)
    value = config.absolute_paths(config.with_overrides(written, overrides), Path.cwd())
    where = path.name if not overrides else f"{path.name} with {shorten(' '.join(overrides), 200)}"
    try:
        return config.validate(StudySpec, _resolved({"name": path.stem, **value}, where), where)
    except UserError as error:  # of a catalog, which knows nothing of studies
        raise error if where in str(error) else UserError(f"{where}: {error}") from error


def written_out(study: StudySpec) -> str:
    """Return the study as YAML with every name resolved: it loads as the same study from any folder."""
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
    """Write out short forms: catalog names looked up, one item as a list, a method's rates."""
    full = dict(value)
    _refuse_other_lists(full, where)
    for key, look_up in (("base_models", config.model), ("dataset", config.dataset)):
        if full.get(key):
            full[key] = [look_up(item).model_dump() for item in many(full[key])]
    _prompt_of_conversations(full)
    probe = full.get("evaluate", {}).get("general") if isinstance(full.get("evaluate"), Mapping) else None
    if isinstance(probe, Mapping) and probe.get("dataset"):
        named = {**probe, "dataset": config.dataset(probe["dataset"]).model_dump()}
        full["evaluate"] = {**full["evaluate"], "general": named}
    methods = full.get("methods")
    if isinstance(methods, list) and methods and all(isinstance(name, str) for name in methods):
        methods = dict.fromkeys(methods, TUNE)
    if methods is not None:
        if not isinstance(methods, Mapping):
            raise UserError(
                f"{where}: methods: expected `method: [rates]` or `method: {TUNE}` lines, "
                f"or a list of names, got {methods!r}"
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


def _prompt_of_conversations(full: dict[str, Any]) -> None:
    """Prompt with what a conversation is prompted with, unless the study names prompt modes itself."""
    datasets, evaluate = full.get("dataset"), full.get("evaluate", {})
    if datasets and isinstance(evaluate, Mapping) and "prompts" not in evaluate:
        first = {dataset["format"].get("columns") and "prompt" for dataset in datasets}
        if first == {"prompt"}:
            full["evaluate"] = {**evaluate, "prompts": ["prompt"]}


def _refuse_other_lists(value: Mapping[str, Any], where: str) -> None:
    """Refuse a list where a study has no axis, such as several batch sizes."""
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
        ready = any(given.get(key) for key in (*ELSEWHERE, "convert"))
        rates = given.get("learning_rates", [] if ready else TUNE)
        rest = {key: value for key, value in given.items() if key != "learning_rates"}
        method = config.method({"name": name, **rest} if rest else name)
    else:
        rates, method = given, config.method(name)
    own = rates == TUNE
    return {
        "method": method.model_dump(),
        "learning_rates": own_rates(method, search) if own else many(rates),
        "own_grid": own,
    }
