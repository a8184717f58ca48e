"""What a cell will cost: time and memory, from finished runs of its base and method on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import NamedTuple

from eval.metrics import held_out
from experiments.design.grid import Grid, Planned, Setting
from toolkit import runtime
from toolkit.records import EvaluationRecord, RunRecord
from toolkit.specs import EvalSpec, TrainSpec

LATEST = 5
"""So many of the latest finished runs are looked at."""
PROBE = 32
"""Training documents of a probe."""
HELD_OUT = 4
"""Validation and test documents of a probe."""

TRAINED = ("to evaluate", "to measure")
"""The runner's words for cells that have no training left."""


class Cost(NamedTuple):
    """An estimate. Unknown is None."""

    seconds: float | None = None
    memory_bytes: int | None = None
    """Peak of the process, or what CUDA allocated where that was measured."""
    runs: int = 0
    """Finished runs that it rests on."""


class Costs:
    """Estimates for the cells of a study, from the runs that its root holds now."""

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self._known: dict[tuple[str, str, str], list[tuple[RunRecord, EvaluationRecord | None]]] = {}

    def __call__(self, cell: Planned, status: str = "to do") -> Cost:
        """Median over finished runs of the cell's base and method here, scaled to its tokens and documents.

        Time is loading, training, validation, saving and, but for a tuning run, loading again and evaluation;
        it is known only from runs on the same data set, and with an evaluation where the cell has one. Of a
        cell that is *to evaluate* or *to measure* it is what is left. Memory is that of training, known only
        where a run had batches of the same size, and the largest that such a run took.
        """
        key = cell.model.name, cell.dataset.name, cell.method
        if key not in self._known:
            self._known[key] = list(_finished(self._grid.root, cell))
        seconds, memory = [], []
        for record, evaluation in self._known[key]:
            known = _seconds(cell, status, self._grid.study.evaluate, record, evaluation)
            if known is not None:
                seconds.append(known)
            spent = record.costs.cuda_allocated_bytes or record.costs.peak_memory_bytes
            if (
                status not in TRAINED
                and spent is not None
                and _batch(record.spec.train) == _batch(cell.run.train)
            ):
                memory.append(spent)
        return Cost(median(seconds) if seconds else None, max(memory, default=None), len(seconds))


def probe_of(grid: Grid, cell: Planned) -> Planned:
    """The cell on a few documents: an ordinary short run, which estimates then find like any other."""
    if cell.phase == "anchor":
        return cell
    asked = cell.setting.data
    sizes = {"train": PROBE, "validation": HELD_OUT, "test": HELD_OUT}
    data = asked.model_copy(update={part: min(size, getattr(asked, part)) for part, size in sizes.items()})
    train = cell.run.train.model_copy(update={"epochs": 1.0, "validations": 1})
    setting = Setting(cell.model, cell.dataset, data, train)
    prints = grid.prepared(cell.dataset, data).fingerprints
    recipes = {part: prints[part] for part in ("train", "validation")}
    run = cell.run.model_copy(update={"data": data, "train": train, "recipes": recipes})
    return Planned(setting, cell.method, "confirm", False, run)


def _finished(root: Path, cell: Planned) -> Iterator[tuple[RunRecord, EvaluationRecord | None]]:
    """The latest finished runs with the cell's weights and method, made on a machine like this one.

    With each its latest evaluation that asked the model.
    """
    wanted, here = cell.run, runtime.machine()
    paths = root.glob(f"runs/{wanted.model.name}.{wanted.method.name}.s*/run.json")
    latest = sorted(paths, key=lambda path: path.stat().st_mtime, reverse=True)
    found_ones = 0
    for path in latest:
        if found_ones == LATEST:
            return
        record = RunRecord.read(path)
        same = record.spec.model == wanted.model and record.spec.method == wanted.method
        about = record.spec.dataset
        same &= about is None or about.name == cell.dataset.name
        near = all(record.environment.get(fact) == here[fact] for fact in ("processor", "cores"))
        if same and near and record.status == "finished":
            found_ones += 1
            found = [EvaluationRecord.read(file) for file in sorted(path.parent.glob("eval-*.json"))]
            yield record, next((e for e in found if {"likelihood", "generation"} <= e.seconds.keys()), None)


def _seconds(
    cell: Planned, status: str, asked: EvalSpec, record: RunRecord, evaluation: EvaluationRecord | None
) -> float | None:
    """Seconds that the cell would take at the pace of a finished run; None where that can't be said."""
    loading = record.costs.load_seconds
    if loading is None:
        return None
    trained = 0.0
    if status not in TRAINED:
        pace = loading if cell.phase == "anchor" else _training_seconds(cell, record)
        if pace is None or cell.phase == "tune":
            return pace
        trained = pace
    if evaluation is None:
        return None
    documents = cell.setting.data.test
    measured = evaluation.seconds.get("metrics", 0.0) / _scored(evaluation) * documents
    if status == "to measure":
        return measured
    return trained + loading + measured + _asking_seconds(evaluation, asked, documents)


def _training_seconds(cell: Planned, record: RunRecord) -> float | None:
    """Loading, training, validation and saving."""
    spent, seen, old = record.costs, record.data, record.spec
    if seen is None or old.dataset is None or old.dataset.name != cell.dataset.name or old.data is None:
        return None
    if not (spent.supervised_tokens_per_second and spent.validate_seconds is not None):
        return None
    tokens = seen.tokens / seen.documents * cell.setting.data.train * cell.run.train.epochs
    a_document = spent.validate_seconds / ((old.train.validations + 1) * old.data.validation)
    validated = (cell.run.train.validations + 1) * cell.setting.data.validation
    fixed = (spent.load_seconds or 0.0) + (spent.save_seconds or 0.0)
    return fixed + tokens / spent.supervised_tokens_per_second + a_document * validated


def _asking_seconds(old: EvaluationRecord, asked: EvalSpec, documents: int) -> float:
    """At the pace of an old evaluation: likelihoods by document, generation by new token at most."""
    there = _scored(old)
    written = _new_tokens(asked, documents) / _new_tokens(old.spec, there)
    return old.seconds["likelihood"] / there * documents + old.seconds["generation"] * written


def _scored(evaluation: EvaluationRecord) -> int:
    """Held-out documents of an evaluation."""
    return max((value.documents for value in held_out(evaluation.metrics).values()), default=1) or 1


def _new_tokens(spec: EvalSpec, documents: int) -> int:
    """Tokens that the generations may take at most."""
    texts = min(spec.generations or documents, documents) * len(spec.prompts) * len(spec.decodings)
    return max(1, texts * spec.max_new_tokens)


def _batch(train: TrainSpec) -> tuple[object, ...]:
    return train.batch_tokens, train.precision, train.packing
