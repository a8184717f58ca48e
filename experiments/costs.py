"""What a cell will cost: time and memory, from finished runs of its base and method on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import NamedTuple

from experiments.grid import Grid, Planned, Setting
from toolkit import runtime
from toolkit.records import EvaluationRecord, RunRecord
from toolkit.specs import EvalSpec, TrainSpec

LATEST = 5
"""So many of the latest finished runs are looked at."""
PROBE = 32
"""Training documents of a probe."""
HELD_OUT = 4
"""Validation and test documents of a probe."""


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
        self._known: dict[tuple[str, str], list[tuple[RunRecord, EvaluationRecord | None]]] = {}

    def __call__(self, cell: Planned) -> Cost:
        """Median over finished runs of the cell's base and method here, scaled to its tokens and documents.

        Time is loading, training, validation, saving and, but for a tuning run, loading again and evaluation;
        it is known only from runs on the same data set, and with an evaluation where the cell has one. Memory
        is known only where a run had batches of the same size, and is the largest that such a run took.
        """
        key = cell.model.name, cell.method
        if key not in self._known:
            self._known[key] = list(_finished(self._grid.root, cell))
        seconds, memory = [], []
        for record, evaluation in self._known[key]:
            known = _seconds(cell, self._grid.study.evaluate, record, evaluation)
            if known is not None:
                seconds.append(known)
            spent = record.costs.cuda_allocated_bytes or record.costs.peak_memory_bytes
            if spent is not None and _batch(record.spec.train) == _batch(cell.run.train):
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
    for path in latest[:LATEST]:
        record = RunRecord.read(path)
        same = record.spec.model == wanted.model and record.spec.method == wanted.method
        near = all(record.environment.get(fact) == here[fact] for fact in ("processor", "cores"))
        if same and near and record.status == "finished":
            found = [EvaluationRecord.read(file) for file in sorted(path.parent.glob("eval-*.json"))]
            yield record, next((e for e in found if {"likelihood", "generation"} <= e.seconds.keys()), None)


def _seconds(
    cell: Planned, asked: EvalSpec, record: RunRecord, evaluation: EvaluationRecord | None
) -> float | None:
    """Seconds that the cell would take at the pace of a finished run; None where that can't be said."""
    spent, seen, old = record.costs, record.data, record.spec
    if spent.load_seconds is None:
        return None
    total = spent.load_seconds
    if cell.phase != "anchor":
        if seen is None or old.dataset is None or old.dataset.name != cell.dataset.name or old.data is None:
            return None
        if not (spent.supervised_tokens_per_second and spent.validate_seconds is not None):
            return None
        tokens = seen.tokens / seen.documents * cell.setting.data.train * cell.run.train.epochs
        a_document = spent.validate_seconds / ((old.train.validations + 1) * old.data.validation)
        validated = (cell.run.train.validations + 1) * cell.setting.data.validation
        total += tokens / spent.supervised_tokens_per_second + a_document * validated
        total += spent.save_seconds or 0.0
    if cell.phase == "tune":
        return total
    if evaluation is None:
        return None
    return total + spent.load_seconds + _evaluation_seconds(evaluation, asked, cell.setting.data.test)


def _evaluation_seconds(old: EvaluationRecord, asked: EvalSpec, documents: int) -> float:
    """At the pace of an old evaluation: likelihoods by document, generation by new token at most."""
    there = max((metric.documents for metric in old.metrics.values()), default=1) or 1
    scored = (old.seconds["likelihood"] + old.seconds.get("metrics", 0.0)) / there * documents
    written = _new_tokens(asked, documents) / _new_tokens(old.spec, there)
    return scored + old.seconds["generation"] * written


def _new_tokens(spec: EvalSpec, documents: int) -> int:
    """Tokens that the generations may take at most."""
    texts = min(spec.generations or documents, documents) * len(spec.prompts) * len(spec.decodings)
    return max(1, texts * spec.max_new_tokens)


def _batch(train: TrainSpec) -> tuple[object, ...]:
    return train.batch_tokens, train.precision, train.packing
