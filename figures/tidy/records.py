"""A study's records, read and known to be comparable, with what several rows share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from figures.looks import Look, assign
from figures.wording.names import metric_label
from figures.wording.pairs import shown_name
from toolkit.records import (
    Cell,
    Conclusions,
    Condition,
    EvaluationKey,
    EvaluationRecord,
    RunRecord,
    StudyRecords,
)

SHOWN = ["label", "untuned", *Look._fields]
"""Columns that say how a method is shown: its name, whether its rate was not searched for, its look."""
RUN = ["method", "seed", "learning_rate", "tuned", "phase", "budget", "run_id"]
"""Fields of a cell that every row of its run has."""


@dataclass(frozen=True, kw_only=True)
class Records:
    """All that a study left, read and found comparable."""

    conclusions: Conclusions
    source: StudyRecords
    tests: dict[Condition, str]

    @property
    def evaluations(self) -> dict[EvaluationKey, EvaluationRecord]:
        """(run id, digest) -> evaluation."""
        return self.source.evaluations

    @property
    def runs(self) -> dict[str, RunRecord]:
        """Run id -> its record."""
        return self.source.runs

    @property
    def evaluated(self) -> tuple[Cell, ...]:
        """Cells with an evaluation; a run that stands in two phases of a condition counts once."""
        return self.source.evaluated

    def about(self, cell: Cell) -> dict[str, Any]:
        """The columns that every row of a run shares."""
        run = self.runs.get(cell.run_id)
        return {
            **cell.model_dump(include={*RUN, *Condition._fields}),
            **self.shown(cell.condition, cell.method),
            "test": self.tests.get(cell.condition),
            "device": None if run is None else device(run),
        }

    def shown(self, condition: Condition, method: str) -> dict[str, Any]:
        """Return the columns that say how a method is shown: `SHOWN`."""
        return {
            "label": shown_name(self.conclusions, method),
            "untuned": (condition, method) in self._untuned,
            **self.looks[method]._asdict(),
        }

    @cached_property
    def looks(self) -> dict[str, Look]:
        """Method -> its look, the same in every figure of the study."""
        names = [cell.method for cell in self.conclusions.cells]
        names += [estimate.method for estimate in self.conclusions.estimates]
        return assign(list(dict.fromkeys(names)), self.conclusions.looks)

    @cached_property
    def _untuned(self) -> set[tuple[Condition, str]]:
        # An anchor has no learning rate that could have been searched for: neither tuned nor untuned.
        return {(c.condition, c.method) for c in self.evaluated if not c.tuned and not c.is_base}

    def metric_label(self, metric: str, label: str | None) -> str:
        """Return a metric's label from its own record, else from any evaluation, else its name in words."""
        values = (record.metrics.get(metric) for record in self.evaluations.values())
        return metric_label(metric, label or next((v.label for v in values if v and v.label), None))

    def direction(self, metric: str) -> str:
        """Which way a metric is better, as its evaluations state it."""
        directions = (
            record.metrics[metric].direction
            for record in self.evaluations.values()
            if metric in record.metrics
        )
        return next(directions, "neither")


def device(run: RunRecord) -> str | None:
    """The hardware a run was measured on, as its record names it."""
    name = run.environment.get("device")
    return None if name is None else str(name)
