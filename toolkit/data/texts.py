"""Rendered documents in a memory-mapped Arrow file: as many as the disk holds, in any order."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import overload

import numpy as np
import pyarrow as pa

from toolkit.data.conversations.turns import from_text
from toolkit.data.format import Span
from toolkit.data.split import Indices

CHUNK = 2_000
"""Documents of one Arrow record batch; only the last may have fewer."""
Bodies = tuple[str, ...]
"""The text of each section of a document, without markers, in the format's order."""
_SCHEMA = pa.schema([("text", pa.string()), ("spans", pa.list_(pa.int32()))])


def bodies_of(text: str, spans: Sequence[tuple[int, int]]) -> Bodies:
    """Return the bodies at some spans of a text. One without spans is a stored conversation."""
    return tuple(text[start:stop] for start, stop in spans) if spans else from_text(text).bodies


class Texts(Sequence[str]):
    """Documents chosen and ordered by an index. A slice is of this kind too, and copies no text."""

    def __init__(self, table: pa.Table, chosen: Indices) -> None:
        self._table = table
        self._text = table.column("text")
        self._spans = table.column("spans")
        self._chosen = chosen

    def __len__(self) -> int:
        return len(self._chosen)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Texts: ...
    def __getitem__(self, index: int | slice) -> str | Texts:
        if isinstance(index, slice):
            return Texts(self._table, self._chosen[index])
        chunk, row = divmod(int(self._chosen[index]), CHUNK)
        return str(self._text.chunk(chunk)[row].as_py())

    def bodies(self, index: int) -> Bodies:
        """Return the section bodies of one document, whose spans were stored with its text."""
        chunk, row = divmod(int(self._chosen[index]), CHUNK)
        text = str(self._text.chunk(chunk)[row].as_py())
        ends = self._spans.chunk(chunk)[row].as_py()
        return bodies_of(text, list(zip(ends[::2], ends[1::2], strict=True)))

    def choose(self, chosen: Indices) -> Texts:
        """Return some of the documents, in the order of the index."""
        return Texts(self._table, self._chosen[chosen])


class AllBodies(Sequence[Bodies]):
    """The bodies of documents, read one document at a time."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts

    def __len__(self) -> int:
        return len(self._texts)

    @overload
    def __getitem__(self, index: int) -> Bodies: ...
    @overload
    def __getitem__(self, index: slice) -> AllBodies: ...
    def __getitem__(self, index: int | slice) -> Bodies | AllBodies:
        return AllBodies(self._texts[index]) if isinstance(index, slice) else self._texts.bodies(index)


@contextlib.contextmanager
def write_texts(path: Path) -> Iterator[Callable[[Sequence[str], Sequence[Sequence[Span]]], None]]:
    """Yield a function that appends up to `CHUNK` texts, with the spans of their bodies, to a new file."""
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, _SCHEMA) as writer:

        def write(texts: Sequence[str], spans: Sequence[Sequence[Span]]) -> None:
            flat = [[end for span in one for end in span] for one in spans]
            columns = [pa.array(texts, pa.string()), pa.array(flat, pa.list_(pa.int32()))]
            writer.write_batch(pa.record_batch(columns, schema=_SCHEMA))

        yield write


def read_texts(path: Path) -> Texts:
    """Return all texts of a file, in the order of writing."""
    table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
    return Texts(table, np.arange(len(table), dtype=np.int64))
