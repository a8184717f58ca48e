"""One run in several processes is the same run: the same curve, one record."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file

from experiments.running import processes
from experiments.running.job import Job
from toolkit import config
from toolkit.errors import UserError
from toolkit.events import Failed, to_json
from toolkit.records import RunRecord, Step, read_lines
from toolkit.records.folders import RunFolder
from toolkit.specs import DataSpec, MethodSpec, ModelSpec, RunSpec, TrainSpec

LORA = {"peft_type": "LORA", "r": 4, "target_modules": "all-linear"}
# PyTorch shards over CPUs too; accelerate keeps it for GPUs. This lets it, and nothing else is changed.
SHARDS_ON_CPUS = """
import os
if os.environ.get("RANK"):
    from accelerate.state import AcceleratorState, PartialState
    from accelerate.utils import DistributedType
    init = AcceleratorState.__init__
    def sharding(self, *given, fsdp_plugin=None, **more):
        init(self, *given, fsdp_plugin=fsdp_plugin, **more)
        if fsdp_plugin is not None and self.distributed_type == DistributedType.MULTI_CPU:
            self.distributed_type = PartialState._shared_state["distributed_type"] = DistributedType.FSDP
            self.fsdp_plugin = fsdp_plugin
    AcceleratorState.__init__ = sharding
"""


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
    dataset = config.dataset({"name": "mine", "files": [str(file)]})
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


def run(job: Job, path: str = "") -> tuple[RunRecord, list[Step]]:
    """What a worker's process leaves; ``path`` comes first where it imports from."""
    told, code, log = work(job, path)
    assert code == 0, told + log[-3000:]
    folder = RunFolder(Path(job.root), job.run.run_id)
    return RunRecord.read(folder.record), read_lines(folder.steps, Step)


def work(job: Job, path: str = "") -> tuple[str, int, str]:
    """A worker's process: what it told, its exit code, its log."""
    log = Path(job.root).with_suffix(".log")
    with (
        log.open("w") as errors,
        subprocess.Popen(
            [sys.executable, "-m", "experiments.running.worker"],
            stdin=subprocess.PIPE,  # open as long as somebody wants the run
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={
                **os.environ,
                "OMP_NUM_THREADS": "1",
                "PYTHONPATH": os.pathsep.join([path, str(Path.cwd())]),
            },
        ) as worker,
    ):
        worker.stdin.write(job.model_dump_json() + "\n")
        worker.stdin.flush()
        told = worker.stdout.read()
        worker.wait()
    return told, worker.returncode, log.read_text()


def test_data_that_changed_since_the_study_began_is_not_trained_on(job):
    """The run is named after other documents: one line, and nothing is made."""
    asked = job(1, MethodSpec(name="lora", peft=LORA))
    named = asked.run.model_copy(update={"fingerprints": {"train": "0" * 16, "validation": "0" * 16}})
    told, code, _ = work(asked.model_copy(update={"run": named}))
    assert code == 2
    assert "data set mine has changed since this study began: run it again" in told
    assert not RunFolder(Path(asked.root), named.run_id).record.exists()


def test_two_processes_train_the_same_curve_as_one(job):
    """Every loss, gradient norm and validation to 1e-4; odd batches included; the run keeps its name."""
    method = MethodSpec(name="lora", peft=LORA)
    settings = {"accumulate": 2}
    one, alone = run(job(1, method, **settings))
    two, together = run(job(2, method, **settings))
    assert one.run_id == two.run_id
    assert (one.costs.processes, two.costs.processes) == (1, 2)
    assert one.costs.cores_of_others is not None
    assert two.costs.cores_of_others is None
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


