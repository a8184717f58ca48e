"""The frames of a study: for each, its columns, where its rows come from, and what one row is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pandas as pd

from figures.tidy import conclusion_rows, run_rows
from figures.tidy.records import RUN, SHOWN, Records
from toolkit.records import (
    Comparison,
    Condition,
    Costs,
    DecodingEffect,
    Estimate,
    FailedGeneration,
    Generation,
    Record,
    SettingEstimate,
    Step,
)

PLACE = [*Condition._fields, "test"]
"""Columns of every frame: the condition, and the fingerprint of the test part."""
OF_RUN = [*PLACE, *RUN, *SHOWN, "device"]
VALUE = ["metric", "metric_label", "value", "documents", "unit", "direction", "signature"]
STEP = ["step_learning_rate" if name == "learning_rate" else name for name in Step.model_fields]
TEXT = ["order", "document_id", "title", "reference"]


class Frame(NamedTuple):
    """A frame before its rows are read."""

    columns: list[str]
    """In order; a frame without rows has them too."""
    rows: Callable[[Records], Iterator[dict[str, Any]]]


def _fields(kind: type[Record], *without: str) -> list[str]:
    """Fields of a record as columns; a record's `label` is that of its metric."""
    names = [name for name in kind.model_fields if name not in (*PLACE, *without)]
    return ["metric_label" if name == "label" else name for name in names]


FRAMES = {
    "scores": Frame([*OF_RUN, *VALUE], run_rows.scores),
    "anchors": Frame([*PLACE, "anchor", *VALUE], run_rows.anchors),
    "estimates": Frame([*PLACE, *_fields(Estimate), *SHOWN, "direction"], conclusion_rows.estimates),
    "comparisons": Frame(
        [*PLACE, *_fields(Comparison), *SHOWN, "baseline_label", "baseline_untuned"],
        conclusion_rows.comparisons,
    ),
    "details": Frame([*OF_RUN, "part", *VALUE], run_rows.details),
    "steps": Frame([*OF_RUN, "documents", *STEP], run_rows.steps),
    "costs": Frame(
        [*OF_RUN, "status", "precision", "validation_bits_per_byte", "train_tokens", *Costs.model_fields],
        run_rows.costs,
    ),
    "generations": Frame([*OF_RUN, *TEXT, *_fields(Generation)], run_rows.generations),
    "settings": Frame(
        [*PLACE, *_fields(SettingEstimate), *SHOWN, "direction", "order"], conclusion_rows.settings
    ),
    "effects": Frame([*PLACE, *_fields(DecodingEffect)], conclusion_rows.effects),
    "failures": Frame(
        [*PLACE, *conclusion_rows.FAILURES, *SHOWN, "metric", "failing", "documents", "part", "value"],
        conclusion_rows.failures,
    ),
    "failing": Frame([*PLACE, *_fields(FailedGeneration), *SHOWN], conclusion_rows.failing),
}
"""Frame -> its columns and rows; what one row is, says the field of that name in `StudyTables`."""


def rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a frame as dictionaries."""
    return [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]
