"""YAML and overrides -> specs, strictly: what is not known or not of its type is an error that says where."""

from __future__ import annotations

import io
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from toolkit.errors import UserError, nearest

M = TypeVar("M", bound=BaseModel)


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML 1.2 mapping from a file: `1e-4` is a number, `no` is a word, a repeated key is an error."""
    try:
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
    try:
        return YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise UserError(f"{where}{line}: not valid YAML: {problem}") from error


def with_overrides(value: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """A copy of ``value`` with `a.b=yaml` pairs laid over it; a missing level is made."""
    result: dict[str, Any] = {**value}
    for pair in overrides:
        path, separator, text = pair.partition("=")
        keys = path.strip().split(".")
        if not separator or not all(keys):
            raise UserError(f"override '{pair}': expected key=value, e.g. train.epochs=2")
        level = result
        for depth, key in enumerate(keys[:-1], start=1):
            inner = level.get(key, {})
            if not isinstance(inner, Mapping):
                raise UserError(
                    f"override '{pair}': '{'.'.join(keys[:depth])}' is {_shown(inner)}, not a mapping"
                )
            level[key] = {**inner}
            level = level[key]
        level[keys[-1]] = _load(text, f"override '{pair}'")
    return result


def validate(kind: type[M], value: Mapping[str, Any], where: str) -> M:
    """``value`` as a spec; the first thing that is wrong becomes one line naming file, key and remedy."""
    try:
        return kind.model_validate(dict(value))
    except ValidationError as error:
        raise UserError(_explain(error, kind, where)) from error


def _explain(error: ValidationError, kind: type[BaseModel], where: str) -> str:
    first = error.errors()[0]
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


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def dump_yaml(value: Mapping[str, Any]) -> str:
    """A mapping as YAML, in the order given."""
    stream = io.StringIO()
    yaml = YAML()
    yaml.default_flow_style = False
    yaml.dump(dict(value), stream)
    return stream.getvalue()
