"""One run trained by several processes of this machine: PyTorch's launcher, and what each of them does.

`accelerate launch` starts its processes through the same launcher, but on a CPU only with MPI; Accelerate,
inside the Trainer, takes over from here either way (gloo on CPUs, NCCL on GPUs).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import torch

from experiments.running.worker import Job, end_with_asker, events, prepared_for, train_here
from toolkit.errors import UserError
from toolkit.records.files import write_text
from toolkit.records.folders import RunFolder
from toolkit.training.monitor import Progress


def train_in_processes(job: Job, tell: Progress) -> None:
    """Train the job's run in as many processes as it asks for, threads divided among them."""
    count = job.run.train.processes
    if torch.cuda.is_available() and torch.cuda.device_count() < count:
        raise UserError(
            f"train.processes={count}: there are {torch.cuda.device_count()} GPUs; ask for no more than that"
        )
    asked = RunFolder(Path(job.root), job.run.run_id).path / "job.json"
    write_text(asked, job.model_dump_json())
    threads = max(1, torch.get_num_threads() // count)
    command = ["torch.distributed.run", "--standalone", "--nproc-per-node", str(count)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    if not torch.cuda.is_available():
        environment["ACCELERATE_USE_CPU"] = "true"
    told: UserError | None = None
    with subprocess.Popen(
        [sys.executable, "-m", *command, "-m", "experiments.running.processes", str(asked)],
        stdin=subprocess.PIPE,  # closed when this process goes, however it goes: then the first rank ends all
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as launched:
        for line in launched.stdout or ():
            event = json.loads(line)
            if event["event"] == "error":
                told = UserError(event["text"])
            else:
                tell(event)
    asked.unlink()
    if told:
        raise told
    if launched.returncode:
        raise RuntimeError(f"one of {count} training processes ended with exit code {launched.returncode}")


def main() -> int:
    """Entry point of each process: the first one speaks, and ends with whoever asked for the run."""
    first = os.environ["RANK"] == "0"
    tell = events()
    if first:
        threading.Thread(target=end_with_asker, daemon=True).start()
    try:
        job = Job.model_validate_json(Path(sys.argv[1]).read_text())
        prepared = prepared_for(job)
        train_here(job, prepared, job.dataset.format.end, tell if first else _silent)
    except UserError as error:
        if first:
            tell({"event": "error", "text": str(error)})
        return 2
    finally:
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
    return 0


def _silent(_: dict[str, Any]) -> None:
    pass


if __name__ == "__main__":
    sys.exit(main())
