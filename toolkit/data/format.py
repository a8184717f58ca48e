"""The text of a document: markers, sections, end. Spelled once here; render, parse and prompt follow."""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple

from toolkit.specs import Format, Section


class Document(NamedTuple):
    """Section bodies in the format's order; a list section's body is a tuple of items.

    A recipe is `Document((title, (ingredient, …), directions))`. Bodies are clean: one line each, no marker
    inside, no separator inside an item (`toolkit/data/cleaning.py` sees to it), so `parse(render(d)) == d`.
    """

    bodies: tuple[str | tuple[str, ...], ...]

    @property
    def title(self) -> str:
        """The first section, which is what a prompt always holds."""
        first = self.bodies[0]
        return first if isinstance(first, str) else ", ".join(first)


class Span(NamedTuple):
    """A stretch of a text, in characters."""

    start: int
    stop: int


def body_text(section: Section, body: str | tuple[str, ...]) -> str:
    """The body as it stands in the text."""
    return body if isinstance(body, str) else (section.separator or " ").join(body)


def render(document: Document, form: Format) -> str:
    r"""The document's text: one line a section, then the end marker, without a line end after it."""
    pairs = zip(form.sections, document.bodies, strict=True)
    lines = [f"{section.marker} {body_text(section, body)}" for section, body in pairs]
    return "\n".join([*lines, form.end])


def document_id(text: str) -> str:
    """First 16 hex digits of the SHA-256 of a rendered document: its identity in every record."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def prompt(text: str, form: Format, through: str) -> str:
    """The start of a rendered document up to and with the section named ``through``, and its line end."""
    last = [section.name for section in form.sections].index(through)
    return "".join(line + "\n" for line in text.split("\n")[: last + 1])


def find_markers(text: str, form: Format) -> list[tuple[str, Span]]:
    """Every marker at the start of a line, in order of appearance, with its span."""
    choices = "|".join(
        re.escape(marker) for marker in sorted((*form.markers, form.end), key=len, reverse=True)
    )
    return [(m.group(1), Span(*m.span(1))) for m in re.finditer(rf"^({choices})", text, flags=re.MULTILINE)]


def section_spans(text: str, form: Format) -> dict[str, Span]:
    """Section name -> span of its body, outer white space left out; a section's first marker counts.

    A body reaches to the next marker, whichever that is, or to the end of the text. What lies in no span is
    scaffold. Works on any text, well-formed or not; a section without a marker is absent.
    """
    names = {section.marker: section.name for section in form.sections}
    found = find_markers(text, form)
    spans: dict[str, Span] = {}
    for index, (marker, span) in enumerate(found):
        if marker not in names or names[marker] in spans:
            continue
        stop = found[index + 1][1].start if index + 1 < len(found) else len(text)
        body = text[span.stop : stop]
        start = span.stop + len(body) - len(body.lstrip())
        spans[names[marker]] = Span(start, max(start, span.stop + len(body.rstrip())))
    return spans


def section_bodies(text: str, form: Format) -> dict[str, str]:
    """Section name -> body text, of any text; a section without a marker is absent."""
    return {name: text[span.start : span.stop] for name, span in section_spans(text, form).items()}


def parse(text: str, form: Format) -> Document | None:
    """The document that a text holds, or None where the text is not of the form. Inverse of `render`."""
    lines = text.split("\n")
    if len(lines) != len(form.sections) + 1 or lines[-1] != form.end:
        return None
    bodies: list[str | tuple[str, ...]] = []
    for section, line in zip(form.sections, lines[:-1], strict=True):
        if not line.startswith(f"{section.marker} "):
            return None
        body = line.removeprefix(f"{section.marker} ")
        bodies.append(tuple(body.split(section.separator)) if section.separator else body)
    return Document(tuple(bodies))
