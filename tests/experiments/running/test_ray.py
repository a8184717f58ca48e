"""On a Ray cluster of several nodes on this machine: the results of `local`, and a node lost on the way."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from experiments.design import study
from experiments.design.study_state import StudyState
from experiments.running.executors.local import Local
from experiments.running.runner import jobs_of
from tests.experiments.small import ROOT, asked, environment, run
from toolkit.errors import UserError
from toolkit.events import Event, Started
from toolkit.records import RunRecord, Step, read_lines
from toolkit.records.folders import RunFolder

os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # read on import: these clusters are on loopback alone
ray = pytest.importorskip("ray", reason="the extra `bakeoff[ray]` is not installed")
pytestmark = pytest.mark.slow

STORE = 80 * 2**20


@pytest.fixture
def cluster(monkeypatch):
    """A head without cores, so that every run is on another node; stopped at the end."""
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # as in `local`: numbers are equal to the last bit
    found = Cluster(
        initialize_head=True,
        head_node_args={
            "num_cpus": 0,
            "object_store_memory": STORE,
            "include_dashboard": False,
            "node_ip_address": "127.0.0.1",
        },
    )
    yield found
    ray.shutdown()
    found.shutdown()


def add_node(cluster):
    """A node of one core."""
    return cluster.add_node(num_cpus=1, object_store_memory=STORE, node_ip_address="127.0.0.1")


def fingerprint(folder: RunFolder) -> str:
    """Hash of the saved weights."""
    return hashlib.sha256(next(folder.artifact.glob("*.safetensors")).read_bytes()).hexdigest()


def test_two_nodes_give_the_results_of_local(cluster, done, tmp_path, tiny_gpt2):
    """A whole study on two nodes: the same runs, evaluations, estimates and verdicts as in processes here."""
    from experiments.running.executors.ray import OnRay

    for _ in range(2):
        add_node(cluster)
    conclusions, said = run(tmp_path, tiny_gpt2, "small", execute=OnRay(cluster.address))
    here, expected, _ = done
    assert f"starting on {socket.gethostname()}" in said
    assert conclusions == expected
    for cell in conclusions.cells:
        ours = RunRecord.read(RunFolder(tmp_path, cell.run_id).record)
        theirs = RunRecord.read(RunFolder(here, cell.run_id).record)
        apart = {"costs": theirs.costs, "environment": theirs.environment}
        assert ours.model_copy(update=apart) == theirs
        outcomes = RunFolder(tmp_path, cell.run_id).outcomes(cell.eval_digest)
        assert outcomes.read_bytes() == RunFolder(here, cell.run_id).outcomes(cell.eval_digest).read_bytes()


def test_a_node_killed_on_the_way_costs_the_time_since_the_last_checkpoint(cluster, tmp_path, tiny_gpt2):
    """The run resumes from its checkpoint, on the node that is left, to the weights of an undisturbed one."""
    from experiments.running.executors.ray import OnRay

    overrides = ["methods={full: 1e-4}", "train.epochs=300", "train.batch_tokens=256"]
    wanted = study.load("quickstart", asked(tiny_gpt2, "small", *overrides))

    def job(root: Path):
        study_state = StudyState(wanted, root).prepare()
        confirming = [cell for cell in study_state.cells() if cell.phase == "confirm"]
        alone = {"evaluate": None, "checkpoint_seconds": 1.0}
        return jobs_of(study_state, confirming)[0].model_copy(update=alone)

    undisturbed, disturbed = job(tmp_path / "a"), job(tmp_path / "b")
    assert Local(1)([undisturbed], lambda *_: None) == [None]

    first = add_node(cluster)
    execute = OnRay(cluster.address)
    folder = RunFolder(tmp_path / "b", disturbed.run.run_id)
    begun: list[Started] = []

    def listen(_: int, event: Event) -> None:
        if isinstance(event, Started):
            begun.append(event)

    with ThreadPoolExecutor(1) as pool:  # nodes come and go in the main thread, as Ray wants it
        running = pool.submit(execute, [disturbed], listen)
        deadline = time.monotonic() + 500
        while folder.last_checkpoint is None and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(1.5)  # so that some steps after it are lost
        add_node(cluster)
        cluster.remove_node(first, allow_graceful=False)
        errors = running.result()
    assert errors == [None]
    assert len(begun) == 2
    record = RunRecord.read(folder.record)
    assert record.costs.interruptions == 1
    assert fingerprint(folder) == fingerprint(RunFolder(tmp_path / "a", undisturbed.run.run_id))
    steps = [s.step for s in read_lines(folder.steps, Step) if s.loss is not None]
    assert steps == list(range(1, record.costs.steps + 1))


def test_what_no_node_has_and_what_no_node_sees_is_told(cluster, tmp_path, tiny_gpt2):
    """Five cores where each has one: refused at once, with what there is."""
    from experiments.running.executors.ray import Needs, OnRay

    add_node(cluster)
    with pytest.raises(UserError, match=r"no node of the cluster has 5 CPUs, 0 GPUs\. They have: 1 CPUs"):
        OnRay(cluster.address, Needs(cpus=5))


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nowhere", None])
def test_an_address_that_does_not_answer_is_one_line_and_quick(tmp_path, address):
    """Nobody listens, no address at all, no cluster on this machine: exit 2 in seconds, nothing written."""
    where = ["--address", address] if address else []
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "experiments.cli", "run", "quickstart", "--executor", "ray", *where,
         "--root", str(tmp_path)],
        cwd=ROOT, env={**environment(), "HOME": str(tmp_path), "RAY_TMPDIR": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert time.monotonic() - began < 300
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert "ray start --head" in done.stderr
    assert not (tmp_path / "runs").exists()


def test_a_port_that_listens_and_is_no_ray_is_told(tmp_path):
    """A plain socket that never answers is given up on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "experiments.cli", "run", "quickstart", "--executor", "ray",
             "--address", f"127.0.0.1:{port}", "--root", str(tmp_path)],
            cwd=ROOT, env=environment(), capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert time.monotonic() - began < 300
    *before, last = done.stderr.strip().splitlines()
    assert last.startswith(f"bakeoff: no Ray cluster answers at 127.0.0.1:{port}")
    assert all("rpc_client" in line or "gcs_client" in line for line in before)  # Ray's own warnings
