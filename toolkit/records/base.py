"""A frozen, strict value that goes to disk as JSON, alone or as one line among others."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from toolkit.errors import UserError
from toolkit.records import hashes
from toolkit.records.files import write_text

FORMAT_VERSION = 2
"""Of the records with a `version`. 1: the first release, in which a run named its data's `recipes`."""


class Record(BaseModel):
    """A frozen value that goes to disk as JSON. What is unknown is None; NaN and infinity are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)

    def write(self, path: Path, *, sealed: bool = False) -> None:
        """Write to ``path`` as indented JSON, whole or not at all; if ``sealed``, with its hash beside it."""
        value = self.model_dump(mode="json")
        _write(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n", sealed)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a record from ``path``.

        Raises UserError, naming the file, if it is missing, and also naming the remedy, if it is damaged, not
        as it was written, or of another format version.
        """
        try:
            text = hashes.read(path).decode("utf-8")
        except UnicodeDecodeError as error:
            raise UserError(f"{path}: not UTF-8. The record is damaged; {_REMEDY}") from error
        except OSError as error:
            raise UserError(f"cannot read {path}: {error.strerror}") from error
        try:
            record = cls.model_validate_json(text)
        except ValidationError as error:
            _refuse_other_version(path, cls, _version_in(text))
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the file"
            raise UserError(f"{path}: {where}: {first['msg']}. The record is damaged; {_REMEDY}") from error
        _refuse_other_version(path, cls, getattr(record, "version", None))
        return record


_REMEDY = "delete it and `bakeoff run` makes it anew"


def _version_in(text: str) -> Any:
    """Return the `version` of a record that could not be read; None if it has none."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value.get("version") if isinstance(value, dict) else None


def _refuse_other_version(path: Path, kind: type[Record], version: Any) -> None:
    if "version" not in kind.model_fields or not isinstance(version, int) or version == FORMAT_VERSION:
        return
    if version > FORMAT_VERSION:
        problem = f"written by a newer bakeoff (record format {version}, this one reads {FORMAT_VERSION})"
        raise UserError(f"{path}: {problem}. Update bakeoff to read it")
    problem = f"written by an older bakeoff (record format {version}, this one reads {FORMAT_VERSION})"
    raise UserError(f"{path}: {problem}. Read it with that version, or {_REMEDY}")


R = TypeVar("R", bound=Record)


def write_lines(path: Path, records: Iterable[Record], *, sealed: bool = False) -> None:
    """Write records as JSON lines, whole or not at all; if ``sealed``, with the file's hash beside it."""
    rows = (json.dumps(r.model_dump(mode="json"), ensure_ascii=False, allow_nan=False) for r in records)
    _write(path, "".join(f"{row}\n" for row in rows), sealed)


def read_lines(path: Path, kind: type[R]) -> list[R]:
    """Read JSON lines.

    Raises UserError, naming the file, if it is missing or not as it was written, and the line if one is
    damaged.
    """
    return list(_lines(path, kind))


def _write(path: Path, text: str, sealed: bool) -> None:
    if sealed:
        hashes.write_sealed(path, text.encode())
    else:
        write_text(path, text)


def _lines(path: Path, kind: type[R]) -> Iterator[R]:
    try:
        content = hashes.read(path)  # bytes: a line that is not UTF-8 is refused like any damaged one
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    for number, line in enumerate(io.BytesIO(content), start=1):
        try:
            yield kind.model_validate_json(line)
        except ValidationError as error:
            problem = f"{error.errors()[0]['msg']}; the file is damaged; {_REMEDY}"
            raise UserError(f"{path}, line {number}: {problem}") from error
