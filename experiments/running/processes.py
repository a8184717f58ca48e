"""One run trained by several processes of this machine: PyTorch's launcher, and what each of them does.

`accelerate launch` starts its processes through the same launcher, but on a CPU only with MPI; Accelerate,
inside the Trainer, takes over from here either way (gloo on CPUs, NCCL on GPUs).
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import torch

from experiments.running.job import Job, exit_when_parent_exits, prepared_for, stdout_listener, train_here
from toolkit import runtime
from toolkit.errors import UserError
from toolkit.events import Failed, Listener, from_json, ignore
from toolkit.records.files import write_text


def train_in_processes(job: Job, listener: Listener) -> None:
    """Train the job's run in `train.processes` processes, with the threads divided among them.

    Raises UserError for an error that a process reports, RuntimeError if one crashes.
    """
    count = job.run.train.processes
    if torch.cuda.is_available() and torch.cuda.device_count() < count:
        raise UserError(
            f"train.processes={count}: there are {torch.cuda.device_count()} GPUs; ask for no more than that"
        )
    job_file = job.folder.path / "job.json"
    write_text(job_file, job.model_dump_json())
    threads = max(1, torch.get_num_threads() // count)
    launcher = ["torch.distributed.run", "--standalone", "--nproc-per-node", str(count)]
    environment = runtime.child_environment({"OMP_NUM_THREADS": str(threads)})
    if not torch.cuda.is_available():
        environment["ACCELERATE_USE_CPU"] = "true"
    failure: UserError | None = None
    with subprocess.Popen(
        runtime.module_command(*launcher, "-m", "experiments.running.processes", str(job_file)),
        stdin=subprocess.PIPE,  # closed when this process ends, however it ends: the first rank then exits
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
        env=environment,
    ) as launched:
        for line in launched.stdout or ():
            try:
                event = from_json(line)
            except ValueError:  # printed by what a process imports, before it could redirect it
                sys.stderr.write(line)
                continue
            if isinstance(event, Failed):  # the first: others then fail at talking to that process
                failure = failure or UserError(event.error)
            else:
                listener(event)
    job_file.unlink()
    if failure:
        raise failure
    if launched.returncode:
        raise RuntimeError(f"one of {count} training processes ended with exit code {launched.returncode}")


def main() -> int:
    """Entry point of each process. All report errors; the first, progress, too: it exits with its parent."""
    first = os.environ["RANK"] == "0"
    write = stdout_listener()
    if first:
        exit_when_parent_exits()
    try:
        job = Job.model_validate_json(Path(sys.argv[1]).read_text())
        prepared = prepared_for(job, write if first else ignore)
        train_here(job, prepared, write if first else ignore)
    except UserError as error:
        write(Failed(error=str(error)))
        return 2
    finally:
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
    return 0


if __name__ == "__main__":
    sys.exit(main())
