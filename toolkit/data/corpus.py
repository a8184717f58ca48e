"""Every accepted document of one or several sources on disk, with what the split needs to know of each."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.data.cleaning import EXAMPLES, Tally
from toolkit.data.conversations.turns import Dialogue
from toolkit.data.duplicates.minhash import Forest, band_keys, candidates, near_pairs
from toolkit.data.duplicates.shingles import Shingler, stable_hash, title_key, words
from toolkit.data.format import Document, Span, body_spans, document_id
from toolkit.data.sources.documents import documents
from toolkit.data.sources.open import Source
from toolkit.data.split import Hashes, Indices
from toolkit.data.texts import CHUNK, Bodies, Texts, bodies_of, read_texts, write_texts
from toolkit.events import Advanced, Listener, ignore
from toolkit.specs import AnyFormat, Conversation, DataSpec

FEWEST_WORDS = 10
"""What has fewer is compared together with its title."""


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """Accepted documents in the order of reading."""

    texts: Texts
    ids: Hashes
    """Document identities."""
    titles: Hashes
    """Hashes of normalised titles."""
    sources: Indices
    """Index of each document's source."""
    groups: Hashes
    """Hash of each document's value in its data set's `cluster` column; 0 without one."""
    clusters: Indices
    """Cluster of near-copies: documents with the same value are copies of each other."""
    counts: dict[str, Any]
    """What was read, refused and changed in each source, and the duplicates: see `toolkit.records.data`."""


def compared(bodies: Bodies) -> str:
    """Return what decides whether two documents are near-copies: all section bodies but the title's.

    With the title if the others have few words: two questions may both be answered by *yes*. A whole
    conversation holds it anyway.
    """
    others = "\n".join(bodies[1:])
    enough = len(words(others)) >= FEWEST_WORDS or (others and others.startswith(bodies[0]))
    return others if enough else "\n".join(bodies)


class _Compared(Sequence[str]):
    """What is compared of each document."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts

    def __len__(self) -> int:
        return len(self._texts)

    def __getitem__(self, index: Any) -> Any:
        return compared(self._texts.bodies(index))


def build(sources: Sequence[Source], data: DataSpec, folder: Path, progress: Listener = ignore) -> None:
    """Read, clean and compare all documents of the sources, and write them to ``folder``."""
    tallies = [Tally() for _ in sources]
    columns = _read(sources, data, folder, tallies, progress)
    texts = read_texts(folder / "texts.arrow")
    clusters, duplicates = _clusters(texts, columns, data.near_duplicate, progress)
    arrays = {name: columns[name] for name in ("ids", "titles", "sources", "groups")}
    np.savez(folder / "arrays.npz", **arrays, clusters=clusters)
    counts = {
        "sources": [
            {"name": source.dataset.name, "identity": source.identity, **tally.summary()}
            for source, tally in zip(sources, tallies, strict=True)
        ],
        "duplicates": duplicates,
    }
    (folder / "counts.json").write_text(json.dumps(counts, ensure_ascii=False), encoding="utf-8")


def load(folder: Path) -> Corpus:
    """Return the corpus that `build` wrote."""
    counts = json.loads((folder / "counts.json").read_text(encoding="utf-8"))
    with np.load(folder / "arrays.npz") as arrays:
        return Corpus(texts=read_texts(folder / "texts.arrow"), counts=counts, **arrays)


def _read(
    sources: Sequence[Source], data: DataSpec, folder: Path, tallies: list[Tally], progress: Listener
) -> dict[str, Any]:
    """Write all texts, and return one array per fact about them; `keys` has one row per document."""
    shingler = Shingler()
    names = ("ids", "titles", "sources", "groups", "bodies", "keys")
    columns: dict[str, list[Any]] = {name: [] for name in names}
    with write_texts(folder / "texts.arrow") as write:
        accepted = (
            (number, *one)
            for number, (source, tally) in enumerate(zip(sources, tallies, strict=True))
            for one in documents(source, tally, data.max_characters)
        )
        while chunk := list(islice(accepted, CHUNK)):
            spans = [_spans(document, sources[number].dataset.format) for number, document, _, _ in chunk]
            texts = [text for _, _, text, _ in chunk]
            write(texts, spans)
            bodies = [compared(bodies_of(*pair)) for pair in zip(texts, spans, strict=True)]
            columns["ids"].append(_hashes(int(document_id(text), 16) for text in texts))
            titles = (title_key(document) for _, document, _, _ in chunk)
            columns["titles"].append(_hashes(map(stable_hash, titles)))
            columns["sources"].append(np.array([number for number, *_ in chunk], dtype=np.int64))
            groups = (0 if group is None else max(1, stable_hash(group)) for *_, group in chunk)
            columns["groups"].append(_hashes(groups))
            columns["bodies"].append(_hashes(map(stable_hash, bodies)))
            columns["keys"].append(band_keys(shingler(bodies), data.near_duplicate))
            progress(Advanced(work="reading", done=sum(tally.read for tally in tallies)))
    joined: dict[str, Any] = {name: _joined(arrays) for name, arrays in columns.items()}
    return joined | {"sources": joined["sources"].astype(np.int64)}


def _spans(document: Document | Dialogue, form: AnyFormat) -> list[Span]:
    """Where each section body is in the text; empty for a conversation, which is read from its JSON."""
    if isinstance(document, Dialogue) or isinstance(form, Conversation):
        return []
    return body_spans(document, form)


def _clusters(
    texts: Texts, columns: dict[str, Any], threshold: float, progress: Listener
) -> tuple[Indices, dict[str, Any]]:
    ids, bodies, keys = (columns[name] for name in ("ids", "bodies", "keys"))
    forest = Forest(len(ids))
    _join_equal(ids, forest)
    exact = _beyond_first(forest)
    _, leaders = np.unique(bodies, return_index=True)  # one of each set of documents with equal bodies
    _join_equal(bodies, forest)
    leaders = np.sort(leaders).astype(np.int64)
    pairs = leaders[candidates(keys[leaders])] if len(leaders) else np.empty((0, 2), np.int64)
    joined = near_pairs(pairs, _Compared(texts), threshold, forest, progress)
    near = sorted(joined, key=lambda pair: pair[2])
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
            {
                "similarity": round(similarity, 3),
                "titles": [texts.bodies(index)[0] for index in (one, other)],
            }
            for one, other, similarity in near[:EXAMPLES]
        ],
    }


def _join_equal(values: Hashes, forest: Forest) -> None:
    _, first, inverse = np.unique(values, return_index=True, return_inverse=True)
    for index in np.flatnonzero(first[inverse] != np.arange(len(values))).tolist():
        forest.join(index, int(first[inverse[index]]))


def _beyond_first(forest: Forest) -> int:
    return len(forest.parent) - len(np.unique(forest.labels()))


def _hashes(values: Iterable[int]) -> Hashes:
    return np.fromiter(values, dtype=np.uint64)


def _joined(arrays: list[Any]) -> Any:
    return np.concatenate(arrays) if arrays else np.empty(0, dtype=np.uint64)
