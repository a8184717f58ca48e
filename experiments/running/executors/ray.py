"""Runs as tasks of a Ray cluster: each asks for what it needs, and is tried again where its node is lost."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from experiments.running.executors.base import JobListener
from experiments.running.executors.process import WorkerProcess
from experiments.running.job import Job
from toolkit.errors import UserError, first_line
from toolkit.events import Ended, Event, Started
from toolkit.records.folders import RunFolder

ANSWER_SECONDS = 5
TRIES = 1
"""How often Ray tries to reach a cluster, some forty seconds; by itself it tries for minutes."""
LOST_NODES = 3
"""How often a run is tried again because its node, or Ray's worker on it, was lost."""


class Needs(NamedTuple):
    """What one run asks of a node. None: one GPU if there are any, and a fair share of its node's cores."""

    cpus: float | None = None
    gpus: float | None = None
    memory_bytes: int | None = None


class OnRay:
    """Runs on the cluster at ``address`` (`host:port`, `auto`); results go to a path that every node sees."""

    def __init__(self, address: str = "auto", needs: Needs | None = None) -> None:
        self._ray = _connect(address)
        self._needs = _settled(needs or Needs(), self._ray.nodes())

    def __call__(self, jobs: Sequence[Job], listener: JobListener) -> list[str | None]:
        """See Executor."""
        if not jobs:
            return []
        from ray.util.queue import Queue
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        ray = self._ray
        # What workers tell comes here, and is kept here: no other node's loss takes it along.
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        mail = Queue(actor_options={"num_cpus": 0, "scheduling_strategy": here})
        needs = self._needs
        task = ray.remote(
            num_cpus=needs.cpus, num_gpus=needs.gpus, memory=needs.memory_bytes, max_retries=LOST_NODES
        )(_one)
        errors: list[str | None] = [None] * len(jobs)
        for job in jobs:
            RunFolder(Path(job.root), job.run.run_id).path.mkdir(parents=True, exist_ok=True)
        waiting = {task.remote(index, job, mail): index for index, job in enumerate(jobs)}
        started: set[int] = set()
        try:
            while waiting:
                ready, _ = ray.wait(list(waiting), timeout=0.5)
                for index, event in mail.get_nowait_batch(mail.size()):
                    started.add(index)
                    listener(index, event)
                for reference in ready:
                    index = waiting.pop(reference)
                    errors[index] = _outcome(ray, reference)
                    if index not in started:  # its node is gone, or cannot import bakeoff
                        listener(index, Started())
                    listener(index, Ended(error=errors[index]))
        finally:
            for reference in waiting:
                ray.cancel(reference, force=True)
            mail.shutdown(force=True)
        return errors


def _one(index: int, job: Job, mail: Any) -> str | None:
    """The task: a worker process on this node, what it tells sent home. Returns what went wrong."""
    ended: list[str | None] = []

    def send(event: Event) -> None:
        if isinstance(event, Ended):
            ended.append(event.error)
        else:
            mail.put_nowait((index, event))

    node = socket.gethostname()
    send(Started(node=node))
    if not RunFolder(Path(job.root), job.run.run_id).path.is_dir():
        return f"node {node} does not see {job.root}: give a folder that all nodes share with --root"
    process = WorkerProcess(job, {}, send)
    try:
        process.join()
    except BaseException:
        process.stop()
        raise
    return ended[0]


def _outcome(ray: Any, reference: Any) -> str | None:
    try:
        outcome: str | None = ray.get(reference)
        return outcome
    except ray.exceptions.RayError as error:
        text = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        return f"lost by Ray after {LOST_NODES} retries: {text[:300]}"


def _connect(address: str) -> Any:
    if find_spec("ray") is None:
        raise UserError(
            "--executor ray needs the package ray. Run `pip install 'bakeoff[ray]'` in bakeoff's environment"
        )
    host, _, port = address.removeprefix("ray://").rpartition(":")
    remedy = "`ray start --head` begins a cluster on this machine and prints its address"
    if host and port.isdigit():
        if why := _refusal(host, int(port)):
            raise UserError(f"no Ray cluster answers at {address}: {why}. {remedy}")
        if host in ("127.0.0.1", "localhost") and _refusal(_own_address(), int(port)):
            # Ray would look for it at this machine's own address, and wait there for minutes.
            os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    elif address != "auto":
        raise UserError(f"--address '{address}' is not of the form host:port, or auto. {remedy}")
    os.environ.setdefault("RAY_gcs_server_port_wait_time_s", str(TRIES))
    import ray

    try:
        ray.init(address=address, log_to_driver=False, logging_level="ERROR", ignore_reinit_error=True)
    except (ConnectionError, RuntimeError, TimeoutError, ValueError) as error:
        if address == "auto":
            raise UserError(f"no Ray cluster runs on this machine; --address says where. {remedy}") from error
        raise UserError(f"no Ray cluster answers at {address}: {first_line(error)}. {remedy}") from error
    return ray


def _own_address() -> str:
    """The address that this machine has towards others; loopback where it has none. Sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


def _refusal(host: str, port: int) -> str | None:
    """Why nothing answers there; None where something does."""
    try:
        socket.create_connection((host, port), timeout=ANSWER_SECONDS).close()
    except OSError as error:
        return error.strerror or "no answer"
    return None


def _settled(needs: Needs, nodes: Sequence[dict[str, Any]]) -> Needs:
    """Return the needs in numbers; UserError, listing what the nodes have, if none has as much."""
    have = [node["Resources"] for node in nodes if node["Alive"] and node["Resources"].get("CPU")]
    with_gpus = [node for node in have if node.get("GPU")]
    gpus = needs.gpus if needs.gpus is not None else float(bool(with_gpus))
    usable = [node for node in have if node.get("GPU", 0) >= gpus]
    cpus = needs.cpus
    if cpus is None:
        shares = [node["CPU"] // (node["GPU"] // gpus if gpus else 1) for node in usable]
        cpus = max(1.0, min(shares, default=1.0))
    memory = needs.memory_bytes
    if not any(node["CPU"] >= cpus and node.get("memory", 0) >= (memory or 0) for node in usable):
        words = [
            f"{node['CPU']:g} CPUs, {node.get('GPU', 0):g} GPUs, {node.get('memory', 0) / 1e9:.1f} GB"
            for node in have
        ]
        requested = f"{cpus:g} CPUs, {gpus:g} GPUs" + (f", {memory / 1e9:.1f} GB" if memory else "")
        raise UserError(f"no node of the cluster has {requested}. They have: {'; '.join(words) or 'nothing'}")
    return Needs(cpus, gpus, memory)
