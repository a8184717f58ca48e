"""What a cell will cost: time and memory, from finished runs of its base and method on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import NamedTuple, TypeVar

from eval.metrics import held_out
from experiments.design.conditions import CellSpec, ConditionSpec
from experiments.design.study_state import CellState, StudyState
from toolkit import runtime
from toolkit.errors import UserError
from toolkit.records import EvaluationRecord, RunRecord
from toolkit.records.folders import Root, RunFolder
from toolkit.specs import EvalSpec, TrainSpec

LATEST = 5
"""An estimate uses at most this many of the latest finished runs that were evaluated, and of the others."""
PROBE = 32
"""Training documents of a probe."""
HELD_OUT = 4
"""Validation and test documents of a probe."""


class Cost(NamedTuple):
    """An estimate. Unknown is None."""

    seconds: float | None = None
    memory_bytes: int | None = None
    """Peak of the process, or what CUDA allocated if that was measured."""
    runs: int = 0
    """Finished runs that it is computed from."""


class Costs:
    """Estimates for the cells of a study, from the runs that its root holds now."""

    def __init__(self, study_state: StudyState) -> None:
        self._study_state = study_state
        self._on_gpu = bool(runtime.gpus())
        self._known: dict[tuple[str, str, str], list[tuple[RunRecord, EvaluationRecord | None]]] = {}

    def __call__(self, cell: CellSpec, state: CellState = CellState.TO_TRAIN) -> Cost:
        """Median over finished runs of the cell's base and method here, scaled to its tokens and documents.

        Time is loading, training, validation, saving and, except for a tuning run, loading again and
        evaluation; it is known only from runs on the same data set, and with an evaluation if the cell has
        one. For a cell whose ``state`` is *to evaluate* or *to measure* it is what is left. Memory is the
        largest that training took in a run with batches of the same size.
        """
        key = cell.model.name, cell.dataset.name, cell.method
        if key not in self._known:
            self._known[key] = list(_finished(self._study_state.root, cell, self._on_gpu))
        seconds, memory = [], []
        for record, evaluation in self._known[key]:
            known = _seconds(cell, state, self._study_state.study.evaluate, record, evaluation)
            if known is not None:
                seconds.append(known)
            spent = record.costs.cuda_allocated_bytes or record.costs.peak_memory_bytes
            if (
                not state.trained
                and spent is not None
                and _batch(record.spec.train) == _batch(cell.run.train)
            ):
                memory.append(spent)
        return Cost(median(seconds) if seconds else None, max(memory, default=None), len(seconds))


def probe_of(study_state: StudyState, cell: CellSpec) -> CellSpec:
    """The cell on a few documents: an ordinary short run, from which costs are then estimated."""
    if cell.run.is_base or not cell.run.method.trained_here:
        return cell
    sizes = {"train": PROBE, "validation": HELD_OUT, "test": HELD_OUT}
    data = cell.data.model_copy(
        update={"further_test": 0}
        | {split: min(size, getattr(cell.data, split)) for split, size in sizes.items()}
    )
    train = cell.run.train.model_copy(update={"epochs": 1.0, "validations": 1})
    specs = ConditionSpec(cell.model, cell.dataset, data, train)
    prints = study_state.prepared(cell.dataset, data).fingerprints
    fingerprints = {split: prints[split] for split in ("train", "validation")}
    run = cell.run.model_copy(update={"data": data, "train": train, "fingerprints": fingerprints})
    return CellSpec(specs, cell.method, "confirm", False, run)


def _finished(
    root: Root, cell: CellSpec, on_gpu: bool
) -> Iterator[tuple[RunRecord, EvaluationRecord | None]]:
    """The latest finished runs with the cell's base model and method, made on a machine like this one.

    Each comes with an evaluation in which the model was run, or None. Records that can't be read, such as
    those of another version, tell nothing about costs and are left out.
    """
    wanted, here = cell.run, runtime.machine()
    paths = root.runs.glob(f"{wanted.model.name}.{wanted.method.name}.s*/run.json")
    latest = sorted(paths, key=lambda path: path.stat().st_mtime, reverse=True)
    left = {True: LATEST, False: LATEST}
    for path in latest:
        if not any(left.values()):
            return
        record = _readable(RunRecord, path)
        if record is None:
            continue
        same = record.spec.model == wanted.model and record.spec.method == wanted.method
        about = record.spec.dataset
        same &= about is None or about.name == cell.dataset.name
        near = all(record.environment.get(fact) == here[fact] for fact in ("processor", "cores"))
        near &= bool(record.environment.get("cuda")) == on_gpu
        if same and near and record.status == "finished":
            evaluation = _evaluation(root.run(path.parent.name))
            evaluated = evaluation is not None
            if left[evaluated]:
                left[evaluated] -= 1
                yield record, evaluation


def _evaluation(folder: RunFolder) -> EvaluationRecord | None:
    """An evaluation of a run in which the model was run; None if there is none."""
    for path in folder.evaluations():
        evaluation = _readable(EvaluationRecord, path)
        if evaluation is not None and {"likelihood", "generation"} <= evaluation.seconds.keys():
            return evaluation
    return None


R = TypeVar("R", RunRecord, EvaluationRecord)


def _readable(kind: type[R], path: Path) -> R | None:
    """A record; None if it can't be read."""
    try:
        return kind.read(path)
    except UserError:
        return None


