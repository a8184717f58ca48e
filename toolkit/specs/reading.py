"""YAML and overrides -> specs, strictly: what is not known or not of its type is an error that says where."""

from __future__ import annotations

import io
import os
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from toolkit.errors import UserError, first_line, nearest
from toolkit.specs.method import ELSEWHERE

M = TypeVar("M", bound=BaseModel)
LARGEST_FILE = 2**20
"""Bytes of a YAML file: of a study, a catalog or conversations."""
DEEPEST = 100
"""Brackets within brackets in a study or a catalog file."""
MOST_VALUES = 100_000
"""Values in a study or a catalog file."""
OF_METHODS = (*ELSEWHERE, "trained_on")
"""Keys of a method that hold a path; a base model's `gguf` is a list of names."""
PATH_KEYS = frozenset({"folder", "files", "tokenizer", "template", *OF_METHODS})
"""Keys of specifications that hold a path, or a name that is none; an export leaves no path in them."""


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML 1.2 mapping from a file: `1e-4` is a number, `no` is a word, a repeated key is an error."""
    try:
        if path.exists() and not path.is_file():
            raise UserError(f"{path} is not a file")
        if path.stat().st_size > LARGEST_FILE:
            raise UserError(
                f"{path}: larger than {LARGEST_FILE:,} bytes: split it, or write data as JSON Lines"
            )
        return parse_yaml(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UserError(f"cannot read {path}: {reason}") from error


def parse_yaml(text: str, where: str) -> dict[str, Any]:
    """A YAML 1.2 mapping from a text; ``where`` names it in errors."""
    value = _load(text, where)
    if not isinstance(value, dict):
        raise UserError(f"{where}: expected `key: value` lines, got {_shown(value)}")
    return value


def _load(text: str, where: str) -> Any:
    _refuse_deep(text, where)
    try:
        value = YAML(typ="safe", pure=True).load(text)
        _refuse_large(value, where)
        return value
    except RecursionError:
        raise UserError(f"{where}: nested too deep") from None
    except ValueError as error:  # of Python, which converts no integer of more than 4,300 digits
        raise UserError(f"{where}: not a value: {str(error).split(';')[0]}") from error
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or first_line(error)
        raise UserError(f"{where}{line}: not valid YAML: {problem}") from error


def _refuse_deep(text: str, where: str) -> None:
    """Raise UserError for deeply nested brackets, over which the YAML parser would take seconds."""
    depth = 0
    for character in text:
        depth += (character in "[{") - (character in "]}")
        if depth > DEEPEST:
            raise UserError(f"{where}: nested too deep")


def _refuse_large(value: Any, where: str) -> None:
    """Raise UserError if ``value`` has too many values once its aliases are written out."""
    sizes: dict[int, int] = {}

    def size(item: Any) -> int:
        if isinstance(item, Mapping):
            inner: Any = item.values()
        elif isinstance(item, list | tuple):
            inner = item
        else:
            return 1
        if id(item) not in sizes:
            sizes[id(item)] = 1 + sum(map(size, inner))
        return sizes[id(item)]

    if size(value) > MOST_VALUES:
        raise UserError(f"{where}: more than {MOST_VALUES:,} values once its aliases are written out")


def with_overrides(value: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """A copy of ``value`` with `a.b=yaml` pairs laid over it; a missing level is made."""
    result: dict[str, Any] = {**value}
    for pair in overrides:
        path, separator, text = pair.partition("=")
        keys = path.strip().split(".")
        if not separator or not all(keys):
            raise UserError(f"override '{shorten(pair)}': expected key=value, e.g. train.epochs=2")
        level = result
        for depth, key in enumerate(keys[:-1], start=1):
            inner = level.get(key, {})
            if not isinstance(inner, Mapping):
                raise UserError(
                    f"override '{shorten(pair)}': '{'.'.join(keys[:depth])}' is {_shown(inner)}, "
                    "not a mapping"
                )
            level[key] = {**inner}
            level = level[key]
        level[keys[-1]] = _load(text, f"override '{shorten(pair)}'")
    return result


def absolute_paths(value: Any, folder: Path) -> Any:
    """Return ``value`` with every relative path in it made absolute, as seen from ``folder``.

    Paths are what the specs call so: a base model's `folder` and `tokenizer`, a method's `adapter`,
    `checkpoint`, `gguf` and `trained_on`, a data set's `files`, and a `template` that is the name of a
    `.jinja` file.
    """
    if isinstance(value, list | tuple):
        return [absolute_paths(item, folder) for item in value]
    if not isinstance(value, Mapping):
        return value
    result = {key: absolute_paths(item, folder) for key, item in value.items()}
    if isinstance(result.get("folder"), str):
        result["folder"] = _absolute(result["folder"], folder)
    for key in OF_METHODS:
        if isinstance(result.get(key), str):
            result[key] = _absolute(result[key], folder)
    if isinstance(result.get("tokenizer"), str) and is_path(result["tokenizer"]):
        result["tokenizer"] = _absolute(result["tokenizer"], folder)
    template = result.get("template")
    if isinstance(template, str) and template.endswith(".jinja"):
        result["template"] = _absolute(template, folder)
    if isinstance(result.get("files"), list):
        names = result["files"]
        result["files"] = [_absolute(name, folder) if isinstance(name, str) else name for name in names]
    return result


def is_path(name: str) -> bool:
    """Return whether a name that may be a Hugging Face id is a path: it begins with `.`, `/` or `~`."""
    return name.startswith((".", "/", "~")) or Path(name).is_absolute()


def _absolute(name: str, folder: Path) -> str:
    return os.path.abspath(folder / Path(name).expanduser()) if name else name  # noqa: PTH100 - `..` goes


def validate(kind: type[M], value: Mapping[str, Any], where: str) -> M:
    """``value`` as a spec; the first thing that is wrong becomes one line naming file, key and remedy."""
    try:
        return kind.model_validate(dict(value))
    except ValidationError as error:
        raise UserError(_explain(error, kind, where)) from error


def _explain(error: ValidationError, kind: type[BaseModel], where: str) -> str:
    found = error.errors()
    first = found[0]
    if first["type"] == "missing":  # misspelt, most often
        first = next((one for one in found if one["type"] == "extra_forbidden"), first)
    place = list(first["loc"])
    if len(place) > 1 and isinstance(place[-1], int):
        place.pop()  # an entry of a list is shown by its value
    *parents, last = [str(part) for part in place] or [""]
    at = ": ".join([where, *parents])
    if first["type"] == "extra_forbidden":
        known = _fields_at(kind, parents)
        return f"unknown key in {at}: '{last}'. {nearest(last, known)}"
    if first["type"] == "missing":
        return f"{at}: '{last}' is missing"
    if first["type"] == "value_error":
        return f"{at}{f': {last}' if last else ''}: {first['ctx']['error']}"
    message = first["msg"].replace("Input should be", "it should be")
    return f"{at}: '{last}' is {_shown(first['input'])}; {message}"


def _fields_at(kind: type[BaseModel], path: Sequence[str]) -> list[str]:
    """Names of the fields of the model that ``path`` leads to, through lists, mappings and optionals."""
    current: Any = kind
    for part in path:
        if isinstance(current, type) and issubclass(current, BaseModel) and part in current.model_fields:
            current = current.model_fields[part].annotation
        current = _inner_model(current)
    return list(current.model_fields) if isinstance(current, type) and issubclass(current, BaseModel) else []


def _inner_model(annotation: Any) -> Any:
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        return annotation
    for argument in typing.get_args(annotation):
        found = _inner_model(argument)
        if isinstance(found, type) and issubclass(found, BaseModel):
            return found
    return annotation


def shorten(text: str, length: int = 60) -> str:
    """Return the text, or its start if it has more than ``length`` characters."""
    return text if len(text) <= length else f"{text[: length - 3]}…"


def _shown(value: Any) -> str:
    return shorten(repr(value))


def dump_yaml(value: Mapping[str, Any]) -> str:
    """A mapping as YAML, in the order given."""
    stream = io.StringIO()
    yaml = YAML()
    yaml.default_flow_style = False
    yaml.dump(dict(value), stream)
    return stream.getvalue()
