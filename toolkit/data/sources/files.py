"""Rows of local files: CSV, TSV, JSONL, JSON, YAML, Parquet, text, plain or gzip; damage is reported."""

from __future__ import annotations

import csv
import gzip
import json
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO, Any, NamedTuple

from toolkit.data.sources.bounded import lines_of, require_regular, text_of, whole_text
from toolkit.errors import UserError, first_line
from toolkit.specs.reading import read_yaml

LARGEST_FIELD = 2**28
"""Characters of a CSV field; a longer one is taken for a quote that is never closed."""
LINES_LOST = 1_000
"""A CSV row over more lines is an unclosed quote that swallows rows, not a row to be refused."""
_LOOKED_AT = 100
_BATCH = 2_000


class Broken(NamedTuple):
    """A row that could not be read."""

    reason: str
    shown: str


class MissingColumnError(UserError):
    """A file can be read, and lacks a column that is needed. ``present`` are the ones that it has."""

    def __init__(self, text: str, present: str) -> None:
        super().__init__(text)
        self.present = present


Row = Mapping[str, Any] | Broken
Reader = Callable[[Path, Sequence[str], str | None], Iterator[Row]]


def read_file(
    path: Path, columns: Sequence[str], delimiter: str | None = None, optional: Sequence[str] = ()
) -> Iterator[Row]:
    """Yield the rows of one file, with at least ``columns``, and those of ``optional`` that it has.

    Raises UserError if it can't be read.
    """
    reader = _reader(path, optional)
    rows = 0
    try:
        for row in reader(path, columns, delimiter):
            rows += 1
            yield row
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise UserError(
            f"{path}: the gzip stream is damaged or ends early, after {rows:,} rows ({error}). "
            "Fetch the file again"
        ) from error
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error
    if not rows:
        raise UserError(f"{path}: no rows. Is it the right file?")


def check_columns(present: Sequence[str], wanted: Sequence[str], where: str, hint: str = "") -> None:
    """Raise a UserError that lists the columns present unless every wanted one is among them."""
    missing = [column for column in wanted if column not in present]
    if missing:
        shown = ", ".join(repr(column) for column in islice(present, 20)) or "none"
        lack = ", ".join(repr(column) for column in missing)
        remedy = hint or "Map the sections to columns with `fields: {section: column}`"
        raise MissingColumnError(f"{where}: no column {lack}; found {shown}. {remedy}", shown)


def _reader(path: Path, optional: Sequence[str]) -> Reader:
    require_regular(path)
    if path.is_dir():
        raise UserError(f"{path} is a folder: name its files, e.g. files: ['{path}/*.csv']")
    try:
        with path.open("rb") as stream:
            start = stream.read(4)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    if not start:
        raise UserError(f"{path} is empty")
    if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise UserError(f"{path} is UTF-16 text: save it as UTF-8")
    if start[:2] == b"PK":
        raise UserError(f"{path} is a zip archive: unpack it and name the file inside")
    suffix = (path.with_suffix("") if path.suffix == ".gz" else path).suffix.lower()
    readers: dict[str, Reader] = {
        ".csv": _csv,
        ".tsv": _csv,
        ".jsonl": _jsonl,
        ".ndjson": _jsonl,
        ".json": _json,
        ".yml": _yaml,
        ".yaml": _yaml,
        ".parquet": partial(_parquet, optional),  # the others yield whole rows
        ".txt": _text_lines,
        ".cor": _text_lines,
    }
    if suffix not in readers:
        known = ", ".join(readers)
        raise UserError(f"{path}: unknown kind of file '{path.suffix}'. Known: {known}; texts also as .gz")
    if suffix in (".yml", ".yaml") and path.suffix == ".gz":
        raise UserError(f"{path}: a packed YAML file: unpack it")
    return readers[suffix]


def _remembered(lines: Iterator[str], taken: list[str]) -> Iterator[str]:
    for line in lines:
        taken.append(line)
        yield line


def _is_open(row: Sequence[str], separator: str) -> bool:
    """Whether a file's last row ends within a quote, which the reader takes for its end."""
    try:
        for _ in csv.reader(row, delimiter=separator, strict=True):
            pass
    except csv.Error as error:
        return "unexpected end of data" in str(error)
    return False


def _csv(path: Path, columns: Sequence[str], delimiter: str | None) -> Iterator[Row]:
    separator = delimiter or ("\t" if ".tsv" in path.suffixes else ",")
    csv.field_size_limit(LARGEST_FIELD)
    with text_of(path) as stream:
        of_row: list[str] = []
        reader = csv.reader(_remembered(lines_of(stream, path), of_row), delimiter=separator)
        first, row = 1, []
        try:
            header = next(reader, [])
            check_columns(header, columns, str(path), _delimiter_hint(header, separator))
            for name in columns:
                if header.count(name) > 1:
                    raise UserError(f"{path}: {header.count(name)} columns are called '{name}': rename one")
            last = reader.line_num
            of_row.clear()
            for cells in reader:
                first, last = last + 1, reader.line_num
                row = of_row.copy()
                of_row.clear()
                if last - first > LINES_LOST:
                    raise csv.Error(f"one row takes {last - first + 1:,} lines: a quote is never closed")
                if len(cells) != len(header):
                    if cells:
                        reason = f"{'fewer' if len(cells) < len(header) else 'more'} cells than columns"
                        yield Broken(reason, f"line {first}: {separator.join(cells)[:200]}")
                    continue
                yield dict(zip(header, cells, strict=True))
            if _is_open(row, separator):
                raise csv.Error(
                    f"a quote is never closed: it takes all {last - first + 1:,} lines to the end"
                )
        except csv.Error as error:
            raise UserError(f"{path}, line {first}: {error}. Fix or remove this row") from error


