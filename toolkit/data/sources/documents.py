"""Rows of a source -> documents with their text; every row that is left out is counted in a tally."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from toolkit.data.cleaning import RefusedError, Tally, cell_text, to_document
from toolkit.data.conversations.turns import Dialogue, to_text
from toolkit.data.format import Document, render
from toolkit.data.sources.dialogues import to_dialogue
from toolkit.data.sources.files import Broken
from toolkit.data.sources.open import Source
from toolkit.data.sources.parsers import TEXT, Parser, parser
from toolkit.specs import Conversation, DatasetSpec


class Accepted(NamedTuple):
    """A document and its rendered text, or a conversation and its canonical JSON."""

    document: Document | Dialogue
    text: str
    cluster: str | None
    """The value of the data set's `cluster` column; None without one, or if the cell is empty."""


def documents(source: Source, tally: Tally, max_characters: int | None = None) -> Iterator[Accepted]:
    """Yield the documents of a source in the order of its rows.

    Rows that are filtered out, broken, no document of the format, or longer than ``max_characters`` once
    rendered, are counted in ``tally`` and skipped.
    """
    dataset = source.dataset
    read = parser(dataset.parser) if dataset.parser else None
    for row in source.rows():
        tally.read += 1
        if isinstance(row, Broken):
            tally.refuse(row.reason, row.shown)
            continue
        if any(not _is(row.get(column), wanted) for column, wanted in dataset.where.items()):
            tally.filtered += 1
            continue
        changes: Counter[str] = Counter()
        try:
            document, text, length = _document(row, dataset, read, changes)
            if max_characters is not None and length > max_characters:
                raise RefusedError(f"longer than {max_characters} characters")
            cluster = _cluster(row, dataset)
        except RefusedError as refusal:
            tally.refuse(str(refusal), row)
            continue
        tally.changed.update(changes)
        tally.accepted += 1
        yield Accepted(document, text, cluster)


def _is(value: Any, wanted: str) -> bool:
    """Whether a cell is a value of the row filter: true and false in whatever case, 5.0 is 5."""
    text = str(value)
    if wanted.lower() in ("true", "false"):
        return text.lower() == wanted.lower()
    if isinstance(value, float) and value.is_integer():
        return wanted in (text, str(int(value)))
    return text == wanted


def _cluster(row: Mapping[str, Any], dataset: DatasetSpec) -> str | None:
    """Return the value that the row's document shares with others, white space folded."""
    value = row.get(dataset.cluster) if dataset.cluster else None
    missing = value is None or value != value  # noqa: PLR0124 - NaN is how tables spell a missing text
    if missing or dataset.cluster is None:
        return None
    return " ".join(cell_text(str(value), dataset.cluster, "no text").split()) or None


def _document(
    row: Mapping[str, Any], dataset: DatasetSpec, read: Parser | None, changes: Counter[str]
) -> tuple[Document | Dialogue, str, int]:
    """The document in a row, its text, and how many characters count as its length."""
    if isinstance(dataset.format, Conversation):
        dialogue = to_dialogue(row, dataset.format, dataset.fields)
        return dialogue, to_text(dialogue), len(dialogue.contents)
    if read is None:
        document = to_document(row, dataset.format, dataset.fields, changes)
    else:
        whole = row.get(dataset.fields.get(TEXT, TEXT))
        if not isinstance(whole, str):
            raise RefusedError("no text")
        document = to_document(read(whole, dataset.format), dataset.format, {}, changes)
    text = render(document, dataset.format)
    return document, text, len(text)
