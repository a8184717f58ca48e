"""Every accepted document of one or several sources on disk, with what the split needs to know of each."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from toolkit.data.cleaning import EXAMPLES, RefusedError, Tally, to_document
from toolkit.data.duplicates.minhash import Forest, band_keys, candidates, near_pairs
from toolkit.data.duplicates.shingles import Hashes, Indices, Shingler, normalised_title, stable_hash
from toolkit.data.format import document_id, render
from toolkit.data.sources.files import Broken
from toolkit.data.sources.open import Source
from toolkit.data.sources.parsers import TEXT, Parser, parser
from toolkit.data.texts import CHUNK, Texts, read_texts, write_texts
from toolkit.specs import DataSpec, Format

Progress = Callable[[str, int], None]
"""Called now and then with what is being done and how many are done."""


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """Accepted documents in the order of reading."""

    texts: Texts
    ids: Hashes
    """Document identities."""
    titles: Hashes
    """Hashes of normalised titles."""
    sources: Indices
    """Which source each comes from."""
    clusters: Indices
    """Cluster of near-copies: documents that agree here are copies of each other."""
    counts: dict[str, Any]
    """What was read, refused, mended and found to be duplicated."""


class _Accepted(NamedTuple):
    title: str
    text: str
    source: int


def compared(text: str, document_format: Format) -> str:
    """What decides whether two documents are near-copies: all section bodies but the title's."""
    lines = text.split("\n")[:-1]
    pairs = list(zip(document_format.sections, lines, strict=True))
    return "\n".join(line[len(section.marker) + 1 :] for section, line in (pairs[1:] or pairs))


def title_of(text: str, document_format: Format) -> str:
    """The body of a rendered document's first section."""
    return text.split("\n", 1)[0][len(document_format.markers[0]) + 1 :]


def build(sources: Sequence[Source], data: DataSpec, folder: Path, progress: Progress | None = None) -> None:
    """Read, clean and compare all documents of the sources, and write them to ``folder``."""
    tallies = [Tally() for _ in sources]
    shingler = Shingler()
    columns: dict[str, list[Any]] = {"ids": [], "titles": [], "sources": [], "bodies": [], "keys": []}
    with write_texts(folder / "texts.arrow") as write:
        documents = _documents(sources, data, tallies)
        while chunk := list(islice(documents, CHUNK)):
            write([document.text for document in chunk])
            bodies = [compared(document.text, sources[document.source].dataset.format) for document in chunk]
            columns["ids"].append(_hashes(int(document_id(document.text), 16) for document in chunk))
            columns["titles"].append(
                _hashes(stable_hash(normalised_title(document.title)) for document in chunk)
            )
            columns["sources"].append(np.array([document.source for document in chunk], dtype=np.int64))
            columns["bodies"].append(_hashes(map(stable_hash, bodies)))
            columns["keys"].append(band_keys(shingler(bodies), data.near_duplicate))
            if progress is not None:
                progress("rows read", sum(tally.read for tally in tallies))
    ids, titles, bodies_, keys = (_joined(columns.pop(name)) for name in ("ids", "titles", "bodies", "keys"))
    places = np.concatenate([np.empty(0, dtype=np.int64), *columns["sources"]])
    if progress is not None:
        progress("documents compared", len(ids))
    texts = _Compared(
        read_texts(folder / "texts.arrow"), places, [source.dataset.format for source in sources]
    )
    clusters, found = _clusters(texts, ids, bodies_, keys, data.near_duplicate)
    np.savez(folder / "arrays.npz", ids=ids, titles=titles, sources=places, clusters=clusters)
    counts = {
        "sources": [
            {"name": source.dataset.name, "identity": source.identity, **tally.summary()}
            for source, tally in zip(sources, tallies, strict=True)
        ],
        "duplicates": found,
    }
    (folder / "counts.json").write_text(json.dumps(counts, ensure_ascii=False), encoding="utf-8")