def _delimiter_hint(header: Sequence[str], separator: str) -> str:
    if len(header) != 1:
        return ""
    for other, name in ((";", "';'"), ("\t", '"\\t"'), ("|", "'|'"), (",", "','")):
        if other in header[0] and other != separator:
            return f"The columns seem to be separated otherwise: try `delimiter: {name}`"
    return ""


def _jsonl(path: Path, columns: Sequence[str], delimiter: str | None) -> Iterator[Row]:
    del delimiter
    with text_of(path) as stream:
        yield from _checked(_json_lines(stream, path), columns, path)


def _json_lines(stream: IO[str], path: Path) -> Iterator[Row]:
    for number, line in enumerate(lines_of(stream, path), start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            if number == 1 and line.lstrip().startswith("["):
                raise UserError(
                    f"{path} is one JSON array and not one value per line: name it .json"
                ) from None
            yield Broken("a line that is not JSON", f"line {number}: {line[:200]}")
            continue
        yield value if isinstance(value, dict) else Broken("a line that is no JSON object", line[:200])


def _text_lines(path: Path, columns: Sequence[str], delimiter: str | None) -> Iterator[Row]:
    """Plain text, a document a line, in a column named `text`."""
    del delimiter
    check_columns(["text"], columns, str(path), "A line of a text file is a row of one column")
    with text_of(path) as stream:
        yield from ({"text": line.rstrip("\r\n")} for line in lines_of(stream, path) if line.strip())


def _json(path: Path, columns: Sequence[str], delimiter: str | None) -> Iterator[Row]:
    del delimiter
    with text_of(path) as stream:
        try:
            value = json.loads(whole_text(stream, path))
        except json.JSONDecodeError as error:
            raise UserError(f"{path}, line {error.lineno}: not JSON: {error.msg}. Is it .jsonl?") from error
        except RecursionError:
            raise UserError(f"{path}: not rows: JSON nested too deep") from None
        except ValueError as error:  # Python converts no integer of more than 4,300 digits
            raise UserError(f"{path}: not JSON that can be read: a number has too many digits") from error
    rows = list(value.values()) if isinstance(value, dict) else value
    if not isinstance(rows, list) or (isinstance(value, dict) and not all(isinstance(r, dict) for r in rows)):
        raise UserError(f"{path}: expected a JSON array of objects, or an object of objects")
    reason = "an element that is no JSON object"
    checked = (row if isinstance(row, dict) else Broken(reason, str(row)[:200]) for row in rows)
    yield from _checked(checked, columns, path)


def _yaml(path: Path, columns: Sequence[str], delimiter: str | None) -> Iterator[Row]:
    """Dialogues as ChatterBot's corpus has them: `conversations:`, each a list of what is said in turn."""
    del delimiter
    check_columns(["messages"], columns, str(path), "A YAML file of conversations has one column")
    listed = read_yaml(path).get("conversations")
    if not isinstance(listed, list):
        raise UserError(f"{path}: expected `conversations:` with a list of lists of texts")
    yield from ({"messages": spoken} for spoken in listed)


def _checked(rows: Iterator[Row], columns: Sequence[str], path: Path) -> Iterator[Row]:
    """JSON objects may lack a key, but a column that none of the first has is a wrong name."""
    first = list(islice(rows, _LOOKED_AT))
    present = list(dict.fromkeys(key for row in first if isinstance(row, Mapping) for key in row))
    if present:
        check_columns(present, columns, str(path))
    yield from first
    yield from rows


def _parquet(
    optional: Sequence[str], path: Path, columns: Sequence[str], delimiter: str | None
) -> Iterator[Row]:
    del delimiter
    import pyarrow as pa
    import pyarrow.parquet as pq

    if path.suffix == ".gz":
        raise UserError(f"{path}: Parquet is packed inside already: unpack the .gz and name the .parquet")
    try:
        with pq.ParquetFile(path) as file:
            check_columns(file.schema_arrow.names, columns, str(path))
            read = [*columns, *(name for name in optional if name in file.schema_arrow.names)]
            for batch in file.iter_batches(batch_size=_BATCH, columns=list(dict.fromkeys(read))):
                yield from arrow_rows(batch)
    except pa.ArrowException as error:
        raise UserError(f"{path}: not a Parquet file, or a damaged one: {first_line(error)}") from error


def arrow_rows(batch: Any) -> Iterator[Row]:
    """Rows of an Arrow record batch or table; Arrow does not promise that its text is UTF-8."""
    try:
        yield from batch.to_pylist()
        return
    except UnicodeDecodeError:
        pass
    for number in range(batch.num_rows):
        try:
            yield batch.slice(number, 1).to_pylist()[0]
        except UnicodeDecodeError as error:
            yield Broken("invalid UTF-8", repr(error.object[:160]))
