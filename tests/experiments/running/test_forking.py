"""The fork server: workers as from a process of their own, and none that outlives what it should."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from experiments.running.executors.forking import ForkServer
from toolkit.specs import ModelSpec

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux forks its workers")
HERE = "tests.experiments.running.test_forking"


def main() -> int:
    """What the forked processes of these tests run: by its argument."""
    what = sys.argv[1]
    if what == "answer":
        word = sys.stdin.readline().strip()
        print(word, os.environ["OWN"], os.getsid(0) == os.getpid(), "json" in sys.modules, flush=True)
        print("to the log", file=sys.stderr)
        return 3
    if what == "fail":
        raise ValueError("on purpose")
    if what == "read":
        return _reads_a_model_that_the_server_loaded()
    if what == "die":
        os.kill(os.getpid(), signal.SIGSEGV)
    while os.read(0, 1):  # until whoever started it is gone
        pass
    return 0


def _reads_a_model_that_the_server_loaded() -> int:
    """Print whether it is there, its address, and a sum that several threads compute."""
    import torch

    from toolkit.models import load

    spec = ModelSpec.model_validate_json(sys.stdin.readline())
    there = spec.model_dump_json() in load._kept
    address = load._kept[spec.model_dump_json()].get_input_embeddings().weight.data_ptr() if there else 0
    torch.set_num_threads(2)
    print(there, address, len(load._kept), torch.ones(2_000_000).add(1).sum().item(), flush=True)
    return 0


@pytest.fixture
def forks():
    """A server that has imported little."""
    server = ForkServer({}, ahead=["json"])
    yield server
    server.close()


def start(forks: ForkServer, tmp_path: Path, what: str):
    """A forked process that does ``what``, with errors in `log`."""
    return forks.start(HERE, [what], {"OWN": "value"}, tmp_path / "log")


def test_a_process_has_its_own_pipes_environment_session_and_exit_code(forks, tmp_path):
    """Two of one server, at once: each hears and says its own, and `wait` may be called again."""
    both = [start(forks, tmp_path, "answer") for _ in range(2)]
    assert both[0].pid != both[1].pid
    for word, process in zip(("one", "two"), reversed(both), strict=True):
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.01)
        process.stdin.write(word + "\n")
        process.stdin.flush()
        assert process.stdout.read().split() == [word, "value", "True", "True"]
        assert process.wait(10) == process.wait(10) == 3
    assert (tmp_path / "log").read_text() == "to the log\n" * 2
    assert "OWN" not in os.environ


def test_crashes_are_told_apart_and_cost_one_process(forks, tmp_path):
    """An exception is code 1, its traceback in the log; a signal is its number; and the next one works."""
    assert start(forks, tmp_path, "fail").wait(10) == 1
    assert "ValueError: on purpose" in (tmp_path / "log").read_text()
    assert start(forks, tmp_path, "die").wait(10) == -signal.SIGSEGV
    server = forks._process.pid
    process = start(forks, tmp_path, "answer")
    process.stdin.close()
    assert process.wait(10) == 3
    assert forks._process.pid == server


def test_a_base_that_several_only_read_is_loaded_once(tmp_path, tiny_gpt2, tiny_llama):
    """Two runs find it at the same address, another base takes its place, and one that trains finds none.

    Each computes on two threads, which hangs where the server has computed on more than one.
    """
    forks = ForkServer({}, ahead=["toolkit.models.load"])
    gpt2, llama = (ModelSpec(name="tiny", folder=str(folder)) for folder in (tiny_gpt2, tiny_llama))
    nowhere = ModelSpec(name="tiny", folder=str(tmp_path))
    found = []
    for read in (gpt2, gpt2, llama, None, nowhere):
        process = forks.start(HERE, ["read"], {"OWN": ""}, tmp_path / "log", read)
        process.stdin.write((read or llama).model_dump_json() + "\n")
        process.stdin.flush()
        said = process.stdout.read().split()
        assert process.wait(60) == 0, (tmp_path / "log").read_text()
        assert said.pop() == "4000000.0"
        found.append(said)
    forks.close()
    assert found[0][0] == "True"
    assert found[0] == found[1] != found[2]
    assert [words[2] for words in found] == ["1", "1", "1", "0", "0"]


def test_a_lost_server_takes_its_process_along_and_another_one_serves(forks, tmp_path):
    """Nobody knows how its process would end, so it is killed; a request starts a server again."""
    process = start(forks, tmp_path, "wait")
    forks._process.kill()
    assert process.wait(10) == -signal.SIGKILL
    gone(process.pid)
    again = start(forks, tmp_path, "answer")
    again.stdin.close()
    assert again.wait(10) == 3


def test_nothing_outlives_the_process_that_asked(tmp_path):
    """It is killed: the server sees its socket close, the worker its standard input."""
    script = f"""
import pathlib, time
from experiments.running.executors.forking import ForkServer
forks = ForkServer({{}}, ahead=["json"])
process = forks.start({HERE!r}, ["wait"], {{}}, pathlib.Path({str(tmp_path / "log")!r}))
print(forks._process.pid, process.pid, flush=True)
time.sleep(60)
"""
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    server, worker = map(int, parent.stdout.readline().split())
    parent.kill()
    parent.wait()
    gone(server)
    gone(worker)


def gone(pid: int) -> None:
    """Wait until the process has ended; at most five minutes."""
    ends = time.monotonic() + 300
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < ends
        time.sleep(0.02)
