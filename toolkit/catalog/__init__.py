"""Look up base models, data sets, methods and formats by name, or take them written out.

Entries come from the package's own files, from installed packages (entry points of the group
`bakeoff.catalog`), and from the user's folders: those of `BAKEOFF_CATALOG`, or else `catalog/` in the working
folder. An entry of a user's file is a value like any other: its content is part of a run's identity.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from toolkit.catalog.places import BUILT_IN, CATALOG, FOLDERS, KINDS, Entry, entries
from toolkit.errors import UserError, unknown_name
from toolkit.specs import AnyFormat, Conversation, DatasetSpec, Format, MethodSpec, ModelSpec
from toolkit.specs.reading import validate

__all__ = [
    "BUILT_IN",
    "CATALOG",
    "DEFAULT_FORMAT",
    "FOLDERS",
    "KINDS",
    "Entry",
    "catalog",
    "dataset",
    "document_format",
    "entries",
    "method",
    "model",
]

DEFAULT_FORMAT = "recipe"
"""The format of a data set that names none."""


def catalog(kind: str) -> dict[str, dict[str, Any]]:
    """Return all entries of a kind (`models`, `datasets`, `methods`, `formats`), by name."""
    return {name: copy.deepcopy(dict(entry.value)) for name, entry in entries(kind).items()}


def _entry(kind: str, given: str | Mapping[str, Any]) -> dict[str, Any]:
    """A catalog entry by name, or an entry written out on the spot, which needs a name of its own."""
    label = kind.removesuffix("s").replace("dataset", "data set")
    if isinstance(given, Mapping):
        if not isinstance(given.get("name"), str):
            raise UserError(f"a {label} written out in a study needs a name: {{name: mine, …}}")
        return dict(given)
    known = catalog(kind)
    if not isinstance(given, str) or given not in known:
        raise unknown_name(label, str(given), known)
    return {**known[given], "name": given}


def model(given: str | Mapping[str, Any]) -> ModelSpec:
    """Return a base model by its catalog name, or written out."""
    return validate(ModelSpec, _entry("models", given), f"model {_label(given)}")


def dataset(given: str | Mapping[str, Any]) -> DatasetSpec:
    """Return a data set by its catalog name or written out, with its format and components looked up."""
    entry = _entry("datasets", given)
    entry["format"] = document_format(entry.get("format", DEFAULT_FORMAT)).model_dump()
    if isinstance(entry.get("mixture"), list | tuple):
        entry["mixture"] = [_component(item) for item in entry["mixture"]]
    return validate(DatasetSpec, entry, f"data set {_label(given)}")


def _component(given: Any) -> Any:
    """A component of a mixture with its data set looked up; what is malformed is left to validation."""
    if not isinstance(given, Mapping) or not isinstance(given.get("dataset"), str | Mapping):
        return given
    return {**given, "dataset": dataset(given["dataset"]).model_dump()}


def method(given: str | Mapping[str, Any]) -> MethodSpec:
    """Return a method by its catalog name, or written out."""
    return validate(MethodSpec, _entry("methods", given), f"method {_label(given)}")


def document_format(given: str | Mapping[str, Any]) -> AnyFormat:
    """Return a format by its catalog name, or written out; its keys tell which kind of data it is of."""
    entry = _entry("formats", given)
    of_documents = {"sections", "end"} & entry.keys()
    of_conversations = sorted((Conversation.model_fields.keys() - Format.model_fields.keys()) & entry.keys())
    if of_documents and of_conversations:
        raise UserError(
            f"format {_label(given)}: '{min(of_documents)}' belongs to documents and "
            f"'{of_conversations[0]}' to conversations: two kinds of data. Take one of them"
        )
    if of_conversations:
        return validate(Conversation, entry, f"format {_label(given)}")
    return validate(Format, entry, f"format {_label(given)}")


def _label(given: str | Mapping[str, Any]) -> str:
    return given if isinstance(given, str) else str(given.get("name"))
