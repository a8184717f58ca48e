"""Metrics of the user's own: files of a folder `metrics/`, and entry points of installed packages."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import inspect
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from types import ModuleType
from typing import get_args

from eval.metrics.base import Metric
from toolkit.catalog import FOLDERS
from toolkit.errors import UserError
from toolkit.records import Direction

GROUP = "bakeoff.metrics"
"""Entry points of installed packages: each names a module that binds ``METRIC``, or a metric itself."""
_BINDS = re.compile(r"^METRIC\b", re.MULTILINE)
_DECLARED = ("name", "label", "unit", "direction", "signature")


@dataclass(frozen=True)
class OwnMetric:
    """A metric that is not of this package."""

    metric: Metric
    origin: str
    """The path of the user's file, or `package NAME`."""
    source: str
    """Hash of the file that it is written in: part of its signature, so that a changed file measures anew."""


def own_metrics() -> list[OwnMetric]:
    """Return the metrics of installed packages, then those of the user's files.

    Files are `metrics/*.py` beside the catalog folders given with `--catalog`, or else in the working folder;
    one that does not bind ``METRIC`` is not imported. Raises UserError for a file that cannot be.
    """
    files = [(path, path.stat().st_mtime_ns) for folder in _folders() for path in sorted(folder.glob("*.py"))]
    own = (_from_file(path, changed) for path, changed in files)
    return [*_from_packages(), *(one for one in own if one is not None)]


def _folders() -> list[Path]:
    catalogs = [Path(name) for name in os.environ.get(FOLDERS, "").split(os.pathsep) if name]
    beside = [catalog.absolute().parent / "metrics" for catalog in catalogs]
    return list(dict.fromkeys(beside)) or [Path("metrics").absolute()]


@lru_cache(maxsize=64)
def _from_file(path: Path, changed: int) -> OwnMetric | None:
    """The metric of a file; ``changed``, its time of modification, makes a changed file read again."""
    content = path.read_bytes()
    if not _BINDS.search(content.decode("utf-8", errors="replace")):
        return None
    spec = importlib.util.spec_from_file_location(f"bakeoff_own_metrics.{path.stem}", path)
    if spec is None or spec.loader is None:
        raise UserError(f"{path}: cannot be imported as a metric")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses and pickling look a class's module up there
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # a user's file may raise anything: the user needs its path
        raise UserError(f"{path}: the metric cannot be imported: {type(error).__name__}: {error}") from error
    return _checked(module, str(path), content)


@cache  # looking through all installed packages takes long, and metrics are looked up often
def _from_packages() -> tuple[OwnMetric, ...]:
    return tuple(_load_entry_points())


def _load_entry_points() -> Iterator[OwnMetric]:
    for point in importlib.metadata.entry_points(group=GROUP):
        origin = f"package {point.dist.name if point.dist else point.name}"
        try:
            loaded = point.load()
        except Exception as error:  # a package may raise anything: the user needs its name
            raise UserError(f"{origin}: entry point '{point.name}' cannot be loaded: {error}") from error
        file = inspect.getsourcefile(loaded if isinstance(loaded, ModuleType) else type(loaded))
        yield _checked(loaded, origin, Path(file).read_bytes() if file else b"")


def _checked(loaded: object, origin: str, content: bytes) -> OwnMetric:
    metric = loaded if isinstance(loaded, Metric) else getattr(loaded, "METRIC", None)
    if not isinstance(metric, Metric):
        raise UserError(f"{origin}: METRIC is no instance of a subclass of eval.metrics.Metric")
    missing = [name for name in _DECLARED if not isinstance(getattr(metric, name, None), str)]
    if missing:
        raise UserError(f"{origin}: the metric lacks {', '.join(missing)}")
    if metric.direction not in (ways := get_args(Direction)):
        raise UserError(f"{origin}: direction is '{metric.direction}'; it should be one of {', '.join(ways)}")
    return OwnMetric(metric, origin, hashlib.sha256(content).hexdigest()[:12])
