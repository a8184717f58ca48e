"""Local files as text, within bounds: regular files only, no gzip bomb, no endless line."""

from __future__ import annotations

import contextlib
import gzip
import io
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from toolkit.errors import UserError

LONGEST_LINE = 2**28
"""Characters of a line; a longer one is no row."""
LARGEST_JSON = 2**29
"""Characters of a file that has to be held in memory whole."""
_SUSPECT = 2**26
_PACKED_RATIO = 200  # text packs 3- to 20-fold; a gzip bomb about 1,000-fold


def require_regular(path: Path) -> None:
    """Raise UserError for what is neither a file nor a folder: reading a pipe or a device may never end."""
    if path.exists() and not path.is_file() and not path.is_dir():
        raise UserError(f"{path} is a pipe, a terminal or a device: write the data to a file and name that")


@contextlib.contextmanager
def text_of(path: Path) -> Iterator[IO[str]]:
    """Open a file, plain or gzip, as UTF-8 text.

    A byte that is no UTF-8 becomes a lone surrogate, which cleaning refuses by name.
    """
    require_regular(path)
    with path.open("rb") as raw:
        packed = raw.peek(2)[:2] == b"\x1f\x8b"
        binary: Any = io.BufferedReader(_Unpacked(path, raw)) if packed else raw
        with io.TextIOWrapper(binary, encoding="utf-8-sig", errors="surrogateescape", newline="") as text:
            yield text


class _Unpacked(io.RawIOBase):
    """The bytes in a gzip file. Raises UserError once they are far more than text could be packed into it."""

    def __init__(self, path: Path, raw: IO[bytes]) -> None:
        self._path, self._raw = path, raw
        self._stream = gzip.GzipFile(fileobj=raw)
        self._bytes = 0

    def readable(self) -> bool:
        """Whether it can be read: always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill ``buffer`` with the next bytes, and return how many there are."""
        data = self._stream.read(len(buffer))
        self._bytes += len(data)
        if self._bytes > _SUSPECT and self._bytes > _PACKED_RATIO * self._raw.tell():
            raise UserError(
                f"{self._path}: unpacks to more than {_PACKED_RATIO} times its size: it is not packed text. "
                "Unpack it and look at it"
            )
        buffer[: len(data)] = data
        return len(data)


def lines_of(stream: IO[str], path: Path) -> Iterator[str]:
    """Yield the lines of a text, with their ends. Raises UserError for one longer than `LONGEST_LINE`."""
    number = 0
    while line := stream.readline(LONGEST_LINE + 1):
        number += 1
        if len(line) > LONGEST_LINE:
            raise UserError(f"{path}, line {number}: longer than {LONGEST_LINE:,} characters: not a row")
        yield line


def whole_text(stream: IO[str], path: Path) -> str:
    """Return a text that has to be read whole. Raises UserError above `LARGEST_JSON` characters."""
    text = stream.read(LARGEST_JSON + 1)
    if len(text) > LARGEST_JSON:
        raise UserError(
            f"{path}: more than {LARGEST_JSON:,} characters of JSON: write one row per line, as .jsonl"
        )
    return text
