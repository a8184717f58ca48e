"""What makes a row of a source a document, and what it is refused for."""

from __future__ import annotations

import ast
import html
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from typing import Any, Literal

from toolkit.data.format import Document, body_text, parse, render
from toolkit.specs import Format, Section

ABSURD = 1_000_000
"""Characters of one cell; a longer one is refused before it is looked into."""
FOLDED = "white space folded to single spaces"
"""What the report calls a text in which line breaks, tabs or runs of spaces became single spaces."""
Whitespace = Literal["fold", "keep"]
NO_TEXT = "neither text nor a list of texts"
JOINERS = "\u200c\u200d"
"""Zero-width non-joiner and joiner: part of how Persian, Indic scripts and emoji are spelt."""
EXAMPLES = 3
"""How many examples of each refusal the report keeps."""

_NOTES = (
    ("</ref>", re.compile(r"<ref(?:\s[^<>]*)?(?<!/)>.*?</ref>", flags=re.DOTALL)),
    ("-->", re.compile(r"<!--.*?-->", flags=re.DOTALL)),
)
_WITHIN_WORD = re.compile(
    r"</?(?:a|b|big|em|font|i|nowiki|s|small|span|strong|sub|sup|u)(?:\s[^<>]*)?/?>", flags=re.IGNORECASE
)
_TAG = re.compile(r"</?[a-zA-Z][a-zA-Z0-9]*(?:\s[^<>]*)?/?>")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});")
_LIST_LIKE = re.compile(r"""^\[\s*(?:["'\]]|\d)""")

_NUMBER_IN_BRACKETS = re.compile(r"\s*\[\s*\d")
"""In a section that is no list, `[1] see below` is a text like any other."""


class RefusedError(Exception):
    """A row that makes no document; its text is the reason it is counted under."""


class Tally:
    """Counts of everything that was left out or changed, with a few examples each."""

    def __init__(self) -> None:
        self.read = 0
        self.filtered = 0
        self.accepted = 0
        self.refused: Counter[str] = Counter()
        self.examples: dict[str, list[str]] = {}
        self.changed: Counter[str] = Counter()

    def refuse(self, reason: str, row: object) -> None:
        """Count one refused row, and keep its start as an example while there are few."""
        self.refused[reason] += 1
        examples = self.examples.setdefault(reason, [])
        if len(examples) < EXAMPLES:
            examples.append(shown(row))

    def summary(self) -> dict[str, Any]:
        """The counts as JSON-able values."""
        return {
            "rows": {"total": self.read, "filtered_out": self.filtered, "accepted": self.accepted},
            "refused": {
                reason: {"count": count, "examples": self.examples[reason]}
                for reason, count in sorted(self.refused.items())
            },
            "changed": dict(sorted(self.changed.items())),
        }


def shown(row: object, length: int = 160) -> str:
    """The start of a row on one line, safe to print and to write as UTF-8."""
    text = row if isinstance(row, str) else _row_start(row, length)
    text = text[:length].encode("utf-8", "backslashreplace").decode()
    printable = "".join(c if c.isprintable() else " " for c in text)
    return f"{printable}…" if len(text) >= length else printable


def _row_start(row: object, length: int) -> str:
    if not isinstance(row, Mapping):
        return str(row)[:length]
    parts = (f"{key}: {str(value)[:length]}" for key, value in row.items() if key and value)
    return "; ".join(parts)


def clean_text(text: str, changes: Counter[str], whitespace: Whitespace = "fold") -> str:
    """Return plain text: NFC, no control characters; white space folded, and HTML remains gone, or both kept.

    What is changed is counted in ``changes``. NFC and not NFKC, which would turn "1½" into "11⁄2": a
    fraction stays as it was written.
    """
    if whitespace == "fold" and " ".join(text.split()) != text:
        changes[FOLDED] += 1
    if whitespace == "fold" and ("<" in text or "&" in text):  # kept as it is, `<` may be code
        plain = _without_html(text)
        if plain != text:
            changes["HTML removed"] += 1
            text = plain
    if not text.isascii():
        normal = unicodedata.normalize("NFC", text)
        if normal != text:
            changes["unicode normalised (NFC)"] += 1
            text = normal
    text = _folded(text, changes) if whitespace == "fold" else _kept(text, changes)
    # Again: a control character may have stood between a letter and its accent.
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def _without_html(text: str) -> str:
    plain = _ENTITY.sub(lambda match: html.unescape(match[0]), text)
    for close, note in _NOTES:
        end = plain.rfind(close) + len(close)  # no closing tag follows: skip, or the regex is quadratic
        if end >= len(close):
            plain = note.sub("", plain[:end]) + plain[end:]
    return _TAG.sub(" ", _WITHIN_WORD.sub("", plain))


def _folded(text: str, changes: Counter[str]) -> str:
    """Return the text on one line, with single spaces."""
    plain = text if text.isprintable() else "".join(map(_printable, text))
    if plain is not text and "".join(plain.split()) != "".join(text.split()):
        changes["control characters removed"] += 1
    return " ".join(plain.split())


