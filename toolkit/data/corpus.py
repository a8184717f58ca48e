"""Every accepted document of a data set on disk, memory-mapped, with what the split needs to know of each."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, overload

import numpy as np
import pyarrow as pa

from toolkit.data.clean import EXAMPLES, RefusedError, Tally, to_document
from toolkit.data.dedupe import (
    Forest,
    Hashes,
    Indices,
    Shingler,
    band_keys,
    candidates,
    near_pairs,
    normalised_title,
    stable_hash,
)
from toolkit.data.format import Document, Format, body_text, document_id, render
from toolkit.data.sources import Source
from toolkit.specs import DataSpec

CHUNK = 2_000
"""Documents of one Arrow record batch; the last may have fewer."""
_SCHEMA = pa.schema([("text", pa.string())])


class Texts(Sequence[str]):
    """Rendered documents in a memory-mapped Arrow file, chosen and ordered by an index."""

    def __init__(self, column: pa.ChunkedArray, chosen: Indices) -> None:
        self._column = column
        self._chosen = chosen

    def __len__(self) -> int:
        return len(self._chosen)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Texts: ...
    def __getitem__(self, index: int | slice) -> str | Texts:
        if isinstance(index, slice):
            return Texts(self._column, self._chosen[index])
        chunk, place = divmod(int(self._chosen[index]), CHUNK)
        return str(self._column.chunk(chunk)[place].as_py())


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """Accepted documents of one or several sources, in the order of reading."""

    column: pa.ChunkedArray
    """Rendered texts."""
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

    def texts(self, chosen: Indices) -> Texts:
        """Some of the documents, in the order of the index."""
        return Texts(self.column, chosen)


def compared(document: Document, form: Format) -> str:
    """What decides whether two documents are near-copies: every section but the title."""
    sections = list(zip(form.sections, document.bodies, strict=True))
    return "\n".join(body_text(*pair) for pair in (sections[1:] or sections))


def compared_text(text: str, form: Format) -> str:
    """The same of a rendered document."""
    lines = text.split("\n")
    pairs = list(zip(form.sections, lines[:-1], strict=True))
    return "\n".join(line[len(section.marker) + 1 :] for section, line in (pairs[1:] or pairs))


def build(source: Source, fields: Mapping[str, str], data: DataSpec, form: Format, folder: Path) -> None:
    """Read, clean and compare all documents of a source, and write them to ``folder``."""
    tally = Tally()
    shingler = Shingler()
    ids: list[Hashes] = []
    titles: list[Hashes] = []
    bodies: list[Hashes] = []
    keys: list[Hashes] = []
    with pa.OSFile(str(folder / "texts.arrow"), "wb") as sink, pa.ipc.new_file(sink, _SCHEMA) as writer:
        documents = _documents(source, fields, data, form, tally)
        while chunk := list(islice(documents, CHUNK)):
            texts = [render(document, form) for document in chunk]
            writer.write_batch(pa.record_batch([pa.array(texts, pa.string())], schema=_SCHEMA))
            shown = [compared(document, form) for document in chunk]
            ids.append(np.array([int(document_id(text), 16) for text in texts], dtype=np.uint64))
            names = [normalised_title(document.title) for document in chunk]
            titles.append(np.array([stable_hash(name) for name in names], dtype=np.uint64))
            bodies.append(np.array([stable_hash(text) for text in shown], dtype=np.uint64))
            keys.append(band_keys(shingler(shown), data.near_duplicate))
    identities = _joined(ids)
    everything = Texts(_column(folder), np.arange(tally.accepted, dtype=np.int64))
    clusters, found = _clusters(everything, identities, _joined(bodies), keys, data.near_duplicate, form)
    np.savez(
        folder / "arrays.npz",
        ids=identities,
        titles=_joined(titles),
        sources=np.zeros(tally.accepted, dtype=np.int64),
        clusters=clusters,
    )
    counts = {
        "rows": {"read": tally.read, "filtered_out": tally.filtered, "accepted": tally.accepted},
        "refused": {
            reason: {"count": count, "examples": tally.examples[reason]}
            for reason, count in sorted(tally.refused.items())
        },
        "mended": dict(sorted(tally.mended.items())),
        "duplicates": found,
    }
    (folder / "counts.json").write_text(json.dumps(counts, ensure_ascii=False), encoding="utf-8")


def load(folder: Path) -> Corpus:
    """The corpus that `build` wrote."""
    counts = json.loads((folder / "counts.json").read_text(encoding="utf-8"))
    with np.load(folder / "arrays.npz") as arrays:
        return Corpus(column=_column(folder), counts=counts, **arrays)


def _documents(
    source: Source, fields: Mapping[str, str], data: DataSpec, form: Format, tally: Tally
) -> Iterator[Document]:
    for row in source.rows():
        tally.read += 1
        mended: Counter[str] = Counter()
        try:
            document = to_document(row, form, fields, mended)
            if len(render(document, form)) > data.max_characters:
                raise RefusedError(f"longer than {data.max_characters} characters")
        except RefusedError as refusal:
            tally.refuse(str(refusal), row)
            continue
        tally.mended.update(mended)
        tally.accepted += 1
        yield document


def _clusters(
    texts: Texts, ids: Hashes, bodies: Hashes, keys: list[Hashes], threshold: float, form: Format
) -> tuple[Indices, dict[str, Any]]:
    forest = Forest(len(ids))
    _join_equal(ids, forest)
    exact = _members_beyond_first(forest)
    _, leaders = np.unique(
        bodies, return_index=True
    )  # one of those whose sections are letter by letter equal
    _join_equal(bodies, forest)
    leaders = np.sort(leaders).astype(np.int64)
    pairs = leaders[candidates(_joined(keys)[leaders])] if len(leaders) else np.empty((0, 2), np.int64)
    shown = _Compared(texts, form)
    near = sorted(near_pairs(pairs, shown, threshold, forest), key=lambda pair: pair[2])
    labels = forest.labels()
    sizes = np.bincount(labels)
    return labels, {
        "threshold": threshold,
        "exact": exact,
        "near": _members_beyond_first(forest) - exact,
        "clusters": int((sizes > 1).sum()),
        "largest_cluster": int(sizes.max(initial=0)),
        "candidate_pairs": len(pairs),
        "examples": [
            {"similarity": round(similarity, 3), "one": shown.title(one), "other": shown.title(other)}
            for one, other, similarity in near[:EXAMPLES]
        ],
    }


class _Compared(Sequence[str]):
    """What is compared of each document."""

    def __init__(self, texts: Texts, form: Format) -> None:
        self._texts = texts
        self._form = form

    def __len__(self) -> int:
        return len(self._texts)

    def __getitem__(self, index: Any) -> Any:
        return compared_text(self._texts[index], self._form)

    def title(self, index: int) -> str:
        return self._texts[index].split("\n", 1)[0][len(self._form.markers[0]) + 1 :]


def _join_equal(values: Hashes, forest: Forest) -> None:
    _, first, place = np.unique(values, return_index=True, return_inverse=True)
    for index in np.flatnonzero(first[place] != np.arange(len(values))).tolist():
        forest.join(index, int(first[place[index]]))


def _members_beyond_first(forest: Forest) -> int:
    return len(forest.parent) - len(np.unique(forest.labels()))


def _joined(arrays: list[Hashes]) -> Hashes:
    return np.concatenate(arrays) if arrays else np.empty(0, dtype=np.uint64)


def _column(folder: Path) -> pa.ChunkedArray:
    return pa.ipc.open_file(pa.memory_map(str(folder / "texts.arrow"))).read_all().column("text")
