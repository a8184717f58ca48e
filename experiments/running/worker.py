"""One run in a process of its own: train it if it is not trained, evaluate it if requested.

Reads a job as one line of JSON from standard input; writes events as JSON lines to standard output,
everything else to standard error. Exit code 0: done. 2: an error that was reported as an event. Any other:
a crash, described in the log. It exits as soon as its standard input is closed: its parent is gone.
"""

from __future__ import annotations

import errno
import os
import re
import sys
from pathlib import Path

from filelock import FileLock, Timeout

from experiments.running.job import Job, exit_when_parent_exits, prepared_for, stdout_listener, train_here
from toolkit import config
from toolkit.data.prepare import Prepared
from toolkit.errors import UserError
from toolkit.events import Failed, Listener, PhaseStarted
from toolkit.records import Failure, RunRecord
from toolkit.records.files import write_text
from toolkit.specs import EvalSpec

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


def work(job: Job, listener: Listener) -> None:
    """Bring one run up to date. If another process works on the same run, wait for it and use its work."""
    folder = job.folder
    folder.path.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder.lock)
    try:
        held = lock.acquire(timeout=0)
    except Timeout:
        listener(PhaseStarted(phase="waiting"))
        held = lock.acquire()
    with held:
        prepared = prepared_for(job, listener)
        trained = folder.record.is_file()
        if not trained:
            write_text(folder.spec, config.dump_yaml(job.run.model_dump(mode="json")))
            if job.run.train.processes > 1:
                from experiments.running.processes import train_in_processes

                train_in_processes(job, listener)
            else:
                train_here(job, prepared, listener)
        record = RunRecord.read(folder.record)
        if job.evaluate is not None and record.status == "finished":
            _evaluate(record, job, job.evaluate, prepared, listener)
        if not trained or _is_of(folder.failure, job, prepared):
            folder.failure.unlink(missing_ok=True)


def _is_of(path: Path, job: Job, prepared: Prepared) -> bool:
    """Whether a recorded failure is of this job's evaluation: studies and data sets share a base's run.

    Also if it names none, or can't be read.
    """
    try:
        failure = Failure.read(path) if path.is_file() else None
    except UserError:
        return True
    if failure is None or failure.evaluation is None:
        return True
    if job.evaluate is None:
        return False
    from eval.harness import evaluation_digest

    test = prepared.fingerprints["test"]
    return failure.evaluation == evaluation_digest(job.evaluate, test, job.dataset.format)


def _evaluate(record: RunRecord, job: Job, spec: EvalSpec, prepared: Prepared, listener: Listener) -> None:
    """Evaluate the run, unless another process has done it since the job was made."""
    from eval.harness import contexts_of, evaluate, evaluation_digest, is_current

    form, test, train = job.dataset.format, prepared.fingerprints["test"], prepared.fingerprints["train"]
    digest = evaluation_digest(spec, test, form)
    if is_current(job.folder, digest, contexts_of(spec, form), prepared.clusters, train):
        return
    evaluate(
        record,
        job.folder,
        spec,
        form,
        train=prepared.train,
        test=prepared.test,
        fingerprint=test,
        train_fingerprint=train,
        further=[text for texts in prepared.further_references.values() for text in texts],
        clusters=prepared.clusters,
        base=job.run.model,  # as resolved here: an imported record's is not this machine's
        progress=listener,
    )


def main() -> int:
    """Entry point of the process."""
    listener = stdout_listener()
    try:
        job = Job.model_validate_json(sys.stdin.readline())
        exit_when_parent_exits()
        work(job, listener)
    except UserError as error:
        listener(Failed(error=str(error)))
        return 2
    except Exception as error:
        reason = no_room(error)
        if reason is None:
            raise
        remedy = "What is there is kept; make room, or choose another folder with --root"
        listener(Failed(error=f"cannot write under {job.root}: {reason}. {remedy}"))
        return 2
    return 0


def no_room(error: BaseException) -> str | None:
    """Return why the disk refused to take more, whichever library met it; None for any other error."""
    if isinstance(error, OSError) and error.errno in FULL:
        return os.strerror(error.errno)
    match = re.search(r"\(os error (\d+)\)", str(error))  # safetensors, tokenizers
    if match and int(match.group(1)) in FULL:
        return os.strerror(int(match.group(1)))
    if "PytorchStreamWriter failed" in str(error) or "inline_container" in str(error):
        return "torch could not write its checkpoint whole"
    return None if error.__context__ is None else no_room(error.__context__)


if __name__ == "__main__":
    sys.exit(main())
