"""Records to rows: one plain dictionary a fact, for the frames of `figures/tidy/load.py`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from figures.wording.words import anchor_label, method_label
from toolkit.records import (
    Cell,
    Comparison,
    Conclusions,
    Condition,
    Costs,
    DecodingEffect,
    Estimate,
    EvaluationRecord,
    FailedGeneration,
    Generation,
    MetricValue,
    Outcome,
    RunRecord,
    SettingEstimate,
    Step,
    read_lines,
)
from toolkit.records.folders import RunFolder
from toolkit.specs import Decoding

PLACE = [*Condition._fields, "test"]
RUN = [*PLACE, "method", "label", "seed", "learning_rate", "tuned", "phase", "budget", "run_id", "device"]
VALUE = ["metric", "value", "documents", "unit", "direction", "signature"]
STEP = ["step_learning_rate" if name == "learning_rate" else name for name in Step.model_fields]
TEXT = [
    "order",
    "document_id",
    "title",
    "reference",
    *(field for field in Generation.model_fields if field != "statistics"),
]
FAILURES = ["method", "seed", "prompt_mode", "decoding"]

COLUMNS = {
    "scores": [*RUN, *VALUE],
    "anchors": [*PLACE, "anchor", *VALUE],
    "estimates": [
        *PLACE,
        *(f for f in Estimate.model_fields if f not in PLACE),
        "label",
        "direction",
    ],
    "comparisons": [
        *PLACE,
        *(f for f in Comparison.model_fields if f not in PLACE),
        *("label", "baseline_label"),
    ],
    "details": [*RUN, "part", *VALUE],
    "steps": [*RUN, "documents", *STEP],
    "costs": [*RUN, "status", "precision", "validation_bits_per_byte", "train_tokens", *Costs.model_fields],
    "generations": [*RUN, *TEXT],
    "settings": [
        *PLACE,
        *(f for f in SettingEstimate.model_fields if f not in PLACE),
        *("label", "direction", "order"),
    ],
    "effects": [*PLACE, *(f for f in DecodingEffect.model_fields if f not in PLACE)],
    "failures": [*PLACE, *FAILURES, "label", "metric", "failing", "documents", "part", "value"],
    "failing": [*PLACE, *(f for f in FailedGeneration.model_fields if f not in PLACE), "label"],
}
"""Frame -> its columns, in order; a frame without rows has them too."""


@dataclass(frozen=True, kw_only=True)
class Records:
    """All that a study left, read and found comparable."""

    conclusions: Conclusions
    evaluations: dict[str, EvaluationRecord]
    runs: dict[str, RunRecord]
    tests: dict[Condition, str]
    root: Path

    @cached_property
    def evaluated(self) -> list[Cell]:
        """Cells with an evaluation; a run that stands in two phases of a condition counts once."""
        cells = [cell for cell in self.conclusions.cells if cell.eval_digest is not None]
        return list({(cell.run_id, cell.condition): cell for cell in cells}.values())

    def about(self, cell: Cell) -> dict[str, Any]:
        """The columns that every row of a run shares."""
        run = self.runs.get(cell.run_id)
        return {
            **cell.model_dump(include={*RUN}),
            "label": self.label(cell.condition, cell.method),
            "test": self.tests.get(cell.condition),
            "device": None if run is None else device(run),
        }

    def label(self, condition: Condition, method: str) -> str:
        """A method's name; *untuned* stands beside it unless all its evaluated runs were searched for."""
        return method_label(method, tuned=(condition, method) not in self._untuned)

    @cached_property
    def _untuned(self) -> set[tuple[Condition, str]]:
        # An anchor has no learning rate that could have been searched for: neither tuned nor untuned.
        return {(c.condition, c.method) for c in self.evaluated if not c.tuned and c.phase != "anchor"}

    def direction(self, metric: str) -> str:
        """Which way a metric is better, as its evaluations state it."""
        found = (
            record.metrics[metric].direction
            for record in self.evaluations.values()
            if metric in record.metrics
        )
        return next(found, "neither")


def device(run: RunRecord) -> str | None:
    """The hardware a run was measured on, as its record names it."""
    name = run.environment.get("device")
    return None if name is None else str(name)


def rows(frame: str, records: Records) -> Iterator[dict[str, Any]]:
    """The rows of one frame of `COLUMNS`."""
    return _SOURCES[frame](records)


def _value(name: str, metric: MetricValue) -> dict[str, Any]:
    return {"metric": name, **metric.model_dump(exclude={"details"})}


def _scores(records: Records) -> Iterator[dict[str, Any]]:
    for cell in records.evaluated:
        about = records.about(cell)
        for name, metric in records.evaluations[cell.run_id].metrics.items():
            yield {**about, **_value(name, metric)}


def _anchors(records: Records) -> Iterator[dict[str, Any]]:
    # A base stands in every size's condition and knows the largest part; trained runs know their own.
    trained = {cell.condition for cell in records.evaluated if cell.phase != "anchor"}
    for cell in records.evaluated:
        if cell.phase == "anchor" and cell.condition in trained:
            continue
        about = records.about(cell)
        for anchor, metrics in records.evaluations[cell.run_id].anchors.items():
            for name, metric in metrics.items():
                yield {**about, "anchor": anchor, **_value(name, metric)}


