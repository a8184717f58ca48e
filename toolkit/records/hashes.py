"""`hashes.json`: the SHA-256 of a folder's finished files, by which a changed byte is noticed on reading.

Files of folders without it (records of earlier versions, published studies) and files that it does not name
are read as they are.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock

from toolkit.errors import UserError
from toolkit.origins import sha256
from toolkit.records.files import whole_file, writable, write_text

logger = logging.getLogger(__name__)

FILE = "hashes.json"
LOCK = ".hashes-lock"
"""Held while a file and its hash are written, by one of several processes that conclude one study."""
CHANGED = "has changed since it was written"
MADE_AGAIN = ("eval-", "statistics-", "comparisons", "failures", "study")
"""Starts of the names of files that the next `bakeoff run` makes again by itself."""


def write_sealed(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, and record its hash.

    Killed at any moment, it leaves the old file or the new one and a hash that fits: while one replaces the
    other, both hashes are recorded.
    """
    new = hashlib.sha256(content).hexdigest()
    with _locked(path.parent):
        recorded = _recorded(path.parent)
        before = recorded.get(path.name) or ([sha256([path])] if path.is_file() else [])
        _write(path.parent, {**recorded, path.name: [*before, new]})
        with whole_file(path) as neighbour:
            neighbour.write_bytes(content)
        _write(path.parent, {**recorded, path.name: [new]})


def write_value(path: Path, value: dict[str, Any]) -> None:
    """Write a value that can be computed again as JSON in one line, and that line's hash in a second."""
    text = json.dumps(value)
    write_text(path, f"{text}\n{hashlib.sha256(text.encode()).hexdigest()}")


def read_value(path: Path) -> dict[str, Any] | None:
    """Return what `write_value` wrote; None if there is none, or if a byte of it has changed."""
    try:
        text, _, digest = path.read_text(encoding="utf-8", errors="replace").partition("\n")
    except FileNotFoundError:
        return None
    if digest != hashlib.sha256(text.encode()).hexdigest():
        return None
    value: dict[str, Any] = json.loads(text)
    return value


def seal(
    folder: Path, files: Iterable[Path] | None = None, place: Callable[[], object] = lambda: None
) -> None:
    """Record the hashes of finished files in ``folder`` or in folders inside it; of all of them if None.

    ``place`` puts the files there, under the same lock, so that no other process replaces them meanwhile.
    """
    with _locked(folder):
        place()
        if files is None:
            own = folder / FILE, folder / LOCK
            files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path not in own]
        hashes = {file.relative_to(folder).as_posix(): [sha256([file])] for file in files}
        _write(folder, {**_recorded(folder), **hashes})


def forget(folder: Path, *starts: str) -> None:
    """Drop the hashes of files whose path in ``folder`` begins with one of ``starts``: they are made anew."""
    if (folder / FILE).is_file():
        with _locked(folder):
            others = {name: one for name, one in _recorded(folder).items() if not name.startswith(starts)}
            _write(folder, others)


def changed(path: Path) -> bool:
    """Whether a file's hash is recorded beside it, and is another.

    Raises UserError if `hashes.json` is damaged.
    """
    for _ in range(2):  # twice: it may have been replaced in between
        hashes = _recorded(path.parent).get(path.name)
        if hashes is None or not path.is_file() or sha256([path]) in hashes:
            return False
    return True


def read(path: Path) -> bytes:
    """Return a file's bytes; raise UserError, with the remedy, if they are not as they were written.

    Raises OSError if it can't be read.
    """
    for _ in range(2):  # twice: it may have been replaced in between
        content = path.read_bytes()
        hashes = _recorded(path.parent).get(path.name)
        if hashes is None or hashlib.sha256(content).hexdigest() in hashes:
            return content
    raise _changed(path)


def any_changed(*paths: Path) -> bool:
    """Whether one of the files is not as it was written; the first of them is logged."""
    damaged = next(filter(changed, paths), None)
    if damaged:
        logger.warning("%s %s: it is made again", damaged, CHANGED)
    return damaged is not None


def check(path: Path) -> None:
    """Raise UserError, with the remedy, if the file is not as it was written."""
    if changed(path):
        raise _changed(path)


def _changed(path: Path) -> UserError:
    if path.name.startswith(MADE_AGAIN):
        remedy = "`bakeoff run` of its study makes it anew"
    elif path.name == "merge.json":
        remedy = "`bakeoff merge` makes it anew"
    else:
        it = "it" if path.name == "run.json" else "run.json beside it"
        remedy = f"delete {it} and `bakeoff run` makes it anew"
    return UserError(f"{path}: it {CHANGED}; {remedy}")


def check_folder(folder: Path, start: str) -> None:
    """Raise UserError, with the remedy, for the first file in ``folder`` that `problems` names."""
    for name, problem in (problems(folder, start) or {}).items():
        remedy = f"delete {folder / 'run.json'} and `bakeoff run` makes the run anew"
        raise UserError(f"{folder / name}: it {problem}; {remedy}")


def problems(folder: Path, start: str = "") -> dict[str, str] | None:
    """Return the files that are missing or not as they were written: path in ``folder`` -> what is wrong.

    None if the folder has no `hashes.json`. ``start``: only files whose path begins with it. Files of a
    folder that is missing as a whole, such as weights that were deleted, are left out.
    """
    if not (folder / FILE).is_file():
        return None
    found = {}
    for name, hashes in _recorded(folder).items():
        path = folder / name
        if not name.startswith(start) or not path.parent.is_dir():
            continue
        if not path.is_file():
            found[name] = "is missing"
        elif sha256([path]) not in hashes:
            found[name] = CHANGED
    return found


def discard_damaged(folder: Path) -> None:
    """Remove a folder that can be made again if one of its files is not as it was written, and log which."""
    try:
        damaged = problems(folder)
    except UserError:
        damaged = {FILE: CHANGED}
    if damaged:
        name, problem = next(iter(damaged.items()))
        logger.warning("%s %s: its folder is made again", folder / name, problem)
        shutil.rmtree(folder)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with writable(folder / FILE):
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / LOCK):
            yield


def _recorded(folder: Path) -> dict[str, list[str]]:
    path = folder / FILE
    try:
        value = json.loads(path.read_text(encoding="utf-8"))["files"]
        return {str(name): [str(one) for one in hashes] for name, hashes in value.items()}
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        remedy = "delete it, and its folder's files are read without being checked"
        raise UserError(f"{path} is damaged: {remedy}") from error


def _write(folder: Path, files: dict[str, list[str]]) -> None:
    text = json.dumps({"files": dict(sorted(files.items()))}, indent=1) + "\n"
    write_text(folder / FILE, text)
