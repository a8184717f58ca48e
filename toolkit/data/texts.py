"""Rendered documents in a memory-mapped Arrow file: as many as the disk holds, in any order."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import overload

import numpy as np
import pyarrow as pa

from toolkit.data.duplicates.shingles import Indices

CHUNK = 2_000
"""Documents of one Arrow record batch; only the last may have fewer."""
_SCHEMA = pa.schema([("text", pa.string())])


class Texts(Sequence[str]):
    """Documents chosen and ordered by an index. A slice is of this kind too, and copies no text."""

    def __init__(self, column: pa.ChunkedArray, chosen: Indices) -> None:
        self._column = column
        self._chosen = chosen

    def __len__(self) -> int:
        return len(self._chosen)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Texts: ...
    def __getitem__(self, index: int | slice) -> str | Texts:
        if isinstance(index, slice):
            return Texts(self._column, self._chosen[index])
        chunk, place = divmod(int(self._chosen[index]), CHUNK)
        return str(self._column.chunk(chunk)[place].as_py())


@contextlib.contextmanager
def write_texts(path: Path) -> Iterator[Callable[[Sequence[str]], None]]:
    """A function that appends up to `CHUNK` texts to a new file."""
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, _SCHEMA) as writer:
        yield lambda texts: writer.write_batch(
            pa.record_batch([pa.array(texts, pa.string())], schema=_SCHEMA)
        )


def read_texts(path: Path) -> Texts:
    """All texts of a file, in the order of writing."""
    column = pa.ipc.open_file(pa.memory_map(str(path))).read_all().column("text")
    return Texts(column, np.arange(len(column), dtype=np.int64))


def choose(texts: Texts, chosen: Indices) -> Texts:
    """Some of the texts, in the order of the index."""
    return Texts(texts._column, texts._chosen[chosen])
