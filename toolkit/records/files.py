"""Write a file or a folder whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from toolkit.errors import UserError

REMEDY = "Choose another folder, where the command names it or by --root"


@cache
def _umask() -> int:
    """Permissions that new files lack: `tempfile` takes more away, and a root may belong to a group."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


@contextmanager
def whole_file(path: Path, remedy: str = REMEDY) -> Iterator[Path]:
    """Yield a neighbouring path to write to; on success it replaces ``path``, on error it is removed.

    The file is flushed to disk before it is renamed. Raises UserError, which ends in ``remedy``, if the
    folder can't be written.
    """
    with writable(path, remedy):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        os.close(handle)
        neighbour = Path(name)
        try:
            yield neighbour
            with neighbour.open("rb") as stream:
                os.fsync(stream.fileno())
            neighbour.chmod(0o666 & ~_umask())
            neighbour.replace(path)
        finally:
            neighbour.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yield an empty neighbouring folder to fill; on success it replaces ``path``, on error it is removed.

    A folder that is already at ``path`` is moved away just before the new one takes its place, and then
    removed. Raises UserError if the parent can't be written.
    """
    with writable(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        neighbour = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
        try:
            yield neighbour
            neighbour.chmod(0o777 & ~_umask())
            if path.exists():
                path.rename(neighbour / ".old")  # renaming is quick; removing comes last
            neighbour.replace(path)
            shutil.rmtree(path / ".old", ignore_errors=True)
        finally:
            shutil.rmtree(neighbour, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all, as UTF-8 with its line ends as given."""
    with whole_file(path) as neighbour:
        neighbour.write_text(text, encoding="utf-8", newline="")


@contextmanager
def writable(path: Path, remedy: str = REMEDY) -> Iterator[None]:
    """Turn an OSError on the way to writing ``path`` into a UserError that names it."""
    try:
        yield
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}. {remedy}") from error
