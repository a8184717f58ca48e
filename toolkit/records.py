"""What a run, an evaluation and a study leave on disk: typed, strict, readable without torch."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from toolkit.errors import UserError
from toolkit.specs import EvalSpec, RunSpec
from toolkit.store import write_text

FORMAT_VERSION = 1


class Record(BaseModel):
    """A frozen value that goes to disk as JSON. What is unknown is None; NaN and infinity are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)

    def write(self, path: Path) -> None:
        """Write to ``path`` as indented JSON, whole or not at all."""
        value = self.model_dump(mode="json")
        write_text(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read from ``path``; a file that is missing or not of this form is a UserError that names it."""
        try:
            return cls.model_validate_json(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise UserError(f"cannot read {path}: {error.strerror}") from error
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the file"
            raise UserError(
                f"{path}: {where}: {first['msg']}. The record is damaged or of another version; "
                "delete it and `bakeoff run` makes it anew"
            ) from error


# --- runs/<run_id>/run.json


class DataCounts(Record):
    """What a run saw of its training part."""

    documents: int
    """Documents trained on."""
    left_out_too_long: int
    """Documents of the part that have more tokens than `max_length`."""
    tokens: int
    """Supervised tokens of one epoch."""
    padding_share: float
    """Share of the positions in its batches that are padding."""
    stream_hash: str
    """Hash of every token id and label of the first epoch's batches, in order: equal for all methods."""
    end_labels: float
    """Share of the documents whose end marker and end-of-text token are both supervised. 1.0 is right."""


class Costs(Record):
    """What a run cost. Unmeasured is None."""

    load_seconds: float | None = None
    train_seconds: float | None = None
    """Optimizer steps alone, without validation and saving."""
    validate_seconds: float | None = None
    save_seconds: float | None = None
    steps: int | None = None
    supervised_tokens_per_second: float | None = None
    peak_memory_bytes: int | None = None
    """Peak resident memory of the run's own process, or the sum of its processes, while it trained."""
    cuda_allocated_bytes: int | None = None
    cuda_reserved_bytes: int | None = None
    optimizer_state_bytes: int | None = None
    trainable_parameters: int | None = None
    total_parameters: int | None = None
    artifact_bytes: int | None = None
    """As measured on disk: the saved weights or adapter."""
    flops: float | None = None
    """Floating-point operations of all training steps: counted on one document, times positions."""
    peak_flops_per_second: float | None = None
    """What the machine reached, in this precision and just before, on a product of two square matrices."""
    processes: int = 1
    interruptions: int = 0
    """How often the run was killed and went on from a checkpoint. Seconds are summed over all its lives."""

    @property
    def peak_share(self) -> float | None:
        """Operations a second while training over those of a matrix product: 1.0 is the machine's limit."""
        if not (self.flops and self.peak_flops_per_second and self.train_seconds):
            return None
        return self.flops / self.train_seconds / self.peak_flops_per_second


class RunRecord(Record):
    """`run.json`: exists if and only if the run finished."""

    version: int = FORMAT_VERSION
    run_id: str
    spec: RunSpec
    status: Literal["finished", "diverged"]
    validation_bits_per_byte: float | None
    """Of the weights that were kept; None for the untouched base."""
    kept_step: int | None = None
    """The step whose weights were kept."""
    data: DataCounts | None
    costs: Costs
    precision: str | None
    """What was computed in and what the trainable weights were kept in, e.g. `bf16 compute, fp32 masters`."""
    environment: dict[str, Any]
    """Device, cores, operating system and the versions that matter; not part of the run's identity."""


class MergeSide(Record):
    """An adapter on its base, or merged into it."""

    perplexity: float
    """Per token, end-of-text included, in fp32."""
    forward_seconds: float
    """One document through the model: the median of five."""
    seconds_per_new_token: float
    """One document written greedily, 32 tokens: the median of five."""


class MergeRecord(Record):
    """`merge.json`: the adapter beside itself merged."""

    run_id: str
    documents: int
    """Validation documents that the perplexities are of."""
    adapter: MergeSide
    merged: MergeSide
    logit_difference: float
    """The largest, over all tokens of one document."""
    environment: dict[str, Any]


class Failure(Record):
    """`failed.json`: a run that could not be finished, or not be evaluated. Removed once it could."""

    version: int = FORMAT_VERSION
    run_id: str
    error: str
    """One line: what went wrong."""
    evaluate: EvalSpec | None
    """The evaluation that was asked for too; one asked for with other settings has not failed."""
    log: tuple[str, ...]
    """The last lines that the run's process printed; all of them are in `log.txt`."""


class Step(Record):
    """One line of `steps.jsonl`: an optimizer step, or a validation after it."""

    step: int
    epoch: float
    seconds: float
    """Training seconds so far, validation and saving left out."""
    tokens: int
    """Supervised tokens so far."""
    loss: float | None = None
    """Training loss of this step, nats per supervised token. None on a validation line."""
    learning_rate: float | None = None
    gradient_norm: float | None = None
    validation_nll: float | None = None
    """Nats per token over the validation part. None on a training line."""
    validation_bits_per_byte: float | None = None


# --- runs/<run_id>/eval-<digest>.jsonl


class Likelihood(Record):
    """Summed negative log-likelihood of one part of a document."""

    nll: float
    """Nats."""
    tokens: int
    bytes: int
    """UTF-8 bytes of the part's text; 0 for the end-of-text token."""


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
    statistics: dict[str, tuple[float, ...] | None] = Field(default_factory=dict)
    """Metric -> its additive statistics on this text; empty for the headline's, which the outcome holds."""

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
    generations: tuple[Generation, ...] = ()
    statistics: dict[str, tuple[float, ...] | None] = Field(default_factory=dict)
    """Metric -> its additive statistics on this document; None where the metric is not defined on it."""


# --- runs/<run_id>/eval-<digest>.json


class MetricValue(Record):
    """One metric over the whole test part."""

    value: float | None
    """None where it is not defined (never a stand-in number)."""
    documents: int
    """How many documents it rests on."""
    unit: str
    """e.g. `bits per byte`, `BLEU`, `share`."""
    direction: Literal["lower", "higher", "neither"]
    """Which way is better."""
    signature: str
    """Every choice that changes the number."""
    details: dict[str, float | None] = Field(default_factory=dict)
    """Parts of it worth a look: by section, by check, brevity penalty, …"""


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
    """Fingerprint of the test part."""
    format: str
    """Name of the document format."""
    metrics: dict[str, MetricValue]
    """On the first prompt mode and decoding: the headline's."""
    settings: tuple[SettingMetrics, ...] = ()
    """The other prompt modes and decodings, in the order of `spec`: prompts, and each one's decodings."""
    anchors: dict[str, dict[str, MetricValue]]
    """Texts scored as if generated: `references`, `unrelated` (a floor), `same_title` (a ceiling)."""
    seconds: dict[str, float]
    """Likelihood pass, generation, metrics."""
    run: RunRecord


# --- results/<study>/comparisons.json


class Condition(NamedTuple):
    """What methods are compared under. Each is judged, audited and drawn on its own."""

    base_model: str
    dataset: str
    train_size: int | None = None
    epochs: float | None = None


class Placed(Record):
    """Something said of one condition."""

    base_model: str
    dataset: str
    train_size: int | None = None
    """Training documents."""
    epochs: float | None = None

    @property
    def condition(self) -> Condition:
        """The condition that it belongs to."""
        return Condition(self.base_model, self.dataset, self.train_size, self.epochs)


class Cell(Placed):
    """One run of a study and where its records are. An untouched base stands in each of its conditions."""

    method: str
    learning_rate: float | None
    seed: int
    tuned: bool
    """Whether the learning rate was chosen on validation data among as many as every other method had."""
    phase: Literal["anchor", "tune", "confirm"]
    budget: float = 1.0
    """Share of the condition's epochs that it trained: below 1 for the short runs of successive halving."""
    run_id: str
    eval_digest: str | None
    """None for a tuning run: it is never evaluated on the test part."""
    status: Literal["finished", "diverged", "failed"]
    error: str | None = None


class Estimate(Placed):
    """A method's value of a metric over its seeds, with an interval."""

    method: str
    metric: str
    value: float | None
    low: float | None
    high: float | None
    """The 95 % interval."""
    seeds: int
    documents: int
    scope: str
    """What the interval speaks about, e.g. `documents only, one seed`."""
    unit: str | None = None
    """The metric's unit, as in its MetricValue."""


class Comparison(Placed):
    """Two methods on one metric. `difference` is method minus baseline, in the metric's unit."""

    method: str
    baseline: str
    metric: str
    direction: Literal["lower", "higher", "neither"]
    difference: float | None
    low: float | None
    high: float | None
    """The 95 % interval of the difference."""
    p: float | None
    p_holm: float | None
    """Holm-corrected over the study's methods x metrics."""
    margin: float | None
    """Differences smaller than this are of no account, in the metric's unit."""
    verdict: Literal["better", "worse", "equivalent", "undecided", "refused"]
    scope: str
    """What the interval speaks about: these checkpoints (one seed), or the methods (several)."""
    seeds: int
    documents: int
    smallest_detectable: float | None = None
    """The smallest difference that this study would have called with 80 % power."""
    needed: str | None = None
    """How many documents or seeds would decide, when undecided."""
    reason: str | None = None
    """Why it was refused, or what the reader should know."""
    unit: str | None = None
    """The metric's unit, as in its MetricValue."""


class Finding(Record):
    """One line of the audit."""

    check: str
    status: Literal["ok", "flagged", "refused"]
    text: str
    base_model: str | None = None
    dataset: str | None = None
    train_size: int | None = None
    epochs: float | None = None
    methods: tuple[str, ...] = ()
    """Methods that it concerns; empty for all."""


class Optimum(Placed):
    """The learning rate at which a method's validation result would be lowest, from its tuning runs."""

    method: str
    learning_rate: float | None
    """Geometric mean over the tuning seeds; None where no seed's optimum lies between the rates tried."""
    low: float | None
    high: float | None
    """The 95 % interval over seeds; None with fewer than two. Validation documents are taken as they are."""
    seeds: int
    """Tuning seeds whose optimum lies between the rates tried."""
    outside: int
    """Tuning seeds whose best rate is the first or last one, or beside one that diverged."""
    ratio: float | None = None
    """The optimum over that of the study's baseline, paired by seed."""
    ratio_low: float | None = None
    ratio_high: float | None = None


class Claim(Placed):
    """A published finding, and what a study says of it."""

    name: str
    text: str
    source: str
    verdict: Literal["reproduced", "contradicted", "undecided"]
    evidence: str
    """The numbers that it was judged by, or what is missing to judge it."""


class Conclusions(Record):
    """`results/<study>/comparisons.json`: what a study concludes."""

    version: int = FORMAT_VERSION
    study: str
    question: str | None
    baseline: str
    headline: tuple[str, ...]
    """Metrics that get a verdict, in the order of the tables."""
    cells: tuple[Cell, ...]
    estimates: tuple[Estimate, ...]
    comparisons: tuple[Comparison, ...]
    audit: tuple[Finding, ...] = ()
    optima: tuple[Optimum, ...] = ()
    """Of every method that searched, where a learning rate was searched for."""
    claims: tuple[Claim, ...] = ()
    """Published findings, where the study asks for them to be judged."""
    data: dict[str, Any] = Field(default_factory=dict)
    """Data set name -> its data report: sizes, refusals, duplicates, leak, fingerprints."""

    @property
    def conditions(self) -> list[Condition]:
        """The conditions of its cells, in the study's order."""
        return list(dict.fromkeys(cell.condition for cell in self.cells))


R = TypeVar("R", bound=Record)


def write_lines(path: Path, records: Iterable[Record]) -> None:
    """Write records as JSON lines, whole or not at all."""
    rows = (json.dumps(r.model_dump(mode="json"), ensure_ascii=False, allow_nan=False) for r in records)
    write_text(path, "".join(f"{row}\n" for row in rows))


def read_lines(path: Path, kind: type[R]) -> list[R]:
    """Read JSON lines; a damaged line is a UserError that names file and line."""
    return list(_lines(path, kind))


def _lines(path: Path, kind: type[R]) -> Iterator[R]:
    try:
        with path.open(encoding="utf-8") as stream:
            for number, line in enumerate(stream, start=1):
                try:
                    yield kind.model_validate_json(line)
                except ValidationError as error:
                    problem = f"{error.errors()[0]['msg']}; the file is damaged"
                    raise UserError(f"{path}, line {number}: {problem}") from error
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