def _seconds(
    cell: CellSpec, state: CellState, spec: EvalSpec, record: RunRecord, evaluation: EvaluationRecord | None
) -> float | None:
    """Seconds that the cell would take at the pace of a finished run; None if that is unknown."""
    loading = record.costs.load_seconds
    if loading is None and not state.trained:
        return None
    loading = loading or 0.0  # of what was trained elsewhere it is unknown, and short beside an evaluation
    trained = 0.0
    if not state.trained:
        pace = loading if cell.run.learning_rate is None else _training_seconds(cell, record)
        if pace is None or cell.phase == "tune":
            return pace
        trained = pace
    if evaluation is None:
        return None
    documents = cell.data.test + cell.data.further_test
    measured = evaluation.seconds.get("metrics", 0.0) / _scored(evaluation) * documents
    if state == CellState.TO_MEASURE:
        return measured
    return trained + loading + measured + _inference_seconds(evaluation, spec, documents)


def _training_seconds(cell: CellSpec, record: RunRecord) -> float | None:
    """Loading, training, validation and saving."""
    spent, seen, old = record.costs, record.data, record.spec
    if seen is None or old.dataset is None or old.dataset.name != cell.dataset.name or old.data is None:
        return None
    if not (spent.supervised_tokens_per_second and spent.validate_seconds is not None):
        return None
    tokens = seen.tokens / seen.documents * cell.data.train * cell.run.train.epochs
    a_document = spent.validate_seconds / ((old.train.validations + 1) * old.data.validation)
    validated = (cell.run.train.validations + 1) * cell.data.validation
    fixed = (spent.load_seconds or 0.0) + (spent.save_seconds or 0.0)
    return fixed + tokens / spent.supervised_tokens_per_second + a_document * validated


def _inference_seconds(old: EvaluationRecord, spec: EvalSpec, documents: int) -> float:
    """At the pace of an old evaluation: likelihoods per document, generation per new token at most."""
    scored = _scored(old)
    ratio = _new_tokens(spec, documents) / _new_tokens(old.spec, scored)
    return old.seconds["likelihood"] / scored * documents + old.seconds["generation"] * ratio


def _scored(evaluation: EvaluationRecord) -> int:
    """Held-out documents of an evaluation."""
    return max((value.documents for value in held_out(evaluation.metrics).values()), default=1) or 1


def _new_tokens(spec: EvalSpec, documents: int) -> int:
    """Tokens that the generations may take at most."""
    texts = min(spec.generations or documents, documents) * len(spec.prompts) * len(spec.decodings)
    return max(1, texts * spec.max_new_tokens)


def _batch(train: TrainSpec) -> tuple[object, ...]:
    return train.batch_tokens, train.precision, train.packing
