"""What an evaluation leaves beside its run: outcomes, their statistics by metric, and the metrics."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from toolkit.errors import UserError
from toolkit.records.base import FORMAT_VERSION, Record, read_lines
from toolkit.records.folders import RunFolder
from toolkit.records.older import without_statistics
from toolkit.records.run import RunRecord, is_same_base
from toolkit.specs import EvalSpec

EvaluationKey = tuple[str, str | None]
"""Run id and digest: a run has one evaluation for each test split and each choice of settings."""
Direction = Literal["lower", "higher", "neither"]
ANCHOR_LABELS = {
    "references": "references",
    "unrelated": "unrelated text",
    "nearest_training": "nearest training",
    "same_title": "same title",
}
"""Name of texts that no model wrote, scored beside the methods -> what tables and figures call them."""
"""Which way a metric is better."""


class Likelihood(Record):
    """Summed negative log-likelihood of one part of a document."""

    nll: float
    """Nats."""
    tokens: int
    bytes: int
    """UTF-8 bytes of the part's text; 0 for the end-of-text token."""


class Choice(Record):
    """One possible answer to a question of choice."""

    nll: float
    """Nats of the whole answer after the prompt."""
    characters: int
    right: bool


class Generation(Record):
    """One text that the model wrote after one prompt."""

    prompt_mode: str
    """The last section that the prompt holds."""
    decoding: str
    """Name of the decoding setting."""
    prompt: str
    text: str
    """What the model wrote, without the prompt and without special tokens."""
    tokens: int
    ended: Literal["end_of_text", "limit"]
    """By itself, or at the length limit."""
    batched: bool = True
    """Whether others were generated beside it; False if the base's batches were found to change texts."""

    @model_validator(mode="before")
    @classmethod
    def _of_version_one(cls, data: Any) -> Any:
        return without_statistics(data)

    @property
    def document(self) -> str:
        """Prompt and continuation: the whole document as a reader sees it."""
        return self.prompt + self.text


class Outcome(Record):
    """All that the model did on one held-out document. Every metric is arithmetic on these."""

    document_id: str
    """Hash of the document's text."""
    title: str
    reference: str
    """The document itself, rendered, without the end-of-text token."""
    general: bool = False
    """Whether it is a general text, which only tells what a model has forgotten, and no held-out document."""
    likelihood: dict[str, Likelihood] | None = None
    """By part: each section by name, `scaffold` (markers, line ends, end marker) and `stop` (end-of-text).

    The whole text is all parts but `stop`. None for an anchor that is no model."""
    choices: tuple[Choice, ...] = ()
    """The possible answers, if the document is a question of choice."""
    generations: tuple[Generation, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _of_version_one(cls, data: Any) -> Any:
        return without_statistics(data)


class SettingStatistics(Record):
    """One document's statistics on the generation of one prompt mode and decoding."""

    prompt_mode: str
    decoding: str
    metrics: dict[str, tuple[float, ...] | None]
    """Metric -> its additive statistics; None if the metric is not defined on this document."""


class DocumentStatistics(Record):
    """One line of `statistics-<digest>.jsonl`: what the metrics add up over documents."""

    document_id: str
    cluster: str
    """Documents of one cluster are not independent of each other: those with equal prompts, or with an equal
    value of the data set's `cluster` column."""
    general: bool = False
    """Whether it is a general text and no held-out document."""
    settings: tuple[SettingStatistics, ...] = Field(min_length=1)
    """The headline's setting first, with every metric; then the others, with the metrics of generations."""

    @property
    def metrics(self) -> dict[str, tuple[float, ...] | None]:
        """The headline's statistics: metric -> additive statistics, None if not defined."""
        return self.settings[0].metrics

    def at(self, prompt_mode: str, decoding: str) -> dict[str, tuple[float, ...] | None]:
        """Return the statistics of one setting; empty if it was not measured."""
        for setting in self.settings:
            if (setting.prompt_mode, setting.decoding) == (prompt_mode, decoding):
                return setting.metrics
        return {}


def read_statistics(folder: RunFolder, digest: str) -> list[DocumentStatistics]:
    """Read the statistics of an evaluation, one per document in the order of its outcomes.

    UserError if there are none: records of the first version kept them among the outcomes.
    """
    path = folder.statistics(digest)
    if not path.is_file():
        raise UserError(f"cannot read {path}: no such file; `bakeoff run` measures the outcomes again")
    return read_lines(path, DocumentStatistics)


class MetricValue(Record):
    """One metric over the whole test split."""

    value: float | None
    """None if it is not defined; never a stand-in number."""
    documents: int
    """How many documents it rests on."""
    label: str | None = None
    """Name in tables and figures, as it reads inside a sentence; None in records older than labels."""
    unit: str
    """e.g. `bits per byte`, `BLEU`, `share`."""
    direction: Direction
    """Which way is better."""
    signature: str
    """Every choice that changes the number."""
    details: dict[str, float | None] = Field(default_factory=dict)
    """Components of the value: by section, by check, brevity penalty, …"""


class SettingMetrics(Record):
    """The metrics of generations, on those of one prompt mode and decoding."""

    prompt_mode: str
    decoding: str
    metrics: dict[str, MetricValue]


class EvaluationRecord(Record):
    """`eval-<digest>.json`: exists if and only if the evaluation finished."""

    version: int = FORMAT_VERSION
    digest: str
    spec: EvalSpec
    test: str
    """Fingerprint of the test split."""
    train: str | None = None
    """Fingerprint of the training split that texts were compared with; None in older records."""
    format: str
    """Name of the document format."""
    metrics: dict[str, MetricValue]
    """On the first prompt mode and decoding: the headline's."""
    settings: tuple[SettingMetrics, ...] = ()
    """The other prompt modes and decodings, in the order of `spec`: prompts, and each one's decodings."""
    anchors: dict[str, dict[str, MetricValue]]
    """Texts scored as if they had been generated, by the names of `ANCHOR_LABELS`."""
    seconds: dict[str, float]
    """Likelihood pass, generation, metrics."""
    clusters: str | None = None
    """Digest of the labels that the data set's `cluster` column gives its documents; None without one."""
    one_at_a_time: bool = False
    """Whether texts were generated one at a time, because this base writes other texts in a batch."""
    run: RunRecord

    def is_of(self, record: RunRecord) -> bool:
        """Whether it is of this run; of the untouched base also if that was loaded on another machine."""
        return self.run == record or is_same_base(self.run, record)
