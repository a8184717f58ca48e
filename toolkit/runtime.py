"""The machine under a run: device, processes, seeds, threads, allocator, peak memory, environment facts."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import logging
import os
import platform
import re
import resource
import shutil
import subprocess
import sys
import warnings
from collections.abc import Mapping, MutableMapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

if TYPE_CHECKING:
    import torch

LIBRARIES = (
    "bakeoff",
    "torch",
    "transformers",
    "peft",
    "accelerate",
    "datasets",
    "tokenizers",
    "sacrebleu",
    "numpy",
    "scipy",
)
# glibc returns large blocks to the system and faults them in again at every step; without that, a step is up
# to a third faster on a CPU. The C library reads these at start, so they are set for the run's own process.
ALLOCATOR = {
    "MALLOC_MMAP_THRESHOLD_": "4294967296",
    "MALLOC_TRIM_THRESHOLD_": "4294967296",
    "MALLOC_TOP_PAD_": "67108864",
}


WAITING = {"OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0", "GOMP_SPINCOUNT": "5000"}
"""How OpenMP's idle threads wait: they sleep after some microseconds. By default they spin for milliseconds,
and two busy processes on one machine slow each other ten-fold."""


def wait_passively(environment: MutableMapping[str, str]) -> None:
    """Let idle threads sleep, unless the user has set how they wait. Call before torch is imported."""
    if not WAITING.keys() & environment.keys():
        environment.update(WAITING)


def module_command(module: str, *arguments: str) -> list[str]:
    """Return `python -P -m MODULE …`: the working directory is not searched for packages named like ours."""
    return [sys.executable, "-P", "-m", module, *arguments]


def child_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment for a child process: it imports what this process does, from any folder.

    ``extra`` variables take precedence over everything else.
    """
    environment = {**os.environ, "PYTHONSAFEPATH": "1"}
    environment["PYTHONPATH"] = os.pathsep.join(_own_packages_first(sys.path))
    wait_passively(environment)
    return {**environment, **(extra or {})}


def _own_packages_first(path: Sequence[str]) -> list[str]:
    """Return the path without empty entries, our folder before any that holds packages named like ours."""
    home = Path(__file__).resolve().parent.parent
    names = ("toolkit", "eval", "figures", "experiments")
    entries = [entry for entry in path if entry]
    for index, entry in enumerate(entries):
        if Path(entry).resolve() == home:
            break
        if any((Path(entry) / name).is_dir() for name in names):
            return [*entries[:index], str(home), *entries[index:]]
    return entries


def device() -> torch.device:
    """Return the CUDA device, this process's own if several train one run; else the CPU."""
    import torch

    if not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", torch.cuda.current_device())))


def rank() -> int:
    """Return the index of this process among those that train one run; process 0 writes and logs."""
    return int(os.environ.get("RANK", 0))


def processes() -> int:
    """Return how many processes train this run."""
    return int(os.environ.get("WORLD_SIZE", 1))


def summed(value: int) -> int:
    """Return the sum of ``value`` over the processes that train this run."""
    if processes() == 1:
        return value
    import torch.distributed

    values: list[int] = [0] * processes()
    torch.distributed.all_gather_object(values, value)
    return sum(values)


def agreed(value: bool) -> bool:
    """Return process 0's value, so that all processes decide alike, for example about elapsed time."""
    if processes() == 1:
        return value
    import torch.distributed

    values = [value]
    torch.distributed.broadcast_object_list(values)
    return values[0]


def wait_for_all() -> None:
    """Wait until every process that trains this run has reached this call."""
    if processes() > 1:
        import torch.distributed

        torch.distributed.barrier()


def prepare(seed: int) -> None:
    """Seed Python, numpy and torch; allow TF32 products on CUDA."""
    import torch
    from transformers import set_seed

    set_seed(seed)
    if torch.cuda.is_available():
        torch.set_float32_matmul_precision("high")


def peak_memory_bytes() -> int:
    """Return the peak resident memory of this process so far, in bytes.

    On Linux from `VmHWM`: `getrusage` includes what the parent process held when it started this one.
    """
    status = Path("/proc/self/status")
    if status.is_file() and (high := re.search(r"VmHWM:\s+(\d+) kB", status.read_text())):
        return int(high.group(1)) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def cuda_peaks() -> tuple[int | None, int | None]:
    """Return the peak bytes (allocated, reserved) on the CUDA device; None without one."""
    import torch

    if not torch.cuda.is_available():
        return None, None
    return torch.cuda.max_memory_allocated(), torch.cuda.max_memory_reserved()


def release() -> None:
    """Collect garbage, and return cached GPU memory to the device."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def trim_heap() -> None:
    """Return freed memory to the system, where the allocator is glibc's; see `ALLOCATOR`."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
    if trim is not None:
        trim(0)


def machine() -> dict[str, Any]:
    """Return processor, cores, memory in bytes, system and Python version. Loads no torch."""
    return {
        "processor": processor_name(),
        "cores": os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def gpus() -> list[str]:
    """The GPUs that may be used, as `CUDA_VISIBLE_DEVICES` names them; torch is not asked."""
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if allowed is not None:
        return [name.strip() for name in allowed.split(",") if name.strip() not in ("", "-1")]
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    command = [tool, "--query-gpu=uuid", "--format=csv,noheader"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.split() if done.returncode == 0 else []


def environment() -> dict[str, Any]:
    """Return the machine, the device, the number of threads and the versions of libraries."""
    import torch

    facts = machine()
    if torch.cuda.is_available():
        facts["device"] = torch.cuda.get_device_name()
        facts["cuda"] = torch.version.cuda
    else:
        facts["device"] = f"CPU: {facts['processor']}, {facts['cores']} cores"
    facts["threads"] = torch.get_num_threads()
    facts["versions"] = {name: metadata.version(name) for name in LIBRARIES}
    return facts


def quiet_libraries() -> None:
    """Switch off the progress bars and warnings of libraries; a run's own process logs them."""
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    warnings.simplefilter("ignore", FutureWarning)


def processor_name(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Return the processor's name, with family and model where the name has no number.

    Virtual machines often call several generations by one name (``AMD EPYC``), and one can be twice as fast
    as another: costs are compared between runs on devices of the same name.
    """
    facts: dict[str, str] = {}
    with contextlib.suppress(OSError):  # another system, or a sandbox that hides it
        first = cpuinfo.read_text(encoding="utf-8").split("\n\n", 1)[0]
        facts = {
            key.strip(): value.strip() for key, _, value in (x.partition(":") for x in first.splitlines())
        }
    name = facts.get("model name") or platform.processor() or platform.machine()
    if re.search(r"\d", name) or not {"cpu family", "model"} <= facts.keys():
        return name
    return f"{name} (family {facts['cpu family']}, model {facts['model']})"
