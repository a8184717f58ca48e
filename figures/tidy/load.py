"""A study's records as tidy tables, one fact per row, refused if they may not be compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from figures.tidy.checks import refuse_mixed
from figures.tidy.frames import FRAMES
from figures.tidy.records import Records
from toolkit.errors import UserError
from toolkit.records import (
    Cell,
    Comparison,
    Conclusions,
    Condition,
    Estimate,
    EvaluationKey,
    EvaluationRecord,
    RunRecord,
    StudyRecords,
)
from toolkit.records.folders import ResultsFolder, Root

R = TypeVar("R", Estimate, Comparison)


@dataclass(frozen=True, kw_only=True)
class StudyTables:
    """What a study left, as frames. Every frame has the columns of a `Condition`, and `test`."""

    conclusions: Conclusions
    study: str
    """The resolved `study.yaml`, as text."""
    scores: pd.DataFrame
    """One row per run and metric."""
    anchors: pd.DataFrame
    """One row per anchor, the texts that no model wrote, and metric."""
    estimates: pd.DataFrame
    """One row per method and metric: its value over the seeds, with an interval."""
    comparisons: pd.DataFrame
    """One row per pair of methods and metric."""
    details: pd.DataFrame
    """One row per run, metric and part: by section, by check, …"""
    steps: pd.DataFrame
    """One row per optimizer step or validation."""
    costs: pd.DataFrame
    """One row per run, the search for a learning rate included."""
    generations: pd.DataFrame
    """One row per text, of each method's lowest seed."""
    settings: pd.DataFrame
    """One row per method, metric, prompt mode and decoding, if there is more than one of these."""
    effects: pd.DataFrame
    """One row per metric and prompt mode: how much is decoding, how much is method."""
    failures: pd.DataFrame
    """One row per run, prompt mode, decoding and class of failure."""
    failing: pd.DataFrame
    """One row per text that fails."""
    runs: dict[str, RunRecord]
    """By run id."""
    evaluations: dict[EvaluationKey, EvaluationRecord]
    """By run id and digest."""

    @property
    def metric_labels(self) -> dict[str, str]:
        """Metric -> its name in tables and figures."""
        return dict(zip(self.scores["metric"], self.scores["metric_label"], strict=True))

    @property
    def panels(self) -> list[Condition]:
        """The conditions, in the study's order: what may stand in one figure."""
        return self.conclusions.conditions

    def panel(self, condition: Condition) -> StudyTables:
        """The same tables with only the rows of one condition."""
        cut: dict[str, Any] = {}
        for name in FRAMES:
            frame = getattr(self, name)
            keep = pd.Series(True, index=frame.index)
            for column, value in condition._asdict().items():
                keep &= frame[column].isna() if value is None else frame[column] == value
            cut[name] = frame[keep].reset_index(drop=True)
        return replace(self, **cut)


def load(study_folder: Path, root: Path, study_records: StudyRecords | None = None) -> StudyTables:
    """Read `results/<study>/` and the runs under ``root`` that it names.

    ``study_records`` are those that the conclusions were drawn from; None reads them from ``root``.
    Raises UserError where a record is missing or damaged, where two runs of one condition were scored on
    different test parts, and where one metric was computed in two ways.
    """
    folder = ResultsFolder(study_folder)
    if not folder.conclusions.is_file():
        raise UserError(
            f"{study_folder} holds no {folder.conclusions.name}. Run `bakeoff run {study_folder.name}` first"
        )
    conclusions = Conclusions.read(folder.conclusions)
    records = _read(conclusions, study_records or StudyRecords.read(conclusions.cells, Root(root)))
    frames = {
        name: pd.DataFrame(frame.rows(records), columns=frame.columns) for name, frame in FRAMES.items()
    }
    frames["anchors"] = frames["anchors"].drop_duplicates(ignore_index=True)  # every run holds the same ones
    return StudyTables(
        conclusions=records.conclusions,
        study=folder.study.read_text(encoding="utf-8") if folder.study.is_file() else "",
        runs=records.runs,
        evaluations=records.evaluations,
        **frames,
    )


def _read(conclusions: Conclusions, source: StudyRecords) -> Records:
    evaluations = source.evaluations
    evaluated = [cell for cell in conclusions.cells if cell.eval_digest is not None]
    units = {name: value.unit for record in evaluations.values() for name, value in record.metrics.items()}

    def of_cell(cell: Cell) -> EvaluationRecord:
        return evaluations[cell.run_id, cell.eval_digest]

    tests = _one_value("test part", evaluated, lambda cell: {"": of_cell(cell).test})
    _one_value("signature", evaluated, lambda cell: _signatures(of_cell(cell)))
    return Records(
        conclusions=conclusions.model_copy(
            update={
                "estimates": tuple(_with_unit(e, units) for e in conclusions.estimates),
                "comparisons": tuple(_with_unit(c, units) for c in conclusions.comparisons),
            }
        ),
        source=source,
        tests={condition: test for (condition, _), test in tests.items()},
    )


def _with_unit(record: R, units: dict[str, str]) -> R:
    """The estimate or comparison with its metric's unit, where it doesn't name one itself."""
    return record.model_copy(update={"unit": record.unit or units.get(record.metric, "")})


def _signatures(evaluation: EvaluationRecord) -> dict[str, str]:
    return {name: metric.signature for name, metric in evaluation.metrics.items()}


def _one_value(
    what: str, cells: list[Cell], values: Callable[[Cell], dict[str, str]]
) -> dict[tuple[Condition, str], str]:
    """(condition, name) -> the one value that all its cells have, or UserError."""
    methods: dict[tuple[Condition, str], dict[str, str]] = {}
    for cell in cells:
        for name, value in values(cell).items():
            methods.setdefault((cell.condition, name), {}).setdefault(value, cell.method)
    for (condition, name), seen in methods.items():
        where = f"{condition.base_model} on {condition.dataset}"
        refuse_mixed(" of ".join(filter(None, (what, name))), where, seen)
    return {key: next(iter(seen)) for key, seen in methods.items()}
