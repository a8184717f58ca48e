"""What a worker process is asked to do, and what its process and those it starts have in common."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from toolkit import events
from toolkit.data.prepare import Prepared, prepare
from toolkit.errors import UserError
from toolkit.records import Record
from toolkit.records.folders import Root, RunFolder
from toolkit.specs import DatasetSpec, DataSpec, EvalSpec, RunSpec


class Job(Record):
    """One run: its data, how it is trained and how it is evaluated."""

    root: str
    run: RunSpec
    dataset: DatasetSpec
    data: DataSpec
    evaluate: EvalSpec | None
    """None for a tuning run: the test split is not read."""
    checkpoint_seconds: float = 120
    report_to: tuple[str, ...] = ()
    """Trackers, by transformers' names."""

    @property
    def folder(self) -> RunFolder:
        """`runs/<run_id>/` under the job's root."""
        return RunFolder(Path(self.root), self.run.run_id)


def prepared_for(job: Job, listener: events.Listener) -> Prepared:
    """Prepare the job's documents. Raises UserError if they differ from those in the run's identity."""
    prepared = prepare(job.dataset, job.data, Root(Path(job.root)).data, listener)
    if any(prepared.fingerprints[split] != value for split, value in job.run.fingerprints.items()):
        raise UserError(f"data set {job.dataset.name} has changed since this study began: run it again")
    return prepared


def train_here(job: Job, prepared: Prepared, listener: events.Listener) -> None:
    """Train the job's run in this process, one of several maybe; or take in, or convert, what is trained."""
    if job.run.method.elsewhere:
        from toolkit.models.without_training.elsewhere import take_in

        take_in(job.run, job.folder)
        return
    if job.run.converts:
        from toolkit.models.without_training.conversions import convert

        convert(job.run, job.folder, RunFolder(Path(job.root), job.run.converts))
        return
    with unused_packages_hidden(job):
        from toolkit.training.train import train

        train(
            job.run,
            prepared.train,
            prepared.validation,
            job.dataset.format.end,
            job.folder,
            progress=listener,
            checkpoint_seconds=job.checkpoint_seconds,
            report_to=job.report_to,
        )


UNUSED = ("bitsandbytes", "datasets")
"""Packages that transformers and peft import if they are installed, a third of all imports of a training, and
that only quantised bases and data sets of the Hub need."""

IMPORTED_AHEAD = "experiments.running.executors.ahead"


def might_need_them(job: Job) -> bool:
    """Whether a run might need `UNUSED` packages: a quantised base, code with the weights, a tracker."""
    return bool(job.run.method.quantization or job.run.model.trust_remote_code or job.report_to)


@contextmanager
def unused_packages_hidden(job: Job | None = None) -> Iterator[None]:
    """Temporarily make `UNUSED` packages look absent to the libraries that training imports.

    Nothing is hidden if the job might need them; None stands for any that does not. Nor if transformers is
    imported already: it may have noted that they are there, unless it was imported ahead, with them hidden.
    """
    needed = job is not None and might_need_them(job)
    noted = "transformers" in sys.modules and IMPORTED_AHEAD not in sys.modules
    names = [] if needed or noted else list(UNUSED)
    names = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(names))  # type: ignore[arg-type]  # None: importing it raises ImportError
    try:
        yield
    finally:
        for name in names:
            del sys.modules[name]


def stdout_listener() -> events.Listener:
    """Return a listener that writes events to standard output as lines of JSON.

    From then on, what this process and its libraries print goes to standard error.
    """
    stream = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    os.dup2(2, 1)

    def write(event: events.Event) -> None:
        stream.write(events.to_json(event) + "\n")

    return write


def exit_when_parent_exits() -> None:
    """Start a thread that ends this process as soon as its standard input is closed."""
    threading.Thread(target=_exit_at_end_of_input, daemon=True).start()


def _exit_at_end_of_input() -> None:
    while os.read(0, 1024):  # not sys.stdin: a thread that waits in it is fatal when the interpreter ends
        pass
    os._exit(1)  # as after a kill: what is on disk is whole, and the lock is released