def load(folder: Path) -> Corpus:
    """The corpus that `build` wrote."""
    counts = json.loads((folder / "counts.json").read_text(encoding="utf-8"))
    with np.load(folder / "arrays.npz") as arrays:
        return Corpus(texts=read_texts(folder / "texts.arrow"), counts=counts, **arrays)


def _documents(sources: Sequence[Source], data: DataSpec, tallies: list[Tally]) -> Iterator[_Accepted]:
    for number, (source, tally) in enumerate(zip(sources, tallies, strict=True)):
        document_format = source.dataset.format
        wanted = source.dataset.where
        read = parser(source.dataset.parser) if source.dataset.parser else None
        for row in source.rows():
            tally.read += 1
            if isinstance(row, Broken):
                tally.refuse(row.reason, row.shown)
                continue
            if any(str(row.get(column)) != value for column, value in wanted.items()):
                tally.filtered += 1
                continue
            mended: Counter[str] = Counter()
            try:
                title, text = _rendered(row, document_format, source.dataset.fields, read, mended)
                if len(text) > data.max_characters:
                    raise RefusedError(f"longer than {data.max_characters} characters")
            except RefusedError as refusal:
                tally.refuse(str(refusal), row)
                continue
            tally.mended.update(mended)
            tally.accepted += 1
            yield _Accepted(title, text, number)


def _rendered(
    row: Mapping[str, Any],
    document_format: Format,
    fields: Mapping[str, str],
    read: Parser | None,
    mended: Counter[str],
) -> tuple[str, str]:
    if read is not None:
        whole = row.get(fields.get(TEXT, TEXT))
        if not isinstance(whole, str):
            raise RefusedError("no text")
        row, fields = read(whole, document_format), {}
    document = to_document(row, document_format, fields, mended)
    return document.title, render(document, document_format)


def _clusters(
    texts: _Compared, ids: Hashes, bodies: Hashes, keys: Hashes, threshold: float
) -> tuple[Indices, dict[str, Any]]:
    forest = Forest(len(ids))
    _join_equal(ids, forest)
    exact = _beyond_first(forest)
    _, leaders = np.unique(bodies, return_index=True)  # one of those that are letter by letter equal
    _join_equal(bodies, forest)
    leaders = np.sort(leaders).astype(np.int64)
    pairs = leaders[candidates(keys[leaders])] if len(leaders) else np.empty((0, 2), np.int64)
    near = sorted(near_pairs(pairs, texts, threshold, forest), key=lambda pair: pair[2])
    labels = forest.labels()
    sizes = np.bincount(labels)
    return labels, {
        "threshold": threshold,
        "exact": exact,
        "near": _beyond_first(forest) - exact,
        "clusters": int((sizes > 1).sum()),
        "largest_cluster": int(sizes.max(initial=0)),
        "candidate_pairs": len(pairs),
        "examples": [
            {"similarity": round(similarity, 3), "one": texts.title(one), "other": texts.title(other)}
            for one, other, similarity in near[:EXAMPLES]
        ],
    }


class _Compared(Sequence[str]):
    """What is compared of each document, which may be of different formats."""

    def __init__(self, texts: Texts, sources: Indices, formats: list[Format]) -> None:
        self._texts = texts
        self._sources = sources
        self._formats = formats

    def __len__(self) -> int:
        return len(self._texts)

    def __getitem__(self, index: Any) -> Any:
        return compared(self._texts[index], self._formats[self._sources[index]])

    def title(self, index: int) -> str:
        return title_of(self._texts[index], self._formats[self._sources[index]])


def _join_equal(values: Hashes, forest: Forest) -> None:
    _, first, place = np.unique(values, return_index=True, return_inverse=True)
    for index in np.flatnonzero(first[place] != np.arange(len(values))).tolist():
        forest.join(index, int(first[place[index]]))


def _beyond_first(forest: Forest) -> int:
    return len(forest.parent) - len(np.unique(forest.labels()))


def _hashes(values: Iterator[int]) -> Hashes:
    return np.fromiter(values, dtype=np.uint64)


def _joined(arrays: list[Hashes]) -> Hashes:
    return np.concatenate(arrays) if arrays else np.empty(0, dtype=np.uint64)
