"""The data report: where every row went, how the splits compare, and how close they come to each other."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from toolkit.records.base import Record

SPLITS = ("train", "validation", "test")
"""The splits in the order in which they are shown."""


class RowCounts(Record):
    """Rows of a source, or of all sources."""

    total: int
    """Rows that were read."""
    filtered_out: int
    """Rows that the data set's `where` leaves out."""
    accepted: int
    """Rows that make a document; copies among them are counted in `Duplicates`."""


class Refusal(Record):
    """Rows that were refused for one reason."""

    count: int
    examples: tuple[str, ...]
    """The starts of a few of the rows."""


class NearCopies(Record):
    """Two documents that count as near-copies of each other."""

    similarity: float
    """Jaccard similarity of their sets of word triples, 0 to 1."""
    titles: tuple[str, str]


class Duplicates(Record):
    """Copies and near-copies among the accepted documents."""

    threshold: float
    """Jaccard similarity from which two documents are near-copies."""
    policy: Literal["drop", "together"]
    """One document of each cluster is used, or each cluster stays on one side of the split."""
    exact: int
    """Documents beyond the first of each set of exact copies."""
    near: int
    """Further documents beyond the first of each cluster."""
    clusters: int
    """Clusters of at least two documents."""
    largest_cluster: int
    candidate_pairs: int
    """Pairs that were compared exactly."""
    examples: tuple[NearCopies, ...] = ()


class Sizes(Record):
    """Where the documents went; the five add up to all documents that are used or left over."""

    train: int
    validation: int
    test: int
    excluded: int
    """Documents in no split because their title, or their cluster, belongs to validation or test."""
    unused: int
    """Documents that the study does not need."""


class SplitCounts(Record):
    """One number per split."""

    train: int
    validation: int
    test: int


class SourceReport(Record):
    """One source of a data set; a mixture has several."""

    name: str
    identity: dict[str, Any]
    """What tells this version of the source: package, commit, or a hash of each file."""
    license: str | None
    format: str
    rows: RowCounts
    refused: dict[str, Refusal]
    """Reason -> the rows refused for it."""
    changed: dict[str, int]
    """What was changed in the text -> how many times."""
    sizes: SplitCounts


class Lengths(Record):
    """Lengths of documents in one unit. All None if there is no document."""

    mean: float | None
    median: int | None
    longest: int | None
    step: int
    """Width of a bin of the histogram."""
    histogram: tuple[int, ...]
    """Documents per bin, the first from 0."""


class ClosestPair(Record):
    """A held-out document and the training document most similar to it, by their titles."""

    similarity: float
    held_out: str
    train: str


class Leak(Record):
    """How close a held-out split comes to the training split."""

    train: int
    """Training documents compared with."""
    held_out: int
    shared_titles: int
    """Titles of the split that a training document has too."""
    highest: float | None
    """Highest similarity of any pair; None for an empty split."""
    percentiles: dict[str, float]
    """`50`, `90`, `99` of the held-out documents' highest similarities."""
    histogram: tuple[int, ...]
    """Held-out documents by their highest similarity, in equal bins from 0 to 1."""
    at_least: dict[str, int]
    """Threshold -> held-out documents with at least this similarity to a training document."""
    closest: tuple[ClosestPair, ...]
    longest_common_words: int | None
    """Words of the longest common run; None if no run has as many words as are looked for (8)."""
    longest_common_text: str | None
    common_words_at_least: dict[str, int]
    """Number of words -> held-out documents with a common run of at least that many."""


class ForeignTraining(Record):
    """What a method from elsewhere was trained on, compared with the test split."""

    documents: int
    """Documents that could be read."""
    refused: int
    """Rows that make no document, and so were not compared."""
    threshold: float
    """Similarity from which a test document has a near-copy: the study's `data.near_duplicate`."""
    copies: int
    """Test documents with a copy or near-copy in it."""
    exact: int
    """Those of them with a similarity of 1: no word triple differs."""
    leak: Leak
    """The test split against it."""


class DataReport(Record):
    """What preparing a data set did."""

    dataset: str
    format: str
    license: str | None
    rows: RowCounts
    refused: dict[str, Refusal]
    changed: dict[str, int]
    duplicates: Duplicates
    documents: int
    """Documents that are used or left over: accepted rows without dropped copies."""
    sizes: Sizes
    prompts: SplitCounts
    """Distinct titles, that is prompts of the default mode, in each split."""
    clusters: SplitCounts | None = None
    """Distinct values of the data set's `cluster` column in each split, a document without a value being one
    of its own; None if it names no column."""
    sources: tuple[SourceReport, ...]
    characters: dict[str, Lengths]
    """Split -> lengths of its rendered documents in characters; of conversations, those of their turns."""
    fingerprints: dict[str, str]
    """Split -> hash of its texts in order; except for `test`, with how conversations are rendered."""
    leak: dict[str, Leak]
    """`test` and `validation`, each against `train`."""
    trained_on: dict[str, ForeignTraining] = Field(default_factory=dict, exclude_if=lambda value: not value)
    """Method from elsewhere -> what it was trained on, for those whose training data is given."""
    samples: tuple[str, ...]
    """The first training documents."""
