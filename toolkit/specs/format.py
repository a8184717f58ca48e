"""What a document is made of: sections with markers, or the turns of a conversation."""

from __future__ import annotations

import re
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from toolkit.specs.base import Spec

RESERVED = ("end", "stop", "scaffold")
"""What metrics call the end marker, the end of the text, and markers with their line ends."""


class Section(Spec):
    """One section of a document: a marker at the start of a line, then the body."""

    name: str
    """What it is called in prompts and in a data set's `fields`."""
    marker: str
    """As it stands in the text, e.g. `INGREDIENTS:`."""
    separator: str | None = None
    """For a section that is a list: what stands between its items. None for plain text."""
    whitespace: Literal["fold", "keep"] = "fold"
    """`fold`: a body is one line, and each run of white space becomes one space. `keep`: line breaks and
    indentation stay, as code, lists and poems need them; only white space around the body is removed."""

    @model_validator(mode="after")
    def _items_are_folded(self) -> Self:
        if self.separator is not None and self.whitespace == "keep":
            raise ValueError(f"section '{self.name}': a list's items are one line each: whitespace: fold")
        if self.separator is not None and self.separator.splitlines() != [self.separator]:
            raise ValueError(
                f"section '{self.name}': separator: something on one line, such as ', ' or ' | '"
            )
        return self


class Format(Spec):
    """Sections in order and the line that ends a document."""

    name: str
    """What it is called in the catalog and in records."""
    sections: tuple[Section, ...]
    """Sections in the order in which they are written."""
    end: str
    """The line that ends a document, e.g. `[END]`."""

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        markers = [*self.markers, self.end]
        if len(set(markers)) != len(markers) or len({s.name for s in self.sections}) != len(self.sections):
            raise ValueError("sections, markers and the end must all differ")
        if taken := [section.name for section in self.sections if section.name in RESERVED]:
            raise ValueError(
                f"section '{taken[0]}': metrics use this name for another part of a text; choose another"
            )
        if not self.sections or any(m != m.strip() or not m or "\n" in m for m in markers):
            raise ValueError("give at least one section, and markers of one line without outer spaces")
        return self

    @property
    def markers(self) -> tuple[str, ...]:
        """Section markers in order, without the end."""
        return tuple(section.marker for section in self.sections)


def _require_schema(schema: dict[str, Any]) -> None:
    """Raise ValueError unless it is a JSON Schema all of whose references lead to something in it."""
    from jsonschema import Draft202012Validator, SchemaError  # type: ignore[import-untyped]
    from referencing import Registry, Resource
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import DRAFT202012

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise ValueError(f"json_schema: not a JSON Schema: {error.message}") from error
    whole: Resource[Any] = DRAFT202012.create_resource(schema)
    registry: Registry[Any] = Registry().with_resource(whole.id() or "", whole).crawl()
    parts = [(whole, registry.resolver(whole.id() or ""))]
    while parts:
        part, resolver = parts.pop()
        reference = part.contents.get("$ref") if isinstance(part.contents, dict) else None
        try:
            if reference is not None:
                resolver.lookup(reference)
        except Unresolvable as error:
            raise ValueError(
                f"json_schema: '{reference}' is not in the schema, and nothing is fetched: add it in $defs"
            ) from error
        parts += [(inner, resolver.in_subresource(inner)) for inner in part.subresources()]


class Scoring(Spec):
    """What the metrics for answers need to know of a data set. A change measures anew and runs no model."""

    tolerance: float | None = Field(default=None, ge=0)
    """Measure the numeric answer: the last number of a text may differ from the reference's by this much."""
    pattern: str | None = None
    """Measure the share of answers in which this regular expression is found."""
    json_schema: dict[str, Any] | None = None
    """Measure the share of answers that are JSON and valid against this JSON Schema."""

    @model_validator(mode="after")
    def _compiles(self) -> Self:
        if self.pattern is not None:
            try:
                re.compile(self.pattern)
            except re.error as error:
                raise ValueError(f"pattern: not a regular expression: {error}") from error
        if self.json_schema is not None:
            _require_schema(self.json_schema)
        return self


class Conversation(Spec):
    """Turns of a system, a user and an assistant, rendered by a chat template.

    The model is prompted with all turns before the last answer, and has to write that answer.
    """

    name: str
    """What it is called in the catalog and in records."""
    columns: Literal["messages", "prompt-completion", "instruction"] = "messages"
    """What a row holds: `messages`, a list of roles and contents; `prompt` and `completion`; or
    `instruction`, `input` and `output`. The last two may have a `system` text."""
    template: str | None = None
    """Chat template: one of the catalog's (`chatml`, `gemma`, `llama3`, `plain`, `qwen`, `smollm2`), the path
    of a `.jinja` file, or the tokenizer's own if absent."""
    train_on: Literal["answers", "everything"] = "answers"
    """Which tokens are labels: the assistant's turns (of `prompt-completion` and `instruction` the completion
    alone), or all."""
    choices: str | None = None
    """The column that lists a row's possible answers, if it is a question of choice: scored by likelihood."""
    scoring: Scoring = Scoring()
    """What the metrics for answers need to know."""

    @property
    def sections(self) -> tuple[Section, ...]:
        """Both parts of a conversation, so that it can be treated like a document: prompt and answer."""
        return (
            Section(name="prompt", marker="", whitespace="keep"),
            Section(name="answer", marker="", whitespace="keep"),
        )

    @property
    def markers(self) -> tuple[str, ...]:
        """None: the template marks where a turn begins and ends."""
        return ()

    @property
    def end(self) -> str:
        """Empty: an answer ends at the token that ends a turn."""
        return ""


AnyFormat = Format | Conversation
"""The format of a data set."""
