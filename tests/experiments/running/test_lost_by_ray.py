"""What Ray loses before it starts, on a stand-in for Ray: the package itself is not needed."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import pytest

from experiments.running.executors.ray import Needs, OnRay
from experiments.running.job import Job
from tests.factories import small_run
from toolkit import config
from toolkit.events import Ended, Started
from toolkit.specs import DataSpec


class LostError(Exception):
    """As Ray raises for a task whose node cannot import what it runs."""


class Mail:
    """A queue in which nothing arrives."""

    def __init__(self, **_):
        """Takes the options of Ray's queue."""

    def size(self):
        """Nothing waits."""
        return 0

    def get_nowait_batch(self, count):
        """The next ``count`` items."""
        return [None] * count

    def shutdown(self, force):
        """Nothing to stop."""


def get(reference):
    """Raise for the first task; the second returns that nothing went wrong."""
    if reference == 0:
        raise LostError("ModuleNotFoundError: No module named 'experiments'")


@pytest.fixture
def ray(monkeypatch):
    """A stand-in that ends every task at once."""
    for name, attributes in (
        ("ray", {}), ("ray.util", {}), ("ray.util.queue", {"Queue": Mail}),
        ("ray.util.scheduling_strategies", {"NodeAffinitySchedulingStrategy": lambda *_, **__: None}),
    ):  # fmt: skip
        module = ModuleType(name)
        vars(module).update(attributes)
        monkeypatch.setitem(sys.modules, name, module)
    return SimpleNamespace(
        get_runtime_context=lambda: SimpleNamespace(get_node_id=lambda: "here"),
        remote=lambda **_: lambda _: SimpleNamespace(remote=lambda index, *_: index),
        wait=lambda references, timeout: (references[:1], references[1:]),
        get=get,
        exceptions=SimpleNamespace(RayError=LostError),
    )


def test_a_run_that_is_lost_before_it_starts_is_reported_and_the_others_go_on(ray, tmp_path):
    """Two tasks: the first fails to import, the second ends well. Each starts, and then ends."""
    execute = OnRay.__new__(OnRay)
    execute._ray, execute._needs = ray, Needs(1.0, 0.0)
    job = Job(
        root=str(tmp_path), run=small_run(tmp_path), dataset=config.dataset("wikibooks"),
        data=DataSpec(train=1, validation=1, test=1), evaluate=None,
    )  # fmt: skip
    heard = []
    errors = execute([job, job], lambda index, event: heard.append((index, event)))
    assert "No module named 'experiments'" in errors[0]
    assert errors[1] is None
    assert heard == [(0, Started()), (0, Ended(error=errors[0])), (1, Started()), (1, Ended())]
