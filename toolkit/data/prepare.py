"""The one way from a data set to the three splits that every method trains and is tested on."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from toolkit.data import corpus
from toolkit.data.conversations.template import rendering
from toolkit.data.corpus import Corpus
from toolkit.data.duplicates.claims import claims_of
from toolkit.data.duplicates.prompts import near_prompts
from toolkit.data.format import document_id
from toolkit.data.report import report, too_few
from toolkit.data.sources.mixture import components, quotas
from toolkit.data.sources.open import Source
from toolkit.data.split import FILL_ORDER, Hashes, Indices, group_keys, same_prompt, split
from toolkit.errors import UserError
from toolkit.events import Listener, PhaseStarted, ignore
from toolkit.records import hashes
from toolkit.records.data import DataReport
from toolkit.records.files import whole_folder
from toolkit.specs import Conversation, DatasetSpec, DataSpec, digest_of


@dataclass(frozen=True)
class Prepared:
    """A data set, ready: three splits of rendered documents, and the report of how they came about."""

    train: Sequence[str]
    """Rendered texts in a fixed order; a smaller training split is the start of a larger one; of a mixture,
    a part of it."""
    validation: Sequence[str]
    test: Sequence[str]
    further_references: Mapping[str, Sequence[str]]
    """Id of a test document -> other documents of its title, which are in no split, if there are any."""
    clusters: Mapping[str, str]
    """Id of a test document -> label of its cluster; empty unless the data set names a column of clusters, or
    near-copies or near-prompts are kept together."""
    fingerprints: Mapping[str, str]
    """Split -> hash: see `toolkit.records.data.DataReport`."""
    report: DataReport


def prepare(
    dataset: DatasetSpec, data: DataSpec, cache: Path | None = None, progress: Listener = ignore
) -> Prepared:
    """Read, clean, compare and split a data set, or return what was prepared before from ``cache``.

    The same specs give the same texts in the same order, whatever the order of the source's rows.
    ``progress`` hears of a phase `preparing` if there is anything to do, and in it of the work `reading`
    (rows so far), `comparing` (pairs of documents) and `checking` (training documents, for leaks).
    Raises UserError if the source can't be read or has fewer documents than needed.
    """
    if cache is not None:
        return _prepare(dataset, data, cache, progress)
    with tempfile.TemporaryDirectory(prefix="bakeoff-", ignore_cleanup_errors=True) as folder:
        done = _prepare(dataset, data, Path(folder), progress)
        return Prepared(  # in memory: the folder, and its memory map, are removed
            **{name: list(getattr(done, name)) for name in FILL_ORDER},
            further_references={key: list(texts) for key, texts in done.further_references.items()},
            clusters=done.clusters,
            fingerprints=done.fingerprints,
            report=done.report,
        )


def _prepare(dataset: DatasetSpec, data: DataSpec, root: Path, progress: Listener) -> Prepared:
    weighted = components(dataset, root)
    sources = [source for source, _ in weighted]
    whole = root / f"corpus-{_corpus_digest(sources, data)}"
    divided = [data.model_dump(mode="json"), [weight for _, weight in weighted]]
    form = [dataset.format.model_dump(mode="json"), *rendering(dataset.format)]
    inner = whole / f"split-{digest_of([*divided, *form])}"
    with _locked(whole.with_suffix(".lock"), progress):
        for folder in (whole, inner):
            hashes.discard_damaged(folder)
        if not inner.is_dir():
            progress(PhaseStarted(phase="preparing"))
        if not whole.is_dir():
            _remove_leftovers(whole)
            with whole_folder(whole) as folder:
                corpus.build(sources, data, folder, progress)
                hashes.seal(folder)
        documents = corpus.load(whole)
        if not inner.is_dir():
            _remove_leftovers(inner)
            with whole_folder(inner) as folder:
                _divide(dataset, data, weighted, documents, folder, progress)
                hashes.seal(folder)
    with np.load(inner / "split.npz") as arrays:
        texts = {name: documents.texts.choose(arrays[name]) for name in FILL_ORDER}
        further = np.split(arrays["further"], arrays["further_ends"][:-1])
        clusters = _clusters_of(documents, arrays["test"], arrays["alike"])
    references = {
        document_id(text): documents.texts.choose(indices)
        for text, indices in zip(texts["test"], further, strict=True)
        if len(indices)
    }
    stored = DataReport.read(inner / "report.json")
    # What a data set is called may have changed since; its documents have not.
    stored = stored.model_copy(
        update={"dataset": dataset.name, "format": dataset.format.name, "license": dataset.license}
    )
    return Prepared(
        **texts,
        further_references=references,
        clusters=clusters,
        fingerprints=stored.fingerprints,
        report=stored,
    )


def _clusters_of(documents: Corpus, test: Indices, alike: Hashes) -> dict[str, str]:
    """Return id -> label of test documents, joined if they share a value of the cluster column or a title.

    Or a key of ``alike``, of what the split kept together; empty if it kept titles alone. A document without
    a value is joined without it. Empty if none has a value and nothing else was kept together.
    """
    groups, titles, ids = documents.groups[test], documents.titles[test], documents.ids[test]
    if not groups.any() and not len(alike):
        return {}
    _, labels = np.unique(groups, return_inverse=True)
    labels = np.where(groups == 0, len(groups) + np.arange(len(groups)), labels).astype(np.int64)
    keys = group_keys(titles, labels)
    if len(alike):
        keys = group_keys(keys, np.unique(alike, return_inverse=True)[1])
    return {f"{one:016x}": f"{key:016x}" for one, key in zip(ids.tolist(), keys.tolist(), strict=True)}


def _corpus_digest(sources: Sequence[Source], data: DataSpec) -> str:
    compared = data.model_dump(include={"max_characters", "near_duplicate"})
    read = [
        [source.identity, _reading(source.dataset), source.dataset.format.model_dump(exclude={"name"})]
        for source in sources
    ]
    return digest_of([_code(), unicodedata.unidata_version, compared, read])


def _reading(dataset: DatasetSpec) -> dict[str, Any]:
    """What of a data set's spec decides how its rows are read. The source's identity says which rows."""
    return dataset.model_dump(
        include={"delimiter", "parser", "fields", "where", "subset", "hub_split", "cluster"}
    )


@contextmanager
def _locked(lock: Path, progress: Listener) -> Iterator[None]:
    """Hold a lock, so that of several processes one prepares and the others read what it wrote."""
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        try:
            held = FileLock(lock).acquire(timeout=0)
        except Timeout:
            progress(PhaseStarted(phase="waiting"))
            held = FileLock(lock).acquire()
    except OSError as error:
        message = f"cannot write {lock}: {error.strerror}. Choose another folder with --root"
        raise UserError(message) from error
    with held:
        yield


def _remove_leftovers(folder: Path) -> None:
    """Remove what a killed process left while it filled ``folder``. Call with the lock held."""
    for stale in folder.parent.glob(f".{folder.name}.*"):
        shutil.rmtree(stale, ignore_errors=True)


def _divide(
    dataset: DatasetSpec,
    data: DataSpec,
    weighted: Sequence[tuple[Source, float]],
    documents: Corpus,
    folder: Path,
    progress: Listener,
) -> None:
    sources = [source for source, _ in weighted]
    used = _without_copies(documents, data)
    titles, origins = documents.titles[used], documents.sources[used]
    shares = [(source.dataset, weight) for source, weight in weighted]
    sizes = quotas(data, shares, dataset.format)
    more = quotas(data.model_copy(update={"test": data.further_test}), shares, dataset.format)["test"]
    together = data.duplicates == "together"
    keys = group_keys(titles, documents.clusters[used]) if together else titles
    if data.near_prompts == "together":
        keys = group_keys(keys, near_prompts(documents.texts.choose(used), data.near_duplicate, progress))
    more_than_titles = together or data.near_prompts == "together"
    division = split(
        keys,
        documents.ids[used],
        origins,
        sizes,
        prompts=titles if data.same_title == "exclude" else None,
        claims=claims_of(
            used,
            documents.titles,
            keys,
            None if together else documents.clusters,
            _trained_on_every_answer(documents, used, sources),
        ),
        further=more,
    )
    if division.missing:
        raise UserError(too_few(dataset, data, sources, documents, len(used), division))
    free = np.ones(len(used), dtype=np.bool_)
    for members in division.members.values():
        free[members] = False
    tested = [n for n, source in enumerate(sources) if source.dataset.format == dataset.format]
    free &= np.isin(origins, tested)
    further = same_prompt(division.members["test"], titles, free)
    arrays: dict[str, Any] = {name: used[members] for name, members in division.members.items()}
    np.savez(
        folder / "split.npz",
        **arrays,
        alike=keys[division.members["test"] if more_than_titles else []],
        further=used[np.concatenate([np.empty(0, dtype=np.int64), *further])],
        further_ends=np.cumsum([len(indices) for indices in further]),
    )
    report(dataset, data, sources, documents, used, division, progress).write(folder / "report.json")


def _without_copies(documents: Corpus, data: DataSpec) -> Indices:
    """Return the documents that are divided: one per cluster, or all but exact copies.

    Of a cluster the document of lowest identity stays: no order of rows can change which that is.
    """
    by_identity = np.argsort(documents.ids, kind="stable")
    same = documents.ids if data.duplicates == "together" else documents.clusters
    _, first = np.unique(same[by_identity], return_index=True)
    return np.sort(by_identity[first])


def _trained_on_every_answer(
    documents: Corpus, used: Indices, sources: Sequence[Source]
) -> Iterator[tuple[int, str]]:
    """Yield index in ``used`` and text of the conversations of such formats."""
    formats = [source.dataset.format for source in sources]
    places = [
        number
        for number, form in enumerate(formats)
        if isinstance(form, Conversation) and (form.columns == "messages" or form.train_on == "everything")
    ]
    for number in np.flatnonzero(np.isin(documents.sources[used], places)).tolist():
        yield number, documents.texts[int(used[number])]


def _code() -> str:
    """Hash of the modules that decide what a document is and where it goes: changed code, new cache."""
    modules = sorted(path for path in Path(__file__).parent.rglob("*.py") if path.name != "batches.py")
    return hashlib.sha256(b"".join(path.read_bytes() for path in modules)).hexdigest()[:12]
