"""A study on a root folder: its data prepared, its records read, its cells and the state of each."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Self

from eval.harness import contexts_of, evaluation_digest, is_current
from experiments.design.conditions import CellSpec, ConditionSpec, Design, sizes_of
from experiments.design.grid import cells as design_cells
from experiments.design.study import StudySpec
from toolkit.data.conversations.template import check_template
from toolkit.data.duplicates import foreign
from toolkit.data.prepare import Prepared, prepare
from toolkit.errors import UserError
from toolkit.events import Listener, ignore
from toolkit.models import locate
from toolkit.models.load import load_tokenizer
from toolkit.models.without_training import elsewhere
from toolkit.records import Failure, RunRecord, hashes
from toolkit.records.data import DataReport, ForeignTraining
from toolkit.records.folders import Root, cache_folder
from toolkit.specs import Conversation, DatasetSpec, DataSpec


class CellState(StrEnum):
    """How far a cell is."""

    TO_TRAIN = "to do"
    TO_EVALUATE = "to evaluate"
    """Trained, and not yet evaluated with the study's settings."""
    TO_MEASURE = "to measure"
    """Evaluated, but not with every metric that exists now: arithmetic is left."""
    DONE = "done"
    FAILED = "failed"
    AFTER_TRAINING = "after training"
    """Waits for the run that it converts."""
    AFTER_TUNING = "after tuning"
    """Not decided yet: its learning rate is being searched for."""
    LIKELY_DONE = "likely done"
    """The same, and done at the rate that the search so far chooses."""

    @property
    def trained(self) -> bool:
        """Whether no training is left, but something else."""
        return self in (CellState.TO_EVALUATE, CellState.TO_MEASURE)


class RunRecords:
    """The records of finished runs under a root, each read once."""

    def __init__(self, root: Root) -> None:
        self._root = root
        self._read: dict[str, RunRecord] = {}

    def get(self, run_id: str, /) -> RunRecord | None:
        """The record of a run; None if it has not finished."""
        if run_id not in self._read:
            path = self._root.run(run_id).record
            if not path.is_file():
                return None
            self._read[run_id] = RunRecord.read(path)
        return self._read[run_id]


def data_cache(root: Path) -> Path:
    """Where a command that trains nothing keeps prepared data: under a root in use, else in the user's cache.

    Planning leaves no `runs/` in a folder where nothing ran.
    """
    return Root(root).data if Root(root).runs.is_dir() else cache_folder() / "data"


