"""Grids that are played without training: records of finished runs, and losses as functions of the rate."""

from __future__ import annotations

import math
from collections.abc import Callable

from experiments.design.conditions import CellSpec
from experiments.design.study_state import StudyState
from toolkit import runtime
from toolkit.records import Costs, DataCounts, EvaluationRecord, MetricValue, RunRecord

SMALL = ["data={train: 40, validation: 10, test: 10, max_characters: 1000}"]
BOTH = "methods={full: tune, lora-r16: tune}"
Response = Callable[[CellSpec], float]


def finish(study_state: StudyState, cell: CellSpec, score: float, **costs: float) -> None:
    """Write the record of a finished run; of a diverged one where the score is infinite."""
    record = RunRecord(
        run_id=cell.run.run_id,
        spec=cell.run,
        status="finished" if math.isfinite(score) else "diverged",
        validation_bits_per_byte=score if math.isfinite(score) else None,
        data=DataCounts(
            documents=cell.data.train,
            left_out_too_long=0,
            tokens=100 * cell.data.train,
            padding_share=0.0,
            stream_hash="c0ffee",
            end_labels=1.0,
        ),
        costs=Costs(**costs),
        precision="fp32",
        environment=runtime.machine(),
    )
    record.write(study_state.root.run(cell.run.run_id).record)


def evaluate(study_state: StudyState, cell: CellSpec) -> None:
    """Write an evaluation of a finished run on 10 documents: likelihood 5 s, generation 30 s, metrics 1 s."""
    value = MetricValue(value=1.0, documents=10, unit="share", direction="higher", signature="made-up")
    folder = study_state.root.run(cell.run.run_id)
    EvaluationRecord(
        digest="e0",
        spec=study_state.study.evaluate,
        test="t",
        format="recipe",
        metrics={"a": value},
        anchors={},
        seconds={"likelihood": 5, "generation": 30, "metrics": 1},
        run=RunRecord.read(folder.record),
    ).write(folder.evaluation("e0"))


def play(study_state: StudyState, response: Response) -> list[CellSpec]:
    """Finish every cell that the grid asks for until it asks for no more."""
    known: dict[str, CellSpec] = {}
    while new := [cell for cell in study_state.cells() if f"{cell.run.run_id}{cell.phase}" not in known]:
        for cell in new:
            finish(study_state, cell, response(cell))
            known[f"{cell.run.run_id}{cell.phase}"] = cell
    return list(known.values())


def bowl(**best: float) -> Response:
    """0.8 + (decades from the method's best rate)²."""
    return lambda c: (
        0.8 + math.log10((c.run.learning_rate or 1) / best.get(c.method.partition("-")[0], 1)) ** 2
    )


def rates(cells: list[CellSpec], method: str, phase: str) -> list[float]:
    """Rates of a method's cells of one phase, in order of asking."""
    return [c.run.learning_rate for c in cells if (c.method, c.phase) == (method, phase)]
