"""Named parsers for sources that hold a document in one text column."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from toolkit.errors import unknown_name
from toolkit.specs import Format

TEXT = "text"
"""What `fields` maps to the column that a parser reads."""
Parser = Callable[[str, Format], Mapping[str, Any]]


def headed_lists(text: str, document_format: Format) -> Mapping[str, Any]:
    r"""A title, then `Ingredients:` and `Directions:` each on a line, their items on lines after a dash.

    The headings are the names of the format's sections, or its markers, whatever their case. Lines before
    the first heading are the first section.
    """
    headings = {section.name.casefold(): section.name for section in document_format.sections}
    headings |= {section.marker.rstrip(":").casefold(): section.name for section in document_format.sections}
    current = document_format.sections[0].name
    bodies: dict[str, list[str]] = {}
    for line in text.splitlines():
        heading = line.strip().rstrip(":").casefold()
        if line.strip().endswith(":") and heading in headings:
            current = headings[heading]
        elif item := line.strip().removeprefix("-").removeprefix("•").strip():
            bodies.setdefault(current, []).append(item)
    return bodies


PARSERS: dict[str, Parser] = {"headed-lists": headed_lists}


def parser(name: str) -> Parser:
    """The parser of that name. Raises UserError for an unknown one."""
    if name not in PARSERS:
        raise unknown_name("parser", name, PARSERS)
    return PARSERS[name]
