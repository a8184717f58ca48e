"""The records that a study's cells point to: each file is read once, when it is first needed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from toolkit.records.base import read_lines
from toolkit.records.evaluation import (
    DocumentStatistics,
    EvaluationKey,
    EvaluationRecord,
    Outcome,
    read_statistics,
)
from toolkit.records.folders import Root
from toolkit.records.run import RunRecord, Step
from toolkit.records.study import Cell


class StudyRecords:
    """A study's cells and the records of their runs under one root folder.

    Everything is read on first use and held as long as this object lives, so that conclusions, figures and
    the report share one reading. Every reading method raises UserError for a missing or damaged file.
    """

    def __init__(self, cells: Sequence[Cell], root: Root) -> None:
        self.cells = tuple(cells)
        self.root = root
        self._outcomes: dict[tuple[str, str], list[Outcome]] = {}
        self._statistics: dict[tuple[str, str], list[DocumentStatistics]] = {}
        self._steps: dict[str, list[Step]] = {}

    @classmethod
    def read(cls, cells: Sequence[Cell], root: Root) -> StudyRecords:
        """Return the records of ``cells`` under ``root``; files are opened when they are first needed."""
        return cls(cells, root)

    @cached_property
    def evaluated(self) -> tuple[Cell, ...]:
        """Cells with an evaluation, in order; a run that stands in two phases of a condition counts once."""
        cells = [cell for cell in self.cells if cell.eval_digest is not None]
        return tuple({(cell.run_id, cell.condition): cell for cell in cells}.values())

    @cached_property
    def evaluations(self) -> dict[EvaluationKey, EvaluationRecord]:
        """(run id, digest) -> evaluation, of every cell that has one.

        Not by run: the untouched base is one run and has an evaluation on each data set.
        """
        keys = dict.fromkeys((cell.run_id, cell.eval_digest) for cell in self.evaluated)
        return {
            (run_id, digest): EvaluationRecord.read(self.root.run(run_id).evaluation(digest))
            for run_id, digest in keys
            if digest is not None
        }

    @cached_property
    def runs(self) -> dict[str, RunRecord]:
        """Run id -> its record, for every cell that has not failed.

        An evaluation embeds the record of its run, so `run.json` is opened only for runs without one.
        """
        embedded = {run_id: evaluation.run for (run_id, _), evaluation in self.evaluations.items()}
        runs: dict[str, RunRecord] = {}
        for cell in self.cells:
            if cell.status != "failed" and cell.run_id not in runs:
                path = self.root.run(cell.run_id).record
                runs[cell.run_id] = embedded.get(cell.run_id) or RunRecord.read(path)
        return runs

    def outcomes(self, cell: Cell) -> list[Outcome]:
        """The cell's outcomes in the order of the test documents, general texts included.

        Empty for a cell without an evaluation.
        """
        if cell.eval_digest is None:
            return []
        key = cell.run_id, cell.eval_digest
        if key not in self._outcomes:
            path = self.root.run(cell.run_id).outcomes(cell.eval_digest)
            self._outcomes[key] = read_lines(path, Outcome)
        return self._outcomes[key]

    def statistics(self, cell: Cell) -> list[DocumentStatistics]:
        """The cell's per-document statistics, in the order of its outcomes; empty without an evaluation."""
        if cell.eval_digest is None:
            return []
        key = cell.run_id, cell.eval_digest
        if key not in self._statistics:
            self._statistics[key] = read_statistics(self.root.run(cell.run_id), cell.eval_digest)
        return self._statistics[key]

    def steps(self, cell: Cell) -> list[Step]:
        """The run's optimizer steps and validations; empty if it has no `steps.jsonl`, as a base model."""
        if cell.run_id not in self._steps:
            path = self.root.run(cell.run_id).steps
            self._steps[cell.run_id] = read_lines(path, Step) if path.is_file() else []
        return self._steps[cell.run_id]
