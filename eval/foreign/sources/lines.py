"""Read JSON, JSON lines and text files of bounded size; every defect is one line that names file and line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from toolkit.errors import UserError, first_line

MOST_BYTES = 2 << 30
"""A larger log is refused: it would not fit in memory."""


def text_of(path: Path, *, blank: bool = False) -> str:
    """The file as text. UserError if it is no regular, readable UTF-8 file, or if nothing is in it.

    ``blank``: whether blank lines alone are something, as of a model that writes nothing.
    """
    try:
        if not path.is_file():
            raise UserError(f"{path}: no such file" if not path.exists() else f"{path}: not a regular file")
        if path.stat().st_size > MOST_BYTES:
            raise UserError(f"{path}: larger than {MOST_BYTES >> 30} GB")
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text") from error
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    if not (text if blank else text.strip()):
        raise UserError(f"{path}: the file is empty")
    return text


def parse(text: str, where: str, *, constants: bool = False) -> Any:
    """JSON of a text. Raises UserError for what is not JSON, too deep, or holds NaN without ``constants``."""
    try:
        return json.loads(text, parse_constant=None if constants else _refuse_constant)
    except RecursionError as error:
        raise UserError(f"{where}: JSON nested too deeply") from error
    except ValueError as error:
        raise UserError(f"{where}: not valid JSON: {first_line(error)}") from error


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number in JSON")


def mappings(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every line of a JSON-lines file as ``(where, mapping)``; blank lines are skipped."""
    for line, text in enumerate(text_of(path).split("\n"), start=1):
        if text.strip():
            where = f"{path}, line {line}"
            value = parse(text, where)
            if not isinstance(value, dict):
                raise UserError(f"{where}: expected a JSON object, got {type(value).__name__}")
            yield where, value
