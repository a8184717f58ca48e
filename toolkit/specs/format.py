"""The sections and markers of a document, in order."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from toolkit.specs.base import Spec


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
        if not self.sections or any(m != m.strip() or not m or "\n" in m for m in markers):
            raise ValueError("give at least one section, and markers of one line without outer spaces")
        return self

    @property
    def markers(self) -> tuple[str, ...]:
        """Section markers in order, without the end."""
        return tuple(section.marker for section in self.sections)
