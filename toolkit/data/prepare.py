"""The one way from a data set to the three parts that every method trains and is tested on."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from toolkit.data import corpus
from toolkit.data.corpus import Corpus, Progress
from toolkit.data.duplicates.shingles import Indices
from toolkit.data.report import report, too_few
from toolkit.data.sources.mixture import components, quotas
from toolkit.data.sources.open import Source
from toolkit.data.split import SPLITS, group_keys, split
from toolkit.data.texts import choose
from toolkit.errors import UserError
from toolkit.specs import DatasetSpec, DataSpec, digest_of


@dataclass(frozen=True)
class Prepared:
    """A data set, ready: three parts of rendered documents, and the report of how they came about."""

    train: Sequence[str]
    """Rendered texts in a fixed order; a smaller training part is the start of a larger one."""
    validation: Sequence[str]
    test: Sequence[str]
    fingerprints: dict[str, str]
    """Part -> hash of its texts in order."""
    report: dict[str, Any]
    """JSON-able: rows, refusals, duplicates, sizes, leak, licence, samples."""


def prepare(
    dataset: DatasetSpec,
    data: DataSpec,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> Prepared:
    """Read, clean, compare and split a data set; what was done before is read back from ``cache``.

    The same specs give the same texts in the same order, whatever the order of the source's rows.
    ``progress`` is called every 2,000 rows with what is being done and how many are done.
    Raises UserError where the source cannot be read or holds fewer documents than were asked for.
    """
    if cache is not None:
        return _prepare(dataset, data, cache, progress)
    with tempfile.TemporaryDirectory(prefix="bakeoff-", ignore_cleanup_errors=True) as folder:
        done = _prepare(dataset, data, Path(folder), progress)
        parts = {part: list(getattr(done, part)) for part in SPLITS}  # the folder, and its memory map, go
        return Prepared(fingerprints=done.fingerprints, report=done.report, **parts)


def _prepare(dataset: DatasetSpec, data: DataSpec, root: Path, progress: Progress | None) -> Prepared:
    parts = components(dataset, root)
    sources = [source for source, _ in parts]
    compared = data.model_dump(include={"max_characters", "near_duplicate"})
    what = [
        [source.identity, _asked(source.dataset), source.dataset.format.model_dump(exclude={"name"})]
        for source in sources
    ]
    folder = root / f"corpus-{digest_of([_code(), compared, what])}"
    try:
        root.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_suffix(".lock")):
            if not folder.is_dir():
                _whole(folder, lambda target: corpus.build(sources, data, target, progress))
            documents = corpus.load(folder)
            weights = [weight for _, weight in parts]
            divided = [data.model_dump(mode="json"), weights, dataset.format.model_dump(mode="json")]
            inner = folder / f"split-{digest_of(divided)}"
            if not inner.is_dir():
                _whole(inner, lambda target: _divide(dataset, data, parts, documents, target))
    except OSError as error:
        raise UserError(
            f"cannot write {folder}: {error.strerror}. Choose another folder with --root"
        ) from error
    with np.load(inner / "parts.npz") as arrays:
        texts = {part: choose(documents.texts, arrays[part]) for part in SPLITS}
    said = json.loads((inner / "report.json").read_text(encoding="utf-8"))
    said = {"dataset": dataset.name, "format": dataset.format.name, "license": dataset.license, **said}
    return Prepared(**texts, fingerprints=said["fingerprints"], report=said)


def _asked(dataset: DatasetSpec) -> dict[str, Any]:
    """What of a data set's spec decides how its rows are read. The source's identity says which rows."""
    return dataset.model_dump(include={"delimiter", "parser", "fields", "where", "subset", "hub_split"})


def _whole(folder: Path, fill: Callable[[Path], None]) -> None:
    """Make a folder whole or not at all: filled beside, then renamed. Call with the folder's lock held."""
    for stale in folder.parent.glob(f".{folder.name}.*"):  # of a process that was killed
        shutil.rmtree(stale, ignore_errors=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        fill(beside)
        beside.replace(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _divide(
    dataset: DatasetSpec,
    data: DataSpec,
    parts: Sequence[tuple[Source, float]],
    documents: Corpus,
    folder: Path,
) -> None:
    sources = [source for source, _ in parts]
    kept, labels = _kept(documents, data)
    keys = group_keys(documents.titles[kept], labels)
    weighted = [(source.dataset, weight) for source, weight in parts]
    done = split(keys, documents.ids[kept], documents.sources[kept], quotas(data, weighted, dataset.format))
    if done.missing:
        raise UserError(too_few(dataset, data, sources, documents, len(kept), done))
    said = report(sources, data, documents, kept, done)
    train, validation, test = (kept[done.parts[part]] for part in ("train", "validation", "test"))
    np.savez(folder / "parts.npz", train=train, validation=validation, test=test)
    text = json.dumps(said, ensure_ascii=False, allow_nan=False)
    (folder / "report.json").write_text(text, encoding="utf-8")


def _kept(documents: Corpus, data: DataSpec) -> tuple[Indices, Indices | None]:
    """Documents that stay, and their clusters where these are kept whole.

    Of a cluster the document with the lowest identity stays: no order of rows can change which that is.
    """
    by_identity = np.argsort(documents.ids, kind="stable")
    judged = documents.ids if data.duplicates == "together" else documents.clusters
    _, first = np.unique(judged[by_identity], return_index=True)
    kept = np.sort(by_identity[first])
    return kept, documents.clusters[kept] if data.duplicates == "together" else None


def _code() -> str:
    """Hash of the modules that decide what a document is and where it goes: changed code, new cache."""
    modules = sorted(path for path in Path(__file__).parent.rglob("*.py") if path.name != "batches.py")
    return hashlib.sha256(b"".join(path.read_bytes() for path in modules)).hexdigest()[:12]
