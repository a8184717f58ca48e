"""Rows of runs and their evaluations: one plain dictionary per fact."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from figures.tidy.records import Records
from figures.wording.names import metric_label
from toolkit.records import Cell, Condition, MetricValue


def _value(name: str, metric: MetricValue) -> dict[str, Any]:
    return {
        "metric": name,
        "metric_label": metric_label(name, metric.label),
        **metric.model_dump(exclude={"details", "label"}),
    }


def scores(records: Records) -> Iterator[dict[str, Any]]:
    """Yield every metric of every evaluated run."""
    for cell in records.evaluated:
        about = records.about(cell)
        for name, metric in records.evaluations[cell.run_id, cell.eval_digest].metrics.items():
            yield {**about, **_value(name, metric)}


def anchors(records: Records) -> Iterator[dict[str, Any]]:
    """Yield the metrics of texts that no method wrote."""
    # A base stands in every size's condition and knows the largest part; trained runs know their own.
    trained = {cell.condition for cell in records.evaluated if not cell.is_base}
    for cell in records.evaluated:
        if cell.is_base and cell.condition in trained:
            continue
        about = records.about(cell)
        for anchor, metrics in records.evaluations[cell.run_id, cell.eval_digest].anchors.items():
            for name, metric in metrics.items():
                yield {**about, "anchor": anchor, **_value(name, metric)}


def details(records: Records) -> Iterator[dict[str, Any]]:
    """Yield what a metric consists of, part by part."""
    for cell in records.evaluated:
        about = records.about(cell)
        for name, metric in records.evaluations[cell.run_id, cell.eval_digest].metrics.items():
            shared = {**about, **_value(name, metric)}
            for part, value in metric.details.items():
                yield {**shared, "part": part, "value": value}


def steps(records: Records) -> Iterator[dict[str, Any]]:
    """Yield optimizer steps and validations."""
    for cell in records.conclusions.cells:
        if cell.run_id in records.runs and (lines := records.source.steps(cell)):
            data = records.runs[cell.run_id].spec.data
            shared = {**records.about(cell), "documents": None if data is None else data.validation}
            for step in lines:
                line = step.model_dump()
                line["step_learning_rate"] = line.pop("learning_rate")
                yield {**shared, **line}


def costs(records: Records) -> Iterator[dict[str, Any]]:
    """Yield what each run cost."""
    for cell in records.conclusions.cells:
        run = records.runs.get(cell.run_id)
        if run is not None:
            status = run.model_dump(include={"status", "precision", "validation_bits_per_byte"})
            status["train_tokens"] = None if run.data is None else run.data.tokens
            yield {**records.about(cell), **status, **run.costs.model_dump()}


def generations(records: Records) -> Iterator[dict[str, Any]]:
    """Yield the texts of each method's lowest seed."""
    first: dict[tuple[Condition, str], Cell] = {}
    for cell in sorted(records.evaluated, key=lambda c: c.seed):
        first.setdefault((cell.condition, cell.method), cell)
    for cell in records.conclusions.cells:
        if cell in first.values():
            about = records.about(cell)
            for order, outcome in enumerate(records.source.outcomes(cell)):
                document = outcome.model_dump(include={"document_id", "title", "reference"})
                for text in outcome.generations:
                    yield {**about, "order": order, **document, **text.model_dump()}