@pytest.mark.parametrize(
    "method", [MethodSpec(name="full", trainable=("*",)), MethodSpec(name="lora", peft=LORA)]
)
def test_sharded_weights_end_whole_and_as_in_one_process(job, tmp_path, method):
    """FSDP over two processes: the same curve, and an artifact of whole weights, equal to one process's."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(SHARDS_ON_CPUS)
    one, alone = run(job(1, method))
    two, together = run(job(2, method, distributed={"fsdp": True}), str(tmp_path / "site"))
    assert one.run_id == two.run_id
    assert len(alone) == len(together) >= 3
    assert [a.loss for a in together if a.loss] == pytest.approx([a.loss for a in alone if a.loss], rel=1e-4)
    assert two.validation_bits_per_byte == pytest.approx(one.validation_bits_per_byte, rel=1e-4)
    artifacts = [
        load_file(next((tmp_path / root / "runs" / one.run_id / "artifact").glob("*.safetensors")))
        for root in ("1", "2")
    ]
    assert artifacts[0]
    assert artifacts[0].keys() <= artifacts[1].keys()
    for name, weight in artifacts[0].items():
        assert (artifacts[1][name] - weight).abs().max() < 1e-4, name


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"distributed": {"fsdp": True}}, "train.distributed: it would take no effect"),
        ({"distributed": {"fsdp_no_such": 1}}, "report_to or train.distributed: .*fsdp_no_such"),
    ],
)
def test_sharding_that_would_not_happen_is_told(job, settings, line):
    """On CPUs accelerate leaves FSDP out without a word; what TrainingArguments doesn't know has its name."""
    told, code, _ = work(job(2, MethodSpec(name="lora", peft=LORA), **settings))
    assert code == 2
    assert re.search(line, told)


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"fsdp": True, "adam_beta2": 0.9}, "'adam_beta2' is none of FSDP or DeepSpeed"),
        ({"neftune_noise_alpha": 5}, "'neftune_noise_alpha' is none of"),
        ({"deepspeed": {"optimizer": {"type": "Lion"}}}, "leave out 'optimizer'"),
        ({"deepspeed": "none.json"}, "deepspeed: cannot read 'none.json'"),
        ({"gradient_checkpointing": True}, "'gradient_checkpointing' is none of"),
    ],
)
def test_what_trains_otherwise_is_not_called_execution(given, line):
    """It would change the weights and leave the run's id as it is."""
    with pytest.raises(ValueError, match=line):
        TrainSpec(distributed=given)


def test_a_file_of_deepspeed_is_read_like_a_mapping(tmp_path):
    """Its optimizer is refused; a file without one shards, and options of DDP alone do not."""
    path = tmp_path / "ds.json"
    path.write_text('{"optimizer": {"type": "Lion"}}')
    with pytest.raises(ValueError, match="leave out 'optimizer'"):
        TrainSpec(distributed={"deepspeed": str(path)})
    path.write_text('{"zero_optimization": {"stage": 3}}')
    assert TrainSpec(distributed={"deepspeed": str(path)}).sharded
    assert not TrainSpec(distributed={"ddp_timeout": 3600}).sharded
    assert not TrainSpec(distributed={"fsdp": False}).sharded


def test_how_a_methods_own_runs_are_executed_is_no_part_of_their_id():
    """`train: {processes: 4}` of a method, as of the study."""
    ids = set()
    for own in ({}, {"processes": 4}, {"distributed": {"fsdp": True}}):
        method = MethodSpec(name="full", trainable=("*",), train=own)
        run = RunSpec(
            model=ModelSpec(name="m", folder="f"), method=method, dataset=None, data=None, learning_rate=1e-4,
            train=TrainSpec(**own), seed=0,
        )  # fmt: skip
        ids.add(run.run_id)
    assert len(ids) == 1


def test_the_first_process_that_fails_is_the_reason(job, monkeypatch):
    """The others then fail at talking to it, whichever of them that is."""
    asked = job(2, config.method("full"))
    asked.folder.path.mkdir(parents=True)
    lines = "\n".join(
        to_json(Failed(error=error)) for error in ("out of memory", "connection closed by peer")
    )
    lines = "printed by an import\n" + lines
    monkeypatch.setattr(
        processes.runtime, "module_command", lambda *_: [sys.executable, "-c", f"print({lines!r})"]
    )
    with pytest.raises(UserError, match="out of memory"):
        processes.train_in_processes(asked, lambda _: None)
