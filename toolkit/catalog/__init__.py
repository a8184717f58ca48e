"""Look up base models, data sets, methods and formats by name, or take them written out."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from toolkit.errors import UserError, unknown_name
from toolkit.specs import DatasetSpec, Format, MethodSpec, ModelSpec
from toolkit.specs.reading import read_yaml, validate

CATALOG = Path(__file__).parent


def catalog(kind: str) -> dict[str, dict[str, Any]]:
    """All entries of `catalog/<kind>.yaml` (`models`, `datasets`, `methods`, `formats`), by name."""
    return copy.deepcopy(_read_once(kind))


@cache
def _read_once(kind: str) -> dict[str, dict[str, Any]]:
    return read_yaml(
        CATALOG / f"{kind}.yaml"
    )  # parsing takes a tenth of a second; a study asks for each cell


def _entry(kind: str, given: str | Mapping[str, Any]) -> dict[str, Any]:
    """A catalog entry by name, or an entry written out on the spot, which needs a name of its own."""
    label = kind.removesuffix("s").replace("dataset", "data set")
    if isinstance(given, Mapping):
        if not isinstance(given.get("name"), str):
            raise UserError(f"a {label} written out in a study needs a name: {{name: mine, …}}")
        return dict(given)
    entries = catalog(kind)
    if not isinstance(given, str) or given not in entries:
        raise unknown_name(label, str(given), entries)
    return {"name": given, **entries[given]}


def model(given: str | Mapping[str, Any]) -> ModelSpec:
    """A base model by its catalog name, or written out."""
    return validate(ModelSpec, _entry("models", given), f"model {_label(given)}")


def dataset(given: str | Mapping[str, Any]) -> DatasetSpec:
    """A data set by its catalog name, or written out."""
    return validate(DatasetSpec, _entry("datasets", given), f"data set {_label(given)}")


def method(given: str | Mapping[str, Any]) -> MethodSpec:
    """A method by its catalog name, or written out."""
    return validate(MethodSpec, _entry("methods", given), f"method {_label(given)}")


@cache
def form(name: str) -> Format:
    """A document format by its catalog name."""
    return validate(Format, _entry("formats", name), f"format {name}")


def _label(given: str | Mapping[str, Any]) -> str:
    return given if isinstance(given, str) else str(given.get("name"))
