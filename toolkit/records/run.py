"""What a training run leaves in `runs/<run_id>/`: its record, its costs, its steps, its failure."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, Literal, TypeVar

from toolkit.records import hashes
from toolkit.records.base import FORMAT_VERSION, Record
from toolkit.records.folders import RunFolder
from toolkit.specs import EvalSpec, RunSpec

T = TypeVar("T")


class DataCounts(Record):
    """The training data of a run, counted."""

    documents: int
    """Documents trained on."""
    left_out_too_long: int
    """Documents of the training split excluded for having more tokens than `max_length`."""
    tokens: int
    """Supervised tokens of one epoch."""
    padding_share: float
    """Share of the positions in its batches that are padding."""
    stream_hash: str
    """Hash of every token id and label of all batches, in order: equal for all methods."""
    end_labels: float
    """Share of the documents whose end marker and end-of-text token are both supervised. 1.0 is right."""
    special_tokens: int | None = None
    """Documents of the training split with a special token of the base written in their text, such as
    `</s>`: it is read as that token. None in records from before 2026-11-28."""


class Costs(Record):
    """What a run cost. None: not measured."""

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
    """Floating-point operations of all training steps: counted on one document, by position and by label."""
    peak_flops_per_second: float | None = None
    """Measured just before training, on a product of two square matrices in the run's precision."""
    cores_of_others: float | None = None
    """Cores that other processes took while steps ran, on average: times beside them can't be compared."""
    processes: int = 1
    interruptions: int = 0
    """How often the run was killed and resumed from a checkpoint. Seconds are those of all its attempts, but
    for steps after the last checkpoint, which were trained again; loading is that of the last attempt."""

    @property
    def peak_share(self) -> float | None:
        """Operations per second while training over those of a matrix product: 1.0 is the machine's limit."""
        if not (self.flops and self.peak_flops_per_second and self.train_seconds):
            return None
        return self.flops / self.train_seconds / self.peak_flops_per_second


class RunRecord(Record):
    """`run.json`: exists if and only if the run finished."""

    version: int = FORMAT_VERSION
    run_id: str
    spec: RunSpec
    status: Literal["finished", "diverged"]
    diverged: str | None = None
    """What showed that it diverged."""
    validation_bits_per_byte: float | None
    """Of the weights that were kept; None for the untouched base."""
    kept_step: int | None = None
    """The step whose weights were kept."""
    data: DataCounts | None
    costs: Costs
    precision: str | None
    """Of computation, trainable weights and validation: `bf16 compute, fp32 weights, fp32 validation`."""
    environment: dict[str, Any]
    """Device, cores, operating system, the versions that matter, and the attention that the model was set to,
    by transformers' name (`causal_blocks`: `train.attention: blocks`); not part of the run's identity."""


def is_same_base(one: RunRecord, other: RunRecord) -> bool:
    """Whether both are the same untouched base. Nothing was trained: only time and machine may differ."""
    revisions = one.environment.get("base_revision"), other.environment.get("base_revision")
    return one.spec.is_base and one.run_id == other.run_id and len({*revisions}) == 1


def seal_run(record: RunRecord, folder: RunFolder) -> None:
    """Write `run.json`, last of all, and record the hashes of it and of all that the training left."""
    weights = sorted(path for path in folder.artifact.rglob("*") if path.is_file())
    hashes.seal(folder.path, [path for path in (folder.spec, folder.steps) if path.is_file()] + weights)
    record.write(folder.record, sealed=True)


OF_WEIGHTS = ("eval-", "statistics-")
"""Starts of the names of a run's evaluations."""


def forget_run(folder: RunFolder) -> None:
    """Remove what was made from former weights, and drop the hashes of what training makes again.

    Call it only on a run without `run.json`: its training is beginning, or goes on.
    """
    for start in OF_WEIGHTS:
        for path in sorted(folder.path.glob(f"{start}*.json*")):  # the record before its outcomes
            path.unlink(missing_ok=True)
    folder.merge.unlink(missing_ok=True)
    folder.imported.unlink(missing_ok=True)
    shutil.rmtree(folder.merged, ignore_errors=True)
    made = folder.record, folder.steps, folder.artifact, folder.merge, folder.merged, folder.imported
    hashes.forget(folder.path, *(path.name for path in made), *OF_WEIGHTS)


def forget_conversions(folder: RunFolder) -> None:
    """Remove the records of runs that convert this one's former weights: they are converted again."""
    for spec in folder.path.parent.glob("*/spec.yaml"):
        words = spec.read_text(encoding="utf-8", errors="replace").split()  # a long line is broken at a space
        if folder.path.name in words:
            (spec.parent / folder.record.name).unlink(missing_ok=True)
            hashes.forget(spec.parent, folder.record.name)


class MergeSide(Record):
    """An adapter on its base, or merged into it."""

    perplexity: float
    """Per token, end-of-text included, in fp32."""
    forward_seconds: float
    """Seconds for one document through the model: the median of five."""
    seconds_per_new_token: float
    """Seconds per token for 32 tokens generated greedily: the median of five."""


class MergeRecord(Record):
    """`merge.json`: the adapter beside itself merged."""

    run_id: str
    documents: int
    """Number of validation documents behind the perplexities."""
    adapter: MergeSide
    merged: MergeSide
    logit_difference: float
    """Largest absolute difference of two logits, over all tokens of one document."""
    environment: dict[str, Any]


class Provenance(Record):
    """`imported.json`, beside records that came from another machine."""

    archive: str
    """File name of the archive."""
    sha256: str
    """Hash of the archive."""
    study: str
    date: str
    """Day of the import, UTC: `2026-11-25`."""


class Failure(Record):
    """`failed.json`: why a run could not be finished or evaluated. Removed once it could."""

    version: int = FORMAT_VERSION
    run_id: str
    error: str
    """One line: what went wrong."""
    evaluate: EvalSpec | None
    """The evaluation that was requested with it; one with other settings has not failed."""
    evaluation: str | None = None
    """That evaluation's digest: one of other test documents has not failed either. None in older records."""
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
    """Nats per token over the validation split. None on a training line."""
    validation_bits_per_byte: float | None = None


def on_one_device(
    runs: Iterable[T], about: Callable[[T], tuple[str, object]], beside: str | None = None
) -> list[T]:
    """Return those runs whose costs can be compared: on the device where most methods ran, then most runs.

    ``about`` returns a run's method and device. ``beside`` is a method that the others are compared with:
    the device is one where it ran, if it ran. Empty if several methods ran, and no two on one device.
    """
    there: defaultdict[str, list[tuple[str, T]]] = defaultdict(list)
    for run in runs:
        method, device = about(run)
        there[str(device)].append((method, run))

    methods = {device: {method for method, _ in of} for device, of in there.items()}

    def preference(device: str) -> tuple[bool, int, int]:
        return beside in methods[device], len(methods[device]), len(there[device])

    most = max(there, key=preference, default=None)
    if most is None or (len(methods[most]) == 1 and len(set[str]().union(*methods.values())) > 1):
        return []
    return [run for _, run in there[most]]
