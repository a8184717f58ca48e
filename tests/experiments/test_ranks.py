"""One run in several processes is the same run: the same curve, one record."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.worker import Job
from toolkit.records import RunRecord, Step, read_lines
from toolkit.specs import DatasetSpec, DataSpec, MethodSpec, ModelSpec, RunSpec, TrainSpec
from toolkit.store import RunFolder

LORA = {"peft_type": "LORA", "r": 4, "target_modules": "all-linear"}


@pytest.fixture
def job(tiny_gpt2, tmp_path, recipe_texts):
    """A function: the job of a short run with so many processes, in a root of its own."""
    rows = [
        dict(zip(("title", "ingredients", "directions"), text.split("\n"), strict=False))
        for text in recipe_texts
    ]
    rows = [{key: value.split(": ", 1)[1] for key, value in row.items()} for row in rows]
    file = tmp_path / "recipes.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    dataset = DatasetSpec(name="mine", files=(str(file),), format="recipe")
    data = DataSpec(train=20, validation=6, test=2, near_duplicate=1.0)

    def make(processes: int, method: MethodSpec, **settings) -> Job:
        asked = {"batch_tokens": 256, "precision": "fp32", "epochs": 2, "validations": 2, **settings}
        run = RunSpec(
            model=ModelSpec(name="tiny", folder=str(tiny_gpt2)),
            dataset=dataset,
            data=data,
            method=method,
            learning_rate=0.01,
            train=TrainSpec(processes=processes, **asked),
            seed=0,
        )
        return Job(root=str(tmp_path / f"{processes}"), run=run, dataset=dataset, data=data, evaluate=None)

    return make


def run(job: Job) -> tuple[RunRecord, list[Step]]:
    """What a worker's process leaves."""
    log = Path(job.root).with_suffix(".log")
    with (
        log.open("w") as errors,
        subprocess.Popen(
            [sys.executable, "-m", "experiments.worker"],
            stdin=subprocess.PIPE,  # open as long as somebody wants the run
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        ) as worker,
    ):
        worker.stdin.write(job.model_dump_json() + "\n")
        worker.stdin.flush()
        told = worker.stdout.read()
        worker.wait()
    assert worker.returncode == 0, told + log.read_text()[-3000:]
    folder = RunFolder(Path(job.root), job.run.run_id)
    return RunRecord.read(folder.record), read_lines(folder.steps, Step)


def test_two_processes_train_the_same_curve_as_one(job):
    """Every loss, gradient norm and validation to 1e-4; odd batches included; the run keeps its name."""
    method = MethodSpec(name="lora", peft=LORA)
    settings = {"accumulate": 2}
    one, alone = run(job(1, method, **settings))
    two, together = run(job(2, method, **settings))
    assert one.run_id == two.run_id
    assert (one.costs.processes, two.costs.processes) == (1, 2)
    assert (one.data, one.costs.steps) == (two.data, two.costs.steps)
    assert len(alone) == len(together) == 8  # five steps, three validations
    for a, b in zip(alone, together, strict=True):
        assert (a.step, a.tokens) == (b.step, b.tokens)
        for field in ("loss", "gradient_norm", "validation_nll", "validation_bits_per_byte"):
            mine, theirs = getattr(a, field), getattr(b, field)
            assert (mine is None) == (theirs is None)
            if mine is not None:
                assert theirs == pytest.approx(mine, rel=1e-4), (a.step, field)
    assert two.costs.peak_memory_bytes > one.costs.peak_memory_bytes  # the sum of both
