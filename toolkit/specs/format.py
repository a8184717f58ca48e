"""The sections and markers of a document, in order."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from toolkit.specs.base import Spec


class Section(Spec):
    """One section of a document: a marker at the start of a line, then the body on the same line."""

    name: str
    marker: str
    """As it stands in the text, e.g. `INGREDIENTS:`."""
    separator: str | None = None
    """For a section that is a list: what stands between its items. None for plain text."""


class Format(Spec):
    """Sections in order and the line that ends a document."""

    name: str
    sections: tuple[Section, ...]
    end: str

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