class StudyState:
    """A study on a root folder. Call `prepare` before anything that needs its cells."""

    def __init__(self, study: StudySpec, root: Path, *, data: Path | None = None) -> None:
        """``data``: where prepared data is kept; under the root unless given."""
        self.study, self.root = study, Root(root)
        self._data = data or self.root.data
        self._records = RunRecords(self.root)
        self._digests: dict[tuple[str, str], str] = {}
        self._prepared: dict[tuple[str, str], Prepared] = {}
        self._design: Design | None = None

    def prepare(self, listener: Listener = ignore) -> Self:
        """Read, clean and split the study's data, and pin its base models: a cell's identity needs both.

        Raises UserError if the data or a base model is missing.
        """
        fingerprints = {
            (dataset.name, size): self.prepared(dataset, sizes_of(self.study, size), listener).fingerprints
            for dataset in self.study.dataset
            for size in self.study.data.train
        }
        bases = tuple(locate.pinned(model) for model in self.study.base_models)
        methods = {
            name: entry.model_copy(update={"method": elsewhere.pinned(entry.method)})
            for name, entry in self.study.methods.items()
        }
        study = self.study.model_copy(update={"methods": methods})
        self._design = Design(study, bases, fingerprints)
        return self

    @property
    def design(self) -> Design:
        """The study with base models by content and the data's fingerprints."""
        if self._design is None:
            raise RuntimeError("StudyState.prepare() was not called")
        return self._design

    def prepared(
        self, dataset: DatasetSpec, data: DataSpec | None = None, listener: Listener = ignore
    ) -> Prepared:
        """The data set's splits, read once; with the largest training split unless sizes are given."""
        sizes = data or sizes_of(self.study, max(self.study.data.train))
        key = dataset.name, sizes.digest
        if key not in self._prepared:
            self._prepared[key] = prepare(dataset, sizes, self._data, listener)
        return self._prepared[key]

    def training_data(self, dataset: DatasetSpec, listener: Listener = ignore) -> dict[str, ForeignTraining]:
        """Method from elsewhere -> what it was trained on, compared with the data set's test split.

        Only methods whose `trained_on` is given. Raises UserError if nothing can be read there.
        """
        given = {name: self.study.methods[name].method.trained_on for name in self.study.elsewhere}
        return {
            name: foreign.compare(
                f"method {name}: trained_on",
                Path(path),
                dataset,
                self.prepared(dataset, listener=listener).test,
                self.study.data.near_duplicate,
                self._data,
                listener,
            )
            for name, path in given.items()
            if path is not None
        }

    def data_report(self, dataset: DatasetSpec, listener: Listener = ignore) -> DataReport:
        """The data report, with what methods from elsewhere were trained on."""
        report = self.prepared(dataset, listener=listener).report
        return report.model_copy(update={"trained_on": self.training_data(dataset, listener)})

    def check_templates(self) -> None:
        """Raise UserError if a conversation cannot be rendered with a base's tokenizer as the study wants."""
        for dataset in self.study.dataset:
            form = dataset.format
            if not isinstance(form, Conversation):
                continue
            splits = self.prepared(dataset)
            for model in self.study.base_models:
                tokenizer = load_tokenizer(model)
                try:
                    for texts in (splits.train, splits.validation, splits.test):
                        check_template(form, tokenizer, texts)
                except UserError as error:
                    raise UserError(f"{model.name} on {dataset.name}: {error}") from error

    @property
    def conditions(self) -> list[ConditionSpec]:
        """The conditions, in the study's order."""
        return self.design.conditions

    def cells(self, lost: Collection[str] = ()) -> list[CellSpec]:
        """The cells that the records decide so far. ``lost`` are ids of runs that failed."""
        return design_cells.cells_of(self.design, self._records, lost)

    def more_to_come(self, cells: Sequence[CellSpec], lost: Collection[str] = ()) -> int:
        """The number of cells that will at least follow ``cells`` once these have run."""
        return design_cells.more_to_come(self.design, cells, self._records, lost)

    def undecided_cells(self, cells: Sequence[CellSpec], lost: Collection[str] = ()) -> list[CellSpec]:
        """The confirming runs whose rate is still being searched for."""
        return design_cells.undecided_cells(self.design, cells, self._records, lost)

    def waiting_conversions(self, cells: Sequence[CellSpec], lost: Collection[str] = ()) -> list[CellSpec]:
        """The conversions that none of ``cells`` is yet, since the runs that they convert are missing."""
        return design_cells.waiting_conversions(self.design, cells, self._records, lost)

    def failed(self) -> set[str]:
        """Ids of the runs that failed and are left alone: of the cells that the search asks for without them.

        Repeated until none is added: what follows from a failed run may have failed too.
        """
        lost: set[str] = set()
        known: set[str] = set()
        while new := [cell for cell in self.cells(lost) if cell.key not in known]:
            known |= {cell.key for cell in new}
            lost |= {cell.run.run_id for cell in new if self.state(cell) == CellState.FAILED}
        return lost

    def record(self, cell: CellSpec) -> RunRecord | None:
        """The run's record; None if it has not finished."""
        return self._records.get(cell.run.run_id)

    def evaluation_of(self, cell: CellSpec) -> str:
        """The digest of the evaluation that the study asks for."""
        key = cell.dataset.name, self.prepared(cell.dataset, cell.data).fingerprints["test"]
        if key not in self._digests:  # it reads files of general texts
            self._digests[key] = evaluation_digest(self.study.evaluate, key[1], cell.dataset.format)
        return self._digests[key]

    def evaluated_with(self, cell: CellSpec) -> DataSpec:
        """The sizes of the splits that a cell is evaluated with.

        What was trained elsewhere is one run under all training sizes: as for the untouched base, what it
        copies is looked for in the largest training split.
        """
        source = self.study.converted.get(cell.method, cell.method)
        elsewhere = source in self.study.elsewhere
        return sizes_of(self.study, max(self.study.data.train)) if elsewhere else cell.data

    def state(self, cell: CellSpec) -> CellState:
        """How far a cell is, from what is on disk."""
        folder = self.root.run(cell.run.run_id)
        record = self.record(cell)
        left = CellState.TO_TRAIN
        if record is not None:
            if cell.phase == "tune" or record.status == "diverged":
                return CellState.DONE
            digest = self.evaluation_of(cell)
            contexts = contexts_of(self.study.evaluate, cell.dataset.format)
            splits = self.prepared(cell.dataset, self.evaluated_with(cell))
            if is_current(folder, digest, contexts, splits.clusters, splits.fingerprints["train"]):
                return CellState.DONE
            outcomes = folder.outcomes(digest)
            evaluated_before = outcomes.is_file() and not hashes.changed(outcomes)
            left = CellState.TO_MEASURE if evaluated_before else CellState.TO_EVALUATE
        return CellState.FAILED if self.failure(cell) else left

    def failure(self, cell: CellSpec) -> Failure | None:
        """Why an unfinished cell failed when it was last tried; None if it was not tried or is another's."""
        folder = self.root.run(cell.run.run_id)
        if not folder.failure.is_file():
            return None
        failure = Failure.read(folder.failure)
        if folder.record.is_file():  # then it was the evaluation that failed
            same = failure.evaluation in (None, self.evaluation_of(cell))
            return failure if same and failure.evaluate == self.study.evaluate else None
        return failure
