"""Run a study from Python: the same steps as `bakeoff run`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from bakeoff.results import Result, load
from experiments.design import study as studies
from experiments.design.study import StudySpec
from toolkit.errors import UserError
from toolkit.records.folders import Root

__all__ = ["Study", "study"]


@dataclass(frozen=True)
class Study:
    """A study with its overrides applied, not yet run."""

    spec: StudySpec
    """All settings, names resolved."""

    @property
    def name(self) -> str:
        """The study's name, which is its folder's under `results/`."""
        return self.spec.name

    def run(
        self,
        root: str | Path = ".",
        *,
        jobs: int | None = None,
        retry_failed: bool = False,
        quiet: bool = False,
    ) -> Result:
        """Train what is missing, evaluate, compare, write the report, and return the results.

        Finished runs are not repeated, and a stopped run continues from its last checkpoint.

        Parameters
        ----------
        root
            Folder that holds `runs/` and `results/`.
        jobs
            Runs at once on this machine; None: one per GPU, or one.
        retry_failed
            Try runs again that have failed before.
        quiet
            Print nothing; by default a live table on a terminal or in a notebook, lines elsewhere.

        Raises
        ------
        UserError
            For settings that cannot be run. A run that fails does not raise: see `Result.failed`.
        """
        from experiments.running.board import Board
        from experiments.running.executors.local import Local
        from experiments.running.runner import bring_up_to_date
        from figures.report.page import build

        results = Root(Path(root)).results(self.name)
        with Board(Console(quiet=quiet), results.log) as board:
            bring_up_to_date(self.spec, Path(root), board, execute=Local(jobs), retry_failed=retry_failed)
            build(results.path, Path(root))
        return load(results.path, root=root)


def study(name: str, /, **overrides: Any) -> Study:
    """Return a study by its name or its YAML file, with overrides applied.

    ``study("quickstart", seeds=[0, 1], train__epochs=2)`` is `bakeoff run quickstart seeds=[0,1]
    train.epochs=2`: two underscores stand for the dot.

    Raises
    ------
    UserError
        For an unknown study or key, with the nearest match, and for values out of range.
    """
    pairs = [
        f"{key.replace('__', '.')}={json.dumps(value, ensure_ascii=False, default=_plain)}"
        for key, value in overrides.items()
    ]
    return Study(studies.load(str(name), pairs))


def _plain(value: object) -> object:
    """A value that JSON lacks: a path as text, a range or a set as a list, a NumPy number as a number."""
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Iterable):
        return list(value)
    if hasattr(value, "item"):
        return value.item()
    raise UserError(
        f"study: {value!r:.60} is of type {type(value).__name__}: give numbers, texts, lists or dicts"
    )
