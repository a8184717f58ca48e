"""`bakeoff clean`: list or remove what no study needs. Finished records always stay."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from filelock import FileLock, Timeout

from toolkit.errors import UserError
from toolkit.records.folders import Root, RunFolder

Kind = Literal["checkpoints", "temporary", "failed", "data"]


class Removable(NamedTuple):
    """A file or folder that can go."""

    kind: Kind
    """`checkpoints` of a finished run; `temporary`: left by a process killed while writing; `failed`:
    a run that never finished; `data`: prepared data and tokens, which are made again when needed."""
    path: Path
    bytes: int


def removable(root: Path, *, failed: bool = False, data: bool = False) -> list[Removable]:
    """List what can go under ``root``. Runs in progress, finished records and weights are never in it.

    Failed runs and prepared data are listed only if asked for: a failed run may have a checkpoint to continue
    from, and data takes minutes to prepare again.
    """
    folders = Root(root)
    found: list[Removable] = []
    for path in sorted(folders.runs.iterdir()) if folders.runs.is_dir() else ():
        if path.is_dir() and not path.is_symlink() and not path.name.startswith("."):
            found += _of_run(folders.run(path.name), failed)
    results = folders.path / "results"
    for study in sorted(results.iterdir()) if results.is_dir() else ():
        found += _temporary(study) if study.is_dir() else ()
    if data and folders.data.is_dir():
        found += [Removable("data", path, _size(path)) for path in sorted(folders.data.iterdir())]
    return found


def remove(items: list[Removable]) -> int:
    """Remove what `removable` listed; return the bytes freed. Raises UserError for what can't be removed."""
    for item in items:
        try:
            if item.path.is_dir() and not item.path.is_symlink():
                shutil.rmtree(item.path)
            else:
                item.path.unlink(missing_ok=True)
        except OSError as error:
            raise UserError(f"cannot remove {item.path}: {error.strerror}") from error
    return sum(item.bytes for item in items)


def _of_run(folder: RunFolder, failed: bool) -> Iterator[Removable]:
    try:
        with FileLock(folder.lock, timeout=0):
            finished = folder.record.is_file()
            if finished and folder.checkpoints.is_dir():
                yield Removable("checkpoints", folder.checkpoints, _size(folder.checkpoints))
            if not finished and failed and folder.failure.is_file():
                yield Removable("failed", folder.path, _size(folder.path))
                return
            yield from _temporary(folder.path)
    except Timeout:  # a process works on it
        return


def _temporary(folder: Path) -> Iterator[Removable]:
    """Files and folders that `whole_file` and `whole_folder` left when their process was killed."""
    for path in sorted(folder.glob(".*.*")):
        if path.name != ".gitignore":
            yield Removable("temporary", path, _size(path))


def _size(path: Path) -> int:
    """Bytes of a file, or of all files in a folder; links count as nothing."""
    if path.is_dir() and not path.is_symlink():
        return sum(p.stat().st_size for p in path.rglob("*") if p.is_file() and not p.is_symlink())
    return 0 if path.is_symlink() else path.stat().st_size
