"""Write a file whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from toolkit.errors import UserError


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all: into a neighbour first, flushed, then renamed over ``path``."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, neighbour = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            Path(neighbour).chmod(0o644)
            Path(neighbour).replace(path)
        except BaseException:
            Path(neighbour).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UserError(
            f"cannot write {path}: {error.strerror}. Choose another folder with --root"
        ) from error
