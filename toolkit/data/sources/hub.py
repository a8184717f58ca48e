"""Rows of a Hugging Face hub data set at one commit; a quick error if the hub cannot be reached."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from toolkit import origins
from toolkit.data.sources.files import Row, arrow_rows, check_columns
from toolkit.errors import UserError, first_line
from toolkit.records.files import write_text
from toolkit.specs import DatasetSpec, digest_of

_COMMIT = re.compile(r"[0-9a-f]{40}")
_BATCH = 2_000


def resolve(dataset: DatasetSpec, cache: Path) -> str:
    """Return the commit that a data set's revision names now. Asks the hub unless the revision is a commit.

    Without a connection it is the commit that it named last, as noted in ``cache``. Raises UserError if
    nothing is noted.
    """
    if dataset.revision and _COMMIT.fullmatch(dataset.revision):
        return dataset.revision
    noted = cache / f"hub-{digest_of([dataset.hub, dataset.revision])}.txt"
    commit, reason = _ask(dataset)
    if commit is not None:
        write_text(noted, commit + "\n")
        return commit
    if noted.is_file():
        return noted.read_text(encoding="utf-8").strip()
    raise _unreachable(dataset, reason)


def _ask(dataset: DatasetSpec) -> tuple[str | None, str]:
    where = f"data set '{dataset.name}': hub data set {dataset.hub}"
    return origins.commit("dataset", str(dataset.hub), dataset.revision, where)


def _unreachable(dataset: DatasetSpec, reason: str) -> UserError:
    return UserError(
        f"data set '{dataset.name}': the Hugging Face hub cannot be reached ({reason}) "
        f"and {dataset.hub} was not fetched before. Use the embedded recipes (dataset=wikibooks), "
        f"or a local copy: dataset={{name: {dataset.name}, files: [full_dataset.csv]}}"
    )


def rows(
    dataset: DatasetSpec, revision: str, columns: Sequence[str], optional: Sequence[str] = ()
) -> Iterator[Row]:
    """Yield the rows at a commit, with ``columns`` and those of ``optional`` that there are.

    Raises UserError if they can be neither fetched nor read from disk.
    """
    from datasets.exceptions import DatasetNotFoundError

    try:
        table = _load(dataset, revision)
    except DatasetNotFoundError as error:
        raise UserError(f"data set '{dataset.name}': hub data set {dataset.hub} does not exist") from error
    except (ValueError, RuntimeError) as error:  # unknown subset or split, or a data set that is a script
        where = f"data set '{dataset.name}': hub data set {dataset.hub}"
        raise UserError(f"{where}: {first_line(error)}") from error
    except OSError as error:
        raise _unreachable(dataset, type(error).__name__) from error
    check_columns(table.column_names, columns, f"hub data set {dataset.hub}")
    read = [*columns, *(name for name in optional if name in table.column_names)]
    chosen = table.select_columns(list(dict.fromkeys(read))).with_format("arrow")
    for batch in chosen.iter(batch_size=_BATCH):
        yield from arrow_rows(batch)


def _load(dataset: DatasetSpec, revision: str) -> Any:
    from datasets import load_dataset

    online = _ask(dataset)[0] is not None
    with contextlib.nullcontext() if online else _offline():
        table = load_dataset(dataset.hub, dataset.subset, split=dataset.hub_split, revision=revision)
    fetched = str(table.cache_files)
    if not online and revision not in fetched:  # offline, `datasets` takes the commit it fetched last
        raise OSError(f"commit {revision[:12]} was not fetched")
    return table


@contextlib.contextmanager
def _offline() -> Iterator[None]:
    """Look on disk only: `datasets` would otherwise retry an unreachable hub for half a minute."""
    from datasets import config
    from huggingface_hub import constants

    before = config.HF_HUB_OFFLINE, constants.HF_HUB_OFFLINE
    config.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        config.HF_HUB_OFFLINE, constants.HF_HUB_OFFLINE = before