def _kept(text: str, changes: Counter[str]) -> str:
    """Return the text with its line breaks and indentation, without white space around it."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    if lines != text:
        changes["line ends normalised"] += 1
    plain = lines
    if not lines.isprintable():
        plain = "".join(c if c in "\n\t" or _is_plain_space(c) else _printable(c) for c in lines)
        if plain != lines:
            changes["control characters removed"] += 1
    body = plain.strip()
    if body != plain:
        changes["white space around a text removed"] += 1
    return body


def _is_plain_space(character: str) -> bool:
    return character.isspace() and unicodedata.category(character) != "Cc"


def _printable(character: str) -> str:
    if character.isspace():
        return " "
    if character in JOINERS:
        return character
    return "" if unicodedata.category(character) in {"Cc", "Cf", "Co", "Cn"} else character


def _listed(value: object, name: str) -> list[Any] | None:
    """Return the items if the value is a list, or the text of one (JSON, or Python's repr); else None."""
    if isinstance(value, list | tuple):
        return list(value)
    if not isinstance(value, str) or not _LIST_LIKE.match(value.lstrip()):
        return None
    try:
        items = json.loads(value)
    except (ValueError, RecursionError):
        try:
            items = ast.literal_eval(value.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            raise RefusedError(f"{name}: a list that cannot be read") from None
    if not isinstance(items, list):
        raise RefusedError(f"{name}: a list that cannot be read")
    return items


def cell_text(value: object, name: str, problem: str) -> str:
    """Return a cell's text, unchanged. Raises RefusedError, with ``problem``, for what is none."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise RefusedError(f"{name}: {problem}")
    try:
        text = str(value)
    except ValueError:  # a whole number of thousands of digits
        raise RefusedError(f"{name}: {problem}") from None
    if "\x00" in text:
        raise RefusedError("NUL byte")
    try:
        text.encode()
    except UnicodeEncodeError:  # readers keep a byte that is no UTF-8 as a lone surrogate
        raise RefusedError("invalid UTF-8") from None
    return text


def _body(section: Section, value: object, changes: Counter[str]) -> str | tuple[str, ...]:
    if isinstance(value, str) and len(value) > ABSURD:
        raise RefusedError(f"{section.name}: over {ABSURD:,} characters")
    keep = section.whitespace == "keep"
    if keep and isinstance(value, str):  # "[1, 2]" may be a text like any other
        return clean_text(cell_text(value, section.name, NO_TEXT), changes, "keep")
    as_written = section.separator is None and isinstance(value, str) and _NUMBER_IN_BRACKETS.match(value)
    items = None if as_written else _listed(value, section.name)
    if items is None:
        text = cell_text(value, section.name, NO_TEXT)
        if section.separator is None:
            return clean_text(text, changes, section.whitespace)
        lines = text.strip().split("\n")
        items = lines if len(lines) > 1 else text.split(section.separator)
    if not keep and _plain(items):
        texts = [" ".join(item.split()) for item in items]
        if texts != items:
            changes[FOLDED] += sum(text != item for text, item in zip(texts, items, strict=True))
    else:
        given = [cell_text(item, section.name, NO_TEXT) for item in items if item is not None]
        texts = [clean_text(text, changes, section.whitespace) for text in given]
    full = [text for text in texts if text]
    if len(full) < len(items):
        changes["empty list items dropped"] += len(items) - len(full)
    if section.separator is None:
        return ("\n" if keep else " ").join(full)
    return tuple(_item(text, section.separator, changes) for text in full)


def _plain(items: list[Any]) -> bool:
    """Whether all are texts with nothing to clean but spaces: most are, and are checked only once."""
    if not all(type(item) is str for item in items):
        return False
    whole = "".join(items)
    return whole.isascii() and whole.isprintable() and "<" not in whole and "&" not in whole


def _item(text: str, separator: str, changes: Counter[str]) -> str:
    """An item with no separator inside: "1 cup butter, softened" would read as two, so its comma goes."""
    if separator not in text:
        return text
    changes["separator inside an item dropped"] += 1
    return " ".join(text.replace(separator, " ").split())


def to_document(
    row: Mapping[str, Any], document_format: Format, fields: Mapping[str, str], changes: Counter[str]
) -> Document:
    """Return the document in a row. Raises RefusedError with the reason if there is none.

    Whatever is returned satisfies ``parse(render(document, f), f) == document``.
    """
    bodies: list[str | tuple[str, ...]] = []
    for section in document_format.sections:
        value = row.get(fields.get(section.name, section.name))
        missing = value is None or value != value  # noqa: PLR0124 - NaN is how tables spell a missing text
        body = "" if missing else _body(section, value, changes)
        if not body:
            raise RefusedError(f"no {section.name}")
        bodies.append(body)
    document = Document(tuple(bodies))
    for section, body in zip(document_format.sections, bodies, strict=True):
        text, before = body_text(section, body), "\n" if section.whitespace == "keep" else ""
        if any(before + marker in text for marker in (*document_format.markers, document_format.end)):
            raise RefusedError("a marker inside the text")
    if parse(render(document, document_format), document_format) != document:
        raise RefusedError("cannot be read back from its own text")
    return document
