"""A study of minutes made one of seconds: the quickstart on a tiny random model and a few real recipes."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from experiments.design import study
from experiments.running.board import Board
from experiments.running.executors.base import Executor
from experiments.running.job import Job
from experiments.running.runner import bring_up_to_date
from experiments.running.worker import work
from toolkit.errors import UserError
from toolkit.events import Ended, Event, Started, ignore
from toolkit.records import Conclusions

ROOT = Path(__file__).parents[2]
SMALL = [
    "dataset=wikibooks",
    "data={train: 12, validation: 4, test: 6, max_characters: 320}",
    "train={batch_tokens: 1024, validations: 1, precision: fp32}",
    "evaluate={max_new_tokens: 12}",
]


def asked(base: Path, name: str, *overrides: str) -> list[str]:
    """Overrides that make the quickstart a study of this name on the model in folder ``base``."""
    return [f"name={name}", f"base_models={{name: tiny, folder: '{base}'}}", *SMALL, *overrides]


def environment() -> dict[str, str]:
    """A user's, with one thread a run so that numbers are equal to the last bit."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "COLUMNS": "200"}


def in_this_process(jobs: Sequence[Job], listener: Callable[[int, Event], None]) -> list[str | None]:
    """Run jobs one after the other without processes, in a tenth of the time: an executor."""
    errors: list[str | None] = []
    for index, job in enumerate(jobs):
        listener(index, Started())
        try:
            work(job, ignore)
            errors.append(None)
        except UserError as error:
            errors.append(str(error))
        listener(index, Ended(error=errors[-1]))
    return errors


def run(
    root: Path, base: Path, name: str, *overrides: str, execute: Executor | None = None
) -> tuple[Conclusions, str]:
    """Bring a study on the tiny model up to date; its conclusions and what was said meanwhile."""
    wanted = study.load("quickstart", asked(base, name, *overrides))
    said = io.StringIO()
    with Board(Console(file=said, width=200)) as board:
        return bring_up_to_date(wanted, root, board, execute=execute).conclusions, said.getvalue()