def _details(records: Records) -> Iterator[dict[str, Any]]:
    for cell in records.evaluated:
        about = records.about(cell)
        for name, metric in records.evaluations[cell.run_id].metrics.items():
            shared = {**about, **_value(name, metric)}
            for part, value in metric.details.items():
                yield {**shared, "part": part, "value": value}


def _steps(records: Records) -> Iterator[dict[str, Any]]:
    for cell in records.conclusions.cells:
        path = RunFolder(records.root, cell.run_id).steps
        if cell.run_id in records.runs and path.is_file():
            data = records.runs[cell.run_id].spec.data
            shared = {**records.about(cell), "documents": None if data is None else data.validation}
            for step in read_lines(path, Step):
                line = step.model_dump()
                line["step_learning_rate"] = line.pop("learning_rate")
                yield {**shared, **line}


def _costs(records: Records) -> Iterator[dict[str, Any]]:
    for cell in records.conclusions.cells:
        run = records.runs.get(cell.run_id)
        if run is not None:
            status = run.model_dump(include={"status", "precision", "validation_bits_per_byte"})
            status["train_tokens"] = None if run.data is None else run.data.tokens
            yield {**records.about(cell), **status, **run.costs.model_dump()}


def _generations(records: Records) -> Iterator[dict[str, Any]]:
    first: dict[tuple[Condition, str], Cell] = {}
    for cell in sorted(records.evaluated, key=lambda c: c.seed):
        first.setdefault((cell.condition, cell.method), cell)
    for cell in records.conclusions.cells:
        if cell in first.values():
            path = RunFolder(records.root, cell.run_id).outcomes(str(cell.eval_digest))
            about = records.about(cell)
            for order, outcome in enumerate(read_lines(path, Outcome)):
                document = outcome.model_dump(include={"document_id", "title", "reference"})
                for text in outcome.generations:
                    yield {**about, "order": order, **document, **text.model_dump(exclude={"statistics"})}


def _settings(records: Records) -> Iterator[dict[str, Any]]:
    order = {d.name: place for place, d in enumerate(sorted(_decodings(records), key=_mildness))}
    for estimate in records.conclusions.settings:
        yield {
            **estimate.model_dump(),
            "direction": records.direction(estimate.metric),
            "test": records.tests.get(estimate.condition),
            "label": records.label(estimate.condition, estimate.method),
            "order": order.get(estimate.decoding),
        }


def _decodings(records: Records) -> tuple[Decoding, ...]:
    return next((record.spec.decodings for record in records.evaluations.values()), ())


def _mildness(decoding: Decoding) -> tuple[float, int, int, float]:
    """From what never surprises to what does: beams, greedy, then by temperature."""
    return decoding.temperature, -decoding.num_beams, decoding.top_k, decoding.top_p


def _effects(records: Records) -> Iterator[dict[str, Any]]:
    for effect in records.conclusions.decoding:
        yield {**effect.model_dump(), "test": records.tests.get(effect.condition)}


def _failures(records: Records) -> Iterator[dict[str, Any]]:
    for count in records.conclusions.failures:
        about = count.model_dump(include={*FAILURES, *Condition._fields, "failing"})
        label = (
            anchor_label(count.method)
            if count.decoding is None
            else records.label(count.condition, count.method)
        )
        shared = {"test": records.tests.get(count.condition), "label": label, "documents": count.generations}
        for name, value in count.classes.items():
            yield {**about, **shared, "metric": "failures", "part": name, "value": value}


def _failing(records: Records) -> Iterator[dict[str, Any]]:
    path = records.root / "results" / records.conclusions.study / "failures.jsonl"
    for failure in read_lines(path, FailedGeneration) if path.is_file() else ():
        label = records.label(failure.condition, failure.method)
        yield {**failure.model_dump(), "test": records.tests.get(failure.condition), "label": label}


def _estimates(records: Records) -> Iterator[dict[str, Any]]:
    for estimate in records.conclusions.estimates:
        yield {
            **estimate.model_dump(),
            "direction": records.direction(estimate.metric),
            "test": records.tests.get(estimate.condition),
            "label": records.label(estimate.condition, estimate.method),
        }


def _comparisons(records: Records) -> Iterator[dict[str, Any]]:
    for pair in records.conclusions.comparisons:
        yield {
            **pair.model_dump(),
            "test": records.tests.get(pair.condition),
            "label": records.label(pair.condition, pair.method),
            "baseline_label": records.label(pair.condition, pair.baseline),
        }


_SOURCES = {
    "scores": _scores,
    "anchors": _anchors,
    "estimates": _estimates,
    "comparisons": _comparisons,
    "details": _details,
    "steps": _steps,
    "costs": _costs,
    "generations": _generations,
    "settings": _settings,
    "effects": _effects,
    "failures": _failures,
    "failing": _failing,
}
