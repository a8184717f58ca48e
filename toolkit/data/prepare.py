"""The one way from a data set to the three parts that every method trains and is tested on."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from toolkit.data import corpus
from toolkit.data.corpus import Corpus
from toolkit.data.dedupe import Indices
from toolkit.data.format import Format
from toolkit.data.leak import leak_report
from toolkit.data.sources import open_source
from toolkit.data.split import PARTS, Split, group_keys, split
from toolkit.errors import UserError
from toolkit.specs import DatasetSpec, DataSpec, digest_of
from toolkit.store import write_text

SAMPLES = 3


@dataclass(frozen=True)
class Prepared:
    """A data set, ready: three parts of rendered documents, and the report of how they came about."""

    form: Format
    train: Sequence[str]
    """Rendered texts in a fixed order; a smaller training part is the start of a larger one."""
    validation: Sequence[str]
    test: Sequence[str]
    fingerprints: dict[str, str]
    """Part -> hash of its texts in order."""
    report: dict[str, Any]
    """JSON-able: rows, refusals, duplicates, sizes, leak, licence, samples."""


def prepare(dataset: DatasetSpec, data: DataSpec, form: Format, cache: Path | None = None) -> Prepared:
    """Read, clean, compare and split a data set; what was done before is read back from ``cache``.

    The same specs give the same texts in the same order, whatever the order of the source's rows.
    Raises UserError where the source cannot be read or holds fewer documents than were asked for.
    """
    root = cache if cache is not None else Path(tempfile.mkdtemp(prefix="bakeoff-"))
    try:
        return _prepare(dataset, data, form, root)
    finally:
        if cache is None:  # what is memory-mapped stays readable until the last reader lets go
            shutil.rmtree(root, ignore_errors=True)


def fingerprint(texts: Iterable[str]) -> str:
    """First 16 hex digits of a SHA-256 over the texts in order."""
    digest = hashlib.sha256()
    for text in texts:
        digest.update(text.encode())
        digest.update(b"\x00")
    return digest.hexdigest()[:16]


def _prepare(dataset: DatasetSpec, data: DataSpec, form: Format, root: Path) -> Prepared:
    source = open_source(dataset)
    code = _code()
    comparison = data.model_dump(include={"max_characters", "near_duplicate"})
    asked = dataset.model_dump(exclude={"name", "note", "license"})
    key = digest_of([code, source.identity, asked, comparison, form.model_dump(exclude={"name"})])
    folder = root / f"corpus-{key}"
    root.mkdir(parents=True, exist_ok=True)
    with FileLock(root / f"corpus-{key}.lock"):
        if not folder.is_dir():
            _whole(folder, lambda target: corpus.build(source, dataset.fields, data, form, target))
        documents = corpus.load(folder)
        parts_folder = folder / f"split-{data.digest}"
        if not parts_folder.is_dir():
            _whole(parts_folder, lambda target: _divide(dataset, data, form, documents, target))
    with np.load(parts_folder / "parts.npz") as arrays:
        parts = {part: documents.texts(arrays[part]) for part in PARTS}
    report = json.loads((parts_folder / "report.json").read_text(encoding="utf-8"))
    report = {"dataset": dataset.name, "format": form.name, "license": dataset.license, **report}
    return Prepared(form=form, **parts, fingerprints=report["fingerprints"], report=report)


def _whole(folder: Path, fill: Callable[[Path], None]) -> None:
    """Make a folder whole or not at all: filled beside, then renamed."""
    beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        fill(beside)
        beside.replace(folder)
    except OSError as error:
        raise UserError(
            f"cannot write {folder}: {error.strerror}. Choose another folder with --root"
        ) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _divide(dataset: DatasetSpec, data: DataSpec, form: Format, documents: Corpus, folder: Path) -> None:
    kept, labels = _kept(documents, data)
    keys = group_keys(documents.titles[kept], labels)
    sizes = {part: {0: int(getattr(data, part))} for part in PARTS}
    done = split(keys, documents.ids[kept], documents.sources[kept], sizes)
    if done.missing:
        raise UserError(_too_few(dataset, data, documents, len(kept), done))
    parts = {part: kept[done.parts[part]] for part in PARTS}
    texts = {part: documents.texts(parts[part]) for part in PARTS}
    report = {
        **documents.counts,
        "documents": len(kept),
        "duplicates": {**documents.counts["duplicates"], "policy": data.duplicates},
        "sizes": {
            **{part: len(parts[part]) for part in PARTS},
            "held_back": done.held_back,
            "unused": done.unused,
        },
        "fingerprints": {part: fingerprint(texts[part]) for part in PARTS},
        "leak": {
            "test": leak_report(texts["train"], texts["test"], form),
            "validation": leak_report(texts["train"], texts["validation"], form),
        },
        "samples": [texts["train"][i] for i in range(min(SAMPLES, len(texts["train"])))],
    }
    np.savez(folder / "parts.npz", train=parts["train"], validation=parts["validation"], test=parts["test"])
    write_text(folder / "report.json", json.dumps(report, ensure_ascii=False, allow_nan=False))


def _kept(documents: Corpus, data: DataSpec) -> tuple[Indices, Indices | None]:
    """Documents that stay, and their clusters where these are kept whole.

    Of a cluster the document with the lowest identity stays: no order of rows can change which that is.
    """
    by_identity = np.argsort(documents.ids, kind="stable")
    judged = documents.ids if data.duplicates == "together" else documents.clusters
    _, first = np.unique(judged[by_identity], return_index=True)
    kept = np.sort(by_identity[first])
    return kept, documents.clusters[kept] if data.duplicates == "together" else None


def _too_few(dataset: DatasetSpec, data: DataSpec, documents: Corpus, kept: int, done: Split) -> str:
    asked = ", ".join(f"{part}={getattr(data, part)}" for part in reversed(PARTS))
    rows = documents.counts["rows"]
    refused = rows["read"] - rows["filtered_out"] - rows["accepted"]
    lost = [f"{refused} refused"] if refused else []
    lost += [f"{n} filtered out"] if (n := rows["filtered_out"]) else []
    lost += [f"{n} copies"] if (n := rows["accepted"] - kept) else []
    lost += (
        [f"{done.held_back} held back as they share a title with a held-out one"] if done.held_back else []
    )
    got = ", ".join(f"{part}={len(done.parts[part])}" for part in reversed(PARTS))
    detail = f" ({'; '.join(lost)})" if lost else ""
    return (
        f"data set '{dataset.name}' has {kept} documents of {rows['read']} rows{detail}, "
        f"too few for {asked}. Ask for at most {got}"
    )


def _code() -> str:
    """Hash of the modules that decide what a document is and where it goes: changed code, new cache."""
    here = Path(__file__).parent
    names = sorted(path for path in here.glob("*.py") if path.name not in {"tokens.py", "report.py"})
    return hashlib.sha256(b"".join(path.read_bytes() for path in names)).hexdigest()[:12]
