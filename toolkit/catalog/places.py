"""Where catalog entries come from, read once; two entries of one name are an error."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from toolkit.errors import UserError
from toolkit.specs.reading import absolute_paths, read_yaml

CATALOG = Path(__file__).parent
"""The package's own files."""
KINDS = ("models", "datasets", "methods", "formats")
"""Each is a file `<kind>.yaml` of a catalog folder."""
FOLDERS = "BAKEOFF_CATALOG"
"""Environment variable: the user's catalog folders, separated as in PATH. `--catalog DIR` sets it."""
GROUP = "bakeoff.catalog"
"""Entry points of installed packages: each names a package that holds catalog files."""
BUILT_IN = "built in"


@dataclass(frozen=True)
class Entry:
    """One catalog entry as written, and where it comes from."""

    value: Mapping[str, Any]
    origin: str
    """`built in`, `package NAME`, or the path of the user's file."""


def entries(kind: str) -> dict[str, Entry]:
    """Return all entries of a kind by name: the built-in ones, then packages', then the user's.

    Raises UserError if a file is damaged, if a requested folder is missing, or if two entries have
    one name: what a name means must not depend on where a study is run.
    """
    return dict(_read(kind, tuple(_files(kind))))


def _files(kind: str) -> Iterator[tuple[Path, str, int]]:
    """Path, origin and modification time of each file of a kind, in order."""
    for folder, origin in _folders():
        file = folder / f"{kind}.yaml"
        if file.is_file():
            yield file, origin or str(file), file.stat().st_mtime_ns


def _folders() -> Iterator[tuple[Path, str]]:
    """Catalog folders with the origin of their entries; "" means the file itself."""
    yield CATALOG, BUILT_IN
    for point in importlib.metadata.entry_points(group=GROUP):
        owner = point.dist.name if point.dist else point.name
        try:
            package = importlib.util.find_spec(point.value)
        except (ImportError, ValueError):
            package = None
        places = list(package.submodule_search_locations or ()) if package else []
        if not places:
            raise UserError(
                f"entry point '{point.name}' of {owner}: no package {point.value}. Reinstall {owner}"
            )
        yield from ((Path(place), f"package {owner}") for place in places)
    given = [Path(name) for name in os.environ.get(FOLDERS, "").split(os.pathsep) if name]
    for folder in given:
        if not any((folder / f"{kind}.yaml").is_file() for kind in KINDS):
            names = ", ".join(f"{kind}.yaml" for kind in KINDS)
            raise UserError(f"--catalog {folder}: none of {names} is there (looked from {Path.cwd()})")
    for folder in given or [Path("catalog")]:
        if folder.resolve() != CATALOG:
            yield folder.absolute(), ""


@lru_cache(maxsize=64)  # parsing takes a tenth of a second, and a study looks up each cell
def _read(kind: str, files: tuple[tuple[Path, str, int], ...]) -> dict[str, Entry]:
    result: dict[str, Entry] = {}
    for file, origin, _ in files:
        value = read_yaml(file)
        for name, entry in (value if origin == BUILT_IN else absolute_paths(value, file.parent)).items():
            if not isinstance(entry, Mapping):
                raise UserError(f"{file}: {name}: expected `key: value` lines, got {entry!r:.60}")
            if name in result:
                raise UserError(f"{file}: the name '{name}' is taken ({result[name].origin}). Choose another")
            result[name] = Entry(entry, origin)
    return result
