"""Every key of a study file, from the models: type, default and meaning; and a new commented file."""

from __future__ import annotations

import json
import sys
import textwrap
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from experiments.design.spec import StudyMethod, StudySpec, axis
from toolkit import config
from toolkit.specs import Conversation, DatasetSpec, Format, MethodSpec, ModelSpec

FILLED_IN = {
    "name": "the file's name",
    "baseline": "the first method",
    "dataset.format": "recipe",
    "methods.<name>.name": "its key",
}
"""Required fields that reading a file fills in."""
SECTIONS: tuple[tuple[str, str, type[BaseModel]], ...] = (
    ("Study", "", StudySpec),
    ("A base model written out", "base_models.", ModelSpec),
    ("A data set written out", "dataset.", DatasetSpec),
    ("A document format written out", "dataset.format.", Format),
    ("A conversation format written out", "dataset.format.", Conversation),
    ("A method written out", "methods.<name>.", MethodSpec),
)
TYPES = {
    "methods": "mapping to `tune`, a rate, a list of rates or a method written out; or a list of names",
}
"""Types of keys that a file may write in more ways than the models have."""
METHOD_RATES, RATES_TYPE = "methods.<name>.learning_rates", "`tune`, or one, or a list, of number"
"""Beside what makes a method: how the study finds its learning rate."""
WRITTEN_OUT = (ModelSpec, DatasetSpec, StudyMethod, Format, Conversation)
"""Models that a key names instead of nesting: they have sections of their own."""


WIDTH = 100
"""Characters of a comment line in a new study file."""


class Key(NamedTuple):
    """A key of a study file."""

    key: str
    """Its path, e.g. `train.epochs`; `[]` stands for each entry of a list."""
    type: str
    default: str
    """As YAML; `required` if there is none."""
    meaning: str


def keys() -> dict[str, list[Key]]:
    """Return every key, by section of the page."""
    found = {title: list(_keys_of(kind, prefix)) for title, prefix, kind in SECTIONS}
    rates = StudyMethod.model_fields["learning_rates"]
    meaning = " ".join((rates.description or "").split())
    found["A method written out"].append(Key(METHOD_RATES, RATES_TYPE, "tune", meaning))
    return found


def as_markdown() -> str:
    """Return the page `docs/study-keys.md`."""
    lines = [
        "# Keys of a study file",
        "",
        "Written by `python -m experiments.design.keys > docs/study-keys.md`, and compared by a test.",
        "A study is YAML; `bakeoff new NAME` writes a commented one. In a command a key is `train.epochs=2`.",
        "",
    ]
    for title, entries in keys().items():
        lines += [f"## {title}", "", "| key | type | default | meaning |", "|---|---|---|---|"]
        lines += [
            f"| `{entry.key}` | {_cell(entry.type)} | {_cell(entry.default)} | {_cell(entry.meaning)} |"
            for entry in entries
        ]
        lines.append("")
    return "\n".join(lines)


def new_study(name: str) -> str:
    """Return a commented study file that runs as it is: the embedded base and recipes, two methods, tuned."""
    values = {
        "question": "Is LoRA as good as full fine-tuning here?",
        "base_models": "smollm2-135m-embedded",
        "dataset": "wikibooks",
        "data": {"train": 180, "validation": 40, "test": 48, "max_characters": 1000},
        "methods": {"full": "tune", "lora-r16": "tune"},
        "baseline": "full",
        "seeds": [0, 1, 2, 3, 4],
        "train": {"epochs": 1.0},
        "evaluate": {"max_new_tokens": 300},
        "search": {"rates": 3},
    }
    lines = [
        f"# {name}: run with `bakeoff run {name}.yaml`, after `bakeoff plan {name}.yaml`.",
        "# Keys that are commented out have the values shown. `bakeoff catalog` lists names.",
        "",
    ]
    for key, field in StudySpec.model_fields.items():
        if key != "name":
            lines += [*_commented(key, field, values.get(key), ""), ""]
    return "\n".join(lines)


def _commented(key: str, field: FieldInfo, value: Any, indent: str) -> list[str]:
    """The lines of a key: its meaning, then itself, commented out if ``value`` is None."""
    words = " ".join((field.description or "").split())
    meaning = [f"{indent}# {line}" for line in textwrap.wrap(words, WIDTH - len(indent))]
    inner = _model_in(field.annotation)
    if isinstance(value, Mapping) and inner is not None and inner not in WRITTEN_OUT:
        lines = [*meaning, f"{indent}{key}:"]
        for name, nested in inner.model_fields.items():
            lines += _commented(name, nested, value.get(name), f"{indent}  ")
        return lines
    mark = "# " if value is None else ""
    shown = _default(field) if value is None else value
    if isinstance(shown, list | None):
        text = [f"{key}: {json.dumps(shown, ensure_ascii=False)}"]
    else:
        text = config.dump_yaml({key: shown}).rstrip().split("\n")
    return [*meaning, *(f"{indent}{mark}{line}" for line in text)]


def _keys_of(kind: type[BaseModel], prefix: str) -> Iterator[Key]:
    for name, field in kind.model_fields.items():
        inner = _model_in(field.annotation)
        nested = inner is not None and inner not in WRITTEN_OUT and not issubclass(inner, MethodSpec)
        default = FILLED_IN.get(f"{prefix}{name}", "required")
        if not field.is_required():
            default = "see below" if nested else _shown(_default(field))
        meaning = " ".join((field.description or "").split())
        kind_of_value = TYPES.get(f"{prefix}{name}") or _type(field.annotation)
        if _is_axis(field):
            kind_of_value = kind_of_value.replace("list of", "one, or a list, of", 1)
        yield Key(f"{prefix}{name}", kind_of_value, default, meaning)
        if nested and inner is not None:
            each = {"list": "[]", "mapping to": ".<name>"}
            inside = next((mark for word, mark in each.items() if kind_of_value.startswith(word)), "")
            yield from _keys_of(inner, f"{prefix}{name}{inside}.")


def _is_axis(field: FieldInfo) -> bool:
    """Whether one value stands for a list of one."""
    return any(getattr(validator, "func", None) is axis for validator in field.metadata)


def _shown(value: Any) -> str:
    return "none" if value is None else json.dumps(value, ensure_ascii=False).strip('"') or "empty"


def _default(field: FieldInfo) -> Any:
    if field.default_factory is not None:
        return {}
    if field.default is PydanticUndefined:
        return None
    if isinstance(field.default, BaseModel):
        return {}
    if isinstance(field.default, tuple):
        plain = [
            item.model_dump(mode="json") if isinstance(item, BaseModel) else item for item in field.default
        ]
        return plain[0] if len(plain) == 1 and _is_axis(field) else plain
    return field.default


def _type(annotation: Any) -> str:
    """A type in words: `whole number`, `text`, `grid or halving`, `list of text`."""
    plain = {int: "whole number", float: "number", str: "text", bool: "true or false", type(None): "none"}
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _type(arguments[0])
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in arguments)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(dict.fromkeys(_type(one) for one in arguments if one is not type(None)))
    if origin in (tuple, list):
        return f"list of {_type(arguments[0])}"
    if origin is dict:
        return f"mapping to {_type(arguments[1])}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "a name, or written out" if annotation in WRITTEN_OUT else "mapping"
    return plain.get(annotation, "any value")


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and not typing.get_args(annotation):
        return annotation if issubclass(annotation, BaseModel) else None
    return next((found for one in typing.get_args(annotation) if (found := _model_in(one))), None)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    sys.stdout.write(as_markdown())
