"""Speed of two runs at once against one after the other, and of one run trained by two processes."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from experiments.bench.synthetic.shapes import base_folder, model_at
from experiments.bench.training.growth.points import summary
from experiments.bench.training.jobs import job
from experiments.running.executors.local import Local
from toolkit.errors import UserError
from toolkit.records import RunRecord
from toolkit.runtime import gpus
from toolkit.specs import DataSpec, TrainSpec

DATA = DataSpec(train=96, validation=8, test=1, max_characters=1000)
SMALL = DataSpec(train=12, validation=4, test=1, max_characters=320)
"""For a shape that is only there to try the bench out."""


def measure(
    axis: str, values: Sequence[str], base: str, repeats: int, say: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Return a point for each number of runs at once (`jobs`) or of processes of one run (`processes`).

    Of `jobs`, always the same runs: as many seeds of full fine-tuning as the largest value. Values beyond
    the number of GPUs are left out for `processes`, which needs one each, and reported through ``say``.
    """
    available = len(gpus()) or None
    fitting = [v for v in values if axis == "jobs" or available is None or int(v) <= available]
    for value in values:
        if value not in fitting:
            say(f"{axis} {value}: not measured, there is only {available} GPU")
    if not fitting:
        raise UserError(f"bench growth {axis}: none of {' '.join(values)} fits the number of GPUs")
    turns: dict[str, list[dict[str, Any]]] = {value: [] for value in fitting}
    with (
        base_folder(base) as folder,
        tempfile.TemporaryDirectory(prefix="bakeoff-bench-") as temporary,
    ):
        for turn in range(repeats):
            for value in fitting:
                say(f"{axis} {value}, turn {turn + 1} of {repeats}")
                turns[value].append(
                    _at_once(Path(temporary), folder, int(value), max(map(int, values)))
                    if axis == "jobs"
                    else _divided(Path(temporary), folder, int(value))
                )
    return [summary("full", value, measured) for value, measured in turns.items()]


def _at_once(root: Path, folder: Path, jobs: int, runs: int) -> dict[str, Any]:
    """All tokens of the runs over the seconds from the first start to the last end; memory as if at once."""
    began = time.perf_counter()
    records = _run(root, folder, range(runs), TrainSpec(validations=1), jobs)
    seconds = time.perf_counter() - began
    tokens = sum(record.data.tokens for record in records if record.data)  # one epoch
    peaks = sorted((record.costs.peak_memory_bytes or 0 for record in records), reverse=True)
    return {"tokens_per_second": tokens / seconds, "peak_memory_bytes": sum(peaks[:jobs])}


def _divided(root: Path, folder: Path, processes: int) -> dict[str, Any]:
    (record,) = _run(root, folder, range(1), TrainSpec(validations=1, processes=processes), 1)
    return {
        "tokens_per_second": record.costs.supervised_tokens_per_second,
        "peak_memory_bytes": record.costs.peak_memory_bytes,
    }


def _run(root: Path, folder: Path, seeds: range, train: TrainSpec, at_once: int) -> list[RunRecord]:
    model = model_at(str(folder))
    data = SMALL if folder.name == "tiny-shape" else DATA
    jobs = [job(root, model, "full", data, seed=seed, train=train) for seed in seeds]
    errors = [error for error in Local(at_once)(jobs, lambda *_: None) if error]
    if errors:
        raise UserError(f"bench growth: {errors[0]}")
    records = [RunRecord.read(job.folder.record) for job in jobs]
    shutil.rmtree(root / "runs")
    return records
