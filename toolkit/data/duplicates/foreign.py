"""What a method from elsewhere was trained on, compared with the documents that it is tested on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from toolkit import origins
from toolkit.data.cleaning import Tally
from toolkit.data.conversations.turns import Dialogue, from_text
from toolkit.data.duplicates import leaks
from toolkit.data.format import body_text, section_bodies
from toolkit.data.sources.bounded import require_regular
from toolkit.data.sources.dialogues import COLUMNS
from toolkit.data.sources.documents import documents
from toolkit.data.sources.files import Broken, MissingColumnError, read_file
from toolkit.data.sources.open import Source, columns_of, optional_columns_of
from toolkit.data.texts import Bodies
from toolkit.errors import UserError
from toolkit.events import Listener, ignore
from toolkit.records import hashes
from toolkit.records.data import ForeignTraining
from toolkit.specs import AnyFormat, Conversation, DatasetSpec, digest_of

READ_IN_FOLDERS = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".txt")
"""Kinds of file that are read of a folder, each also as `.gz`; a `.json` beside data is often no data."""
COLUMN = "text"
"""Column of whole texts, which is read of a file without any other columns that are known."""


def compare(
    where: str,
    path: Path,
    dataset: DatasetSpec,
    test: Sequence[str],
    threshold: float,
    cache: Path,
    progress: Listener = ignore,
) -> ForeignTraining:
    """Count the test documents that have a copy in the files at ``path``, a file or a folder.

    ``threshold`` is the similarity from which two documents are near-copies, as in `leaks`. The result is
    noted in ``cache`` until the files or the test documents change. Raises UserError, beginning with
    ``where``, if there is no file, one cannot be read, or no document is in them.
    """
    files = _files(where, path)
    code = [Path(__file__).read_bytes(), Path(str(leaks.__file__)).read_bytes()]
    test_digest = hashlib.sha256("\x00".join(test).encode()).hexdigest()
    content = [[file.name, origins.sha256([file])] for file in files]
    key = [hashlib.sha256(b"".join(code)).hexdigest(), content, dataset.digest, test_digest, threshold]
    note = cache / f"foreign-{digest_of(key)}.json"
    try:
        return ForeignTraining.model_validate(hashes.read_value(note))
    except ValidationError:  # not noted yet, or damaged
        compared = _compare(where, path, files, dataset, test, threshold, progress)
        hashes.write_value(note, compared.model_dump(mode="json"))
        return compared


def _compare(
    where: str,
    path: Path,
    files: Sequence[Path],
    dataset: DatasetSpec,
    test: Sequence[str],
    threshold: float,
    progress: Listener,
) -> ForeignTraining:
    tally = Tally()
    try:
        trained = [bodies for file in files for bodies in _read(file, dataset, tally)]
    except UserError as error:
        raise UserError(f"{where}: {error}") from error
    refused = sum(tally.refused.values())
    if not trained:
        reason, count = tally.refused.most_common(1)[0]
        raise UserError(f"{where}: no document in {path}: {count:,} of {refused:,} rows refused: {reason}")
    held_out = [_bodies(text, dataset.format) for text in test]
    cuts = sorted({*leaks.THRESHOLDS, threshold, 1.0})
    leak = leaks.leak_report(trained, {"test": held_out}, progress, cuts)["test"]
    return ForeignTraining(
        documents=len(trained),
        refused=refused,
        threshold=threshold,
        copies=leak.at_least[str(threshold)],
        exact=leak.at_least["1.0"],
        leak=leak,
    )


def _files(where: str, path: Path) -> list[Path]:
    """The file, or the folder's files that may hold data, in order."""
    if not path.exists():
        raise UserError(f"{where}: no file or folder {path}")
    if not path.is_dir():
        try:
            require_regular(path)
        except UserError as error:
            raise UserError(f"{where}: {error}") from error
        return [path]
    kinds = [(file, file.with_suffix("") if file.suffix == ".gz" else file) for file in path.rglob("*")]
    files = sorted(file for file, kind in kinds if kind.suffix in READ_IN_FOLDERS and file.is_file())
    if not files:
        raise UserError(f"{where}: no {', '.join(READ_IN_FOLDERS)} file in folder {path}")
    return files


def _bodies(text: str, form: AnyFormat) -> Bodies:
    """What is compared of a rendered document or a stored conversation; of any other text all of it."""
    if isinstance(form, Conversation):
        return from_text(text).bodies
    found = section_bodies(text, form)
    names = [section.name for section in form.sections]
    return tuple(found[name] for name in names) if all(name in found for name in names) else (text,)


def _read(file: Path, dataset: DatasetSpec, tally: Tally) -> Iterator[Bodies]:
    """Yield what is compared of each document in a file, by the first reading whose columns it has."""
    tried: list[str] = []
    for reading in _readings(dataset):
        columns, optional = columns_of(reading), optional_columns_of(reading)
        rows = partial(read_file, file, columns, reading.delimiter, optional)
        source = Source(dataset=reading, identity={}, rows=rows)
        try:
            for document, _, _ in documents(source, tally):
                if isinstance(document, Dialogue):
                    yield document.bodies
                else:
                    pairs = zip(reading.format.sections, document.bodies, strict=True)
                    yield tuple(body_text(section, body) for section, body in pairs)
            return
        except MissingColumnError:
            tried.append(" and ".join(f"'{name}'" for name in columns_of(reading)))
    try:
        yield from _texts(file, dataset, tally)
    except MissingColumnError as error:
        known = ", or ".join(dict.fromkeys([*tried, f"'{COLUMN}'"]))
        raise UserError(
            f"{file} has the columns {error.present}, and what is read are {known}. Rename its columns"
        ) from error


def _readings(dataset: DatasetSpec) -> Iterator[DatasetSpec]:
    """Yield data sets as which a file is tried: like the study's, with plain names, of other kinds."""
    for one in [component.dataset for component in dataset.mixture] or [dataset]:
        nothing: dict[str, Any] = {"hub": None, "package": None, "mixture": (), "where": {}, "cluster": None}
        like = one.model_copy(update={**nothing, "files": ("trained_on",)})
        yield like
        plain = like.model_copy(update={"fields": {}, "parser": None})
        if not isinstance(one.format, Conversation):
            yield plain
            continue
        for columns in COLUMNS:
            form = one.format.model_copy(update={"columns": columns, "choices": None})
            yield plain.model_copy(update={"format": form})


def _texts(file: Path, dataset: DatasetSpec, tally: Tally) -> Iterator[Bodies]:
    for row in read_file(file, [COLUMN], dataset.delimiter):
        tally.read += 1
        if isinstance(row, Broken):
            tally.refuse(row.reason, row.shown)
            continue
        text = row.get(COLUMN)
        if not isinstance(text, str) or not text.strip():
            tally.refuse("no text", row)
            continue
        tally.accepted += 1
        yield (text,) if isinstance(dataset.format, Conversation) else _bodies(text, dataset.format)
