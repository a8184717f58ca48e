"""`bakeoff clean`: list or remove what no study needs. Finished records always stay."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Literal, NamedTuple

from filelock import FileLock, Timeout

from toolkit.errors import UserError
from toolkit.records.folders import Root, RunFolder

Kind = Literal["checkpoints", "temporary", "failed", "data"]
LEFT_SECONDS = 3600.0
"""A temporary file that was written to less than this ago may belong to a process at work."""


class Removable(NamedTuple):
    """A file or folder that can go."""

    kind: Kind
    """`checkpoints` of a finished run; `temporary`: left by a process killed while writing; `failed`:
    a run that never finished; `data`: prepared data and tokens, which are made again when needed."""
    path: Path
    bytes: int
    lock: Path | None = None
    """Held while it is removed: that of its run, or of its prepared data; None if there is none."""


def removable(root: Path, *, failed: bool = False, data: bool = False) -> list[Removable]:
    """List what can go under ``root``. Runs in progress, finished records and weights are never in it.

    Failed runs and prepared data are listed only if asked for: a failed run may have a checkpoint to continue
    from, and data takes minutes to prepare again. Temporary files are listed after an hour.
    """
    if not root.is_dir():
        raise UserError(f"no folder {root}: give the root of the studies with --root")
    folders = Root(root)
    found: list[Removable] = []
    for path in sorted(folders.runs.iterdir()) if folders.runs.is_dir() else ():
        if path.is_dir() and not path.is_symlink() and not path.name.startswith("."):
            found += _of_run(folders.run(path.name), failed)
    results = folders.path / "results"
    for study in sorted(results.iterdir()) if results.is_dir() else ():
        for folder in (study, study / "figures", study / "taste"):
            found += _temporary(folder) if folder.is_dir() else ()
    if data and folders.data.is_dir():
        found += _of_data(folders.data)
    return found


def remove(items: Sequence[Removable]) -> list[Removable]:
    """Remove what `removable` listed; return what was removed. Raises UserError for what can't be removed.

    What a process has begun to work on since it was listed stays.
    """
    removed = []
    for item in items:
        try:
            with _held(item.lock):
                if not _can_go(item):
                    continue
                if item.path.is_dir() and not item.path.is_symlink():
                    shutil.rmtree(item.path)
                else:
                    item.path.unlink(missing_ok=True)
        except Timeout:
            continue
        except OSError as error:
            raise UserError(f"cannot remove {item.path}: {error.strerror}") from error
        removed.append(item)
    return removed


def _held(lock: Path | None) -> AbstractContextManager[object]:
    """The lock, to be held; Timeout on entry if a process has it. Its folder may be gone: nothing to hold."""
    return nullcontext() if lock is None or not lock.parent.is_dir() else FileLock(lock, timeout=0)


def _can_go(item: Removable) -> bool:
    """Whether it is still as it was listed. Call with its lock held."""
    if item.kind == "temporary":
        return _is_left(item.path)
    if item.kind == "data" or item.lock is None:
        return item.path.exists()
    folder = item.lock.parent
    finished = (folder / "run.json").is_file()
    return finished if item.kind == "checkpoints" else not finished and (folder / "failed.json").is_file()


def _of_run(folder: RunFolder, failed: bool) -> Iterator[Removable]:
    try:
        with FileLock(folder.lock, timeout=0):
            finished = folder.record.is_file()
            if finished and folder.checkpoints.is_dir():
                yield Removable("checkpoints", folder.checkpoints, _size(folder.checkpoints), folder.lock)
            if not finished and failed and folder.failure.is_file():
                yield Removable("failed", folder.path, _size(folder.path), folder.lock)
                return
            yield from _temporary(folder.path, folder.lock)
    except Timeout:  # a process works on it
        return
    except OSError as error:
        raise UserError(f"cannot lock {folder.lock}: {error.strerror}") from error


def _of_data(folder: Path) -> Iterator[Removable]:
    """Prepared data with the lock of its corpus, tokens without; lock files stay, since others may wait."""
    for path in sorted(folder.iterdir()):
        hidden = path.name.startswith(".")
        if path.suffix != ".lock" and (not hidden or _is_left(path)):
            lock = path.with_suffix(".lock") if path.is_dir() and not hidden else None
            yield Removable("data", path, _size(path), lock)


def _temporary(folder: Path, lock: Path | None = None) -> Iterator[Removable]:
    """Files and folders that `whole_file` and `whole_folder` left when their process was killed."""
    for path in sorted(folder.glob(".*.*")):
        if path.name != ".gitignore" and _is_left(path):
            yield Removable("temporary", path, _size(path), lock)


def _is_left(path: Path) -> bool:
    """Whether a temporary file, or everything in such a folder, is old enough to be nobody's work."""
    try:
        written = max(one.lstat().st_mtime for one in (path, *path.rglob("*")))
    except FileNotFoundError:  # somebody has just renamed or removed it
        return False
    return time.time() - written >= LEFT_SECONDS


def _size(path: Path) -> int:
    """Bytes of a file, or of all files in a folder; links count as nothing."""
    if path.is_dir() and not path.is_symlink():
        return sum(p.stat().st_size for p in path.rglob("*") if p.is_file() and not p.is_symlink())
    return 0 if path.is_symlink() else path.stat().st_size
