"""One run in a process of its own: train it if it is not trained, evaluate it if that is asked for.

Reads a job as one line of JSON from standard input; writes events as JSON lines to standard output, all
else to standard error. Exit 0: done. Exit 2: an error that was told as an event. Any other: a crash, told
in the log. It ends at once when its standard input does: whoever asked for the run is gone.
"""

from __future__ import annotations

import errno
import json
import os
import re
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from toolkit import config
from toolkit.data.prepare import Prepared, prepare
from toolkit.errors import UserError
from toolkit.records import Record, RunRecord
from toolkit.records.files import write_text
from toolkit.records.folders import RunFolder
from toolkit.specs import DatasetSpec, DataSpec, EvalSpec, RunSpec

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


class Job(Record):
    """What a worker is told: which run, on which data, evaluated how."""

    root: str
    run: RunSpec
    dataset: DatasetSpec
    data: DataSpec
    evaluate: EvalSpec | None
    """None for a tuning run: the test part is not read."""
    checkpoint_seconds: float = 120
    report_to: tuple[str, ...] = ()
    """Trackers, by transformers' names."""


def work(job: Job, tell: Any) -> None:
    """Bring one run up to date. Another process on the same run is waited for, and its work is used."""
    folder = RunFolder(Path(job.root), job.run.run_id)
    folder.path.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder.lock)
    try:
        held = lock.acquire(timeout=0)
    except Timeout:
        tell({"event": "phase", "phase": "waiting for another process"})
        held = lock.acquire()
    with held:
        prepared = prepared_for(job)
        if not folder.record.is_file():
            write_text(folder.spec, config.dump_yaml(job.run.model_dump(mode="json")))
            if job.run.train.processes > 1:
                from experiments.running.processes import train_in_processes

                train_in_processes(job, tell)
            else:
                train_here(job, prepared, job.dataset.format.end, tell)
        record = RunRecord.read(folder.record)
        if job.evaluate is not None and record.status == "finished":
            from eval.harness import evaluate
            from experiments.sharing.model_card import write_card

            evaluation = evaluate(
                record,
                folder,
                job.evaluate,
                job.dataset.format,
                train=prepared.train,
                test=prepared.test,
                fingerprint=prepared.fingerprints["test"],
                progress=tell,
            )
            write_card(folder, evaluation)
        folder.failure.unlink(missing_ok=True)


def prepared_for(job: Job) -> Prepared:
    """The job's documents. UserError where they are no longer those that the run is named after."""
    prepared = prepare(job.dataset, job.data, Path(job.root) / "runs" / ".data")
    if any(prepared.fingerprints[part] != found for part, found in job.run.recipes.items()):
        raise UserError(f"data set {job.dataset.name} has changed since this study began: run it again")
    return prepared


def train_here(job: Job, prepared: Prepared, end_marker: str, tell: Any) -> None:
    """Train the job's run in this process, which may be one of several."""
    from toolkit.training.train import train

    train(
        job.run,
        prepared.train,
        prepared.validation,
        end_marker,
        RunFolder(Path(job.root), job.run.run_id),
        progress=tell,
        checkpoint_seconds=job.checkpoint_seconds,
        report_to=job.report_to,
    )


def events() -> Callable[[dict[str, Any]], None]:
    """A way to tell events on standard output, where what libraries print goes no longer."""
    stream = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    os.dup2(2, 1)

    def tell(event: dict[str, Any]) -> None:
        stream.write(json.dumps(event) + "\n")

    return tell


def main() -> int:
    """Entry point of the process."""
    tell = events()
    try:
        job = Job.model_validate_json(sys.stdin.readline())
        threading.Thread(target=end_with_asker, daemon=True).start()
        work(job, tell)
    except UserError as error:
        tell({"event": "error", "text": str(error)})
        return 2
    except Exception as error:
        reason = no_room(error)
        if reason is None:
            raise
        text = (
            f"cannot write under {job.root}: {reason}. What is there is kept; make room, or --root elsewhere"
        )
        tell({"event": "error", "text": text})
        return 2
    return 0


def no_room(error: BaseException) -> str | None:
    """Why a disk took no more, whatever library was told so; None for any other error."""
    if isinstance(error, OSError) and error.errno in FULL:
        return os.strerror(error.errno)
    found = re.search(r"\(os error (\d+)\)", str(error))  # safetensors, tokenizers
    if found and int(found.group(1)) in FULL:
        return os.strerror(int(found.group(1)))
    if "PytorchStreamWriter failed" in str(error) or "inline_container" in str(error):
        return "torch could not write its checkpoint whole"
    return None if error.__context__ is None else no_room(error.__context__)


def end_with_asker() -> None:
    """Wait for the end of standard input, then leave at once."""
    while os.read(0, 1024):  # not sys.stdin: a thread that waits in it is fatal when the interpreter ends
        pass
    os._exit(1)  # as after a kill: what is on disk is whole, and the lock is released


if __name__ == "__main__":
    sys.exit(main())
