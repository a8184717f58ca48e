"""Runs in processes: failures recorded and left alone, kills survived, locks that the dead don't hold."""

from __future__ import annotations

import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from filelock import FileLock, Timeout

from experiments.running.executors import local, process
from experiments.running.executors.local import gpus, places
from experiments.running.job import Job
from tests.experiments import small
from tests.experiments.small import asked, environment
from tests.factories import small_run
from toolkit import config
from toolkit.events import Ended, PhaseStarted
from toolkit.models import artifact, load, methods
from toolkit.records import Failure, RunRecord, read_lines
from toolkit.records import Step as StepRecord
from toolkit.specs import DataSpec, ModelSpec

LONG = ["train.batch_tokens=256", "train.epochs=2000", "methods={full: 1e-4}"]
ODD = "methods={odd: {peft: {peft_type: LORA, target_modules: [nowhere]}, learning_rates: [1e-3]}}"


def command(root: Path, base: Path, *overrides: str) -> list[str]:
    """`bakeoff run` of a study on the tiny model."""
    study = ["quickstart", *asked(base, "small", *overrides)]
    return [sys.executable, "-m", "experiments.cli", "run", *study, "--root", str(root)]


def run(
    root: Path, base: Path, *overrides: str, limit: int | None = None
) -> subprocess.CompletedProcess[str]:
    """Run to the end; no file may be larger than ``limit`` bytes."""

    def hold() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return subprocess.run(
        command(root, base, *overrides),
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=hold if limit else None,
    )


def start(root: Path, base: Path, *overrides: str) -> subprocess.Popen[str]:
    """Start, and come back when its run of full fine-tuning is at step 20 or later."""
    process = subprocess.Popen(
        command(root, base, *overrides),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    began = time.time()
    deadline = time.monotonic() + 500

    def is_training() -> bool:
        return any(
            file.stat().st_mtime > began and file.read_text().count("\n") > 20
            for file in root.glob("runs/tiny.full.*/steps.jsonl")
        )

    while not is_training():
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return process


def workers(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """Its worker processes: those below it that have started none, as a fork server has."""
    below = psutil.Process(process.pid).children(recursive=True)
    return [one for one in below if not one.children()]


def test_gpus_are_dealt_out_one_each_and_cores_divided(monkeypatch):
    """Three runs, two GPUs, eight cores: the third shares the first GPU, and each has 8 // 3 = 2 threads."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert places(3, ["4", "7"], 8) == [
        {"OMP_NUM_THREADS": "2", "CUDA_VISIBLE_DEVICES": gpu} for gpu in ("4", "7", "4")
    ]
    assert places(2, [], 1) == [{"OMP_NUM_THREADS": "1"}] * 2
    both = [place["CUDA_VISIBLE_DEVICES"] for place in places(2, ["0", "1", "2", "3"], 8, each=2)]
    assert both == ["0,1", "2,3"]  # runs that train in two processes
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert places(1, [], 8) == [{"OMP_NUM_THREADS": "3"}]


def test_gpus_are_those_that_may_be_seen(monkeypatch, tmp_path):
    """What the user allowed; else what `nvidia-smi` lists, here a stand-in that prints what it prints."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5")
    assert gpus() == ["2", "5"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert gpus() == []
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho GPU-aaaa-1\necho GPU-bbbb-2\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gpus() == ["GPU-aaaa-1", "GPU-bbbb-2"]


def test_a_failed_run_is_recorded_left_alone_and_retried_on_request(tmp_path, tiny_gpt2):
    """Exit 1 and `failed.json`; not tried the second time; tried, and failed, again with --retry-failed."""
    first = run(tmp_path, tiny_gpt2, ODD)
    assert first.returncode == 1, first.stderr
    assert "failed: odd, seed 0: method odd" in first.stderr
    record = next(tmp_path.glob("runs/tiny.odd.*/failed.json"))
    found = Failure.read(record)
    assert "nowhere" in found.error
    assert found.run_id == record.parent.name
    assert len(list(tmp_path.glob("runs/tiny.*/run.json"))) == 1  # the base went on

    second = run(tmp_path, tiny_gpt2, ODD)
    assert second.returncode == 1
    assert "1 of 2 base and confirming runs failed before and are left alone; --retry-failed" in second.stdout
    assert "starting" not in second.stdout
    assert "nowhere" in second.stderr

    third = run(tmp_path, tiny_gpt2, ODD, "--retry-failed")
    assert third.returncode == 1
    assert third.stdout.count("starting") == 1
    log = (tmp_path / "results" / "small" / "study.log").read_text()
    assert log.count("failed: method odd") == 2
    assert all(line[:2] == "20" and line[10] == " " for line in log.splitlines())


def test_what_stops_a_study_loses_no_more_than_it_must(tmp_path, tiny_gpt2):
    """The same study stopped in three ways. What was finished is there once and never made again."""
    process = start(tmp_path, tiny_gpt2, *LONG)
    (worker,) = workers(process)
    assert worker.environ()["OMP_NUM_THREADS"] == "1"
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 130
    assert "tiny full at 0.0001, seed 0: had no checkpoint yet; it starts again" in said
    assert "the same command continues from there" in said
    assert is_gone(worker)
    assert not list(tmp_path.glob("runs/*/failed.json"))
    (base,) = tmp_path.glob("runs/tiny.base.*/eval-*.json")
    evaluated = base.stat().st_mtime_ns

    # SIGKILL for the command: its worker ends by itself, and nobody holds the run any more.
    process = start(tmp_path, tiny_gpt2, *LONG)
    (worker,) = workers(process)
    (folder,) = tmp_path.glob("runs/tiny.full.*")
    with pytest.raises(Timeout), FileLock(folder / ".lock", timeout=0):
        pass
    process.kill()
    process.wait()
    process.stdout.close()
    worker.wait(300)
    with FileLock(folder / ".lock", timeout=0):
        assert not (folder / "run.json").exists()

    # SIGKILL for the worker, as the system's memory killer sends it: a failure with its reason.
    process = start(tmp_path, tiny_gpt2, *LONG)
    (worker,) = workers(process)
    worker.kill()
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 1
    reason = Failure.read(folder / "failed.json").error
    assert "killed by the operating system, probably out of memory" in reason
    assert "1 of 2 base and confirming runs are there already" in said
    assert base.stat().st_mtime_ns == evaluated


def is_gone(process: psutil.Process) -> bool:
    """Whether it has ended."""
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


@pytest.mark.slow
def test_four_commands_on_one_study_train_every_run_once(tmp_path, tiny_gpt2):
    """All end well with the same conclusions; each step of each run is there once."""
    four = [
        subprocess.Popen(
            command(tmp_path, tiny_gpt2, "train.epochs=20"),
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(4)
    ]
    said = [process.communicate()[0] for process in four]
    assert [process.returncode for process in four] == [0] * 4, said
    assert any("waiting for another process" in text for text in said)
    for record in tmp_path.glob("runs/tiny.full.*/run.json"):
        steps = [s.step for s in read_lines(record.parent / "steps.jsonl", StepRecord) if s.loss is not None]
        assert steps == list(range(1, RunRecord.read(record).costs.steps + 1))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux forks its workers")
def test_a_forked_run_leaves_what_a_process_of_its_own_leaves(
    tmp_path, tiny_gpt2, tiny_tokenizer, monkeypatch
):
    """The same study both ways: equal weights, steps and outcomes, byte for byte but for durations.

    With two adapters from elsewhere, whose base the fork server holds.
    """
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    base, theirs = ModelSpec(name="tiny", folder=str(tiny_gpt2)), []
    for name in ("lora-r16", "pissa"):
        artifact.save_artifact(
            methods.apply(load.load_base(base), config.method(name)), tiny_tokenizer, tmp_path / name
        )
        theirs.append(f"methods.their-{name}={{adapter: '{tmp_path / name}'}}")
    left = []
    for name, forked in (("forked", True), ("own", False)):
        monkeypatch.setattr(local.Local, "_forks", lambda self, jobs, forked=forked: forked)
        conclusions, _ = small.run(tmp_path / name, tiny_gpt2, "small", *theirs, execute=local.Local())
        assert all(cell.status != "failed" for cell in conclusions.cells)
        files = (file for file in (tmp_path / name).glob("runs/*/**/*") if file.is_file())
        left.append({file.relative_to(tmp_path / name): file for file in files})
    assert sorted(left[0]) == sorted(left[1])
    same = [path for path in left[0] if path.suffix == ".safetensors" or path.match("eval-*.jsonl")]
    assert len(same) >= 9
    for path in same:
        assert left[0][path].read_bytes() == left[1][path].read_bytes(), path


def test_a_disk_that_takes_no_more_is_one_line_and_the_run_goes_on_later(tmp_path, tiny_gpt2):
    """The system refuses files above 60 kB, so no weights are saved: reported, and nothing half there.

    Without the limit --retry-failed ends it well."""
    one = ["methods={full: 1e-4}"]
    limited = run(tmp_path, tiny_gpt2, *one, limit=60_000)
    assert limited.returncode == 2, limited.stdout + limited.stderr  # for the report has no room either
    (record,) = tmp_path.glob("runs/tiny.full.*/failed.json")
    assert re.search(r"cannot write .*File too large", Failure.read(record).error)
    assert re.fullmatch(r"bakeoff: cannot write .*report.*: File too large\. .*--root\n", limited.stderr)
    assert not (record.parent / "run.json").exists()
    assert not (record.parent / "artifact").exists()
    again = run(tmp_path, tiny_gpt2, *one, "--retry-failed")
    assert again.returncode == 0, again.stdout + again.stderr
    assert not record.exists()


STRAY = """
import os, sys
sys.stdin.readline()
os.write(1, b"deprecated \\xff\\n")
print('{"event": "PhaseStarted", "phase": "loading"}', flush=True)
print("3", flush=True)
"""


def worker_of(script, tmp_path, monkeypatch, listener):
    """A worker that runs a script instead of a job."""
    job = Job(
        root=str(tmp_path), run=small_run(tmp_path), dataset=config.dataset("wikibooks"),
        data=DataSpec(train=1, validation=1, test=1), evaluate=None,
    )  # fmt: skip
    monkeypatch.setattr(process.runtime, "module_command", lambda *_: [sys.executable, "-c", script])
    return process.WorkerProcess(job, {}, listener), job.folder


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has signal 35")
def test_lines_that_are_no_events_go_to_the_log_and_any_signal_ends_a_run(tmp_path, monkeypatch):
    """Bytes that are no UTF-8, and a number, around one event; then signal 35, which has no name."""
    reported = []
    script = STRAY + "os.kill(os.getpid(), 35)"
    worker, folder = worker_of(script, tmp_path, monkeypatch, reported.append)
    worker.join()
    assert reported == [
        PhaseStarted(phase="loading"), Ended(error=f"ended by signal 35 (log: {folder.log})"),
    ]  # fmt: skip
    assert folder.log.read_text(encoding="utf-8").splitlines() == ["deprecated \ufffd", "3"]


def test_a_run_ends_also_if_an_event_cannot_be_reported(tmp_path, monkeypatch):
    """The listener raises at the first event: the worker, which would sleep for a minute, is ended."""
    reported = []

    def listen(event):
        if not isinstance(event, Ended):
            raise RuntimeError("no room\nfor it")
        reported.append(event)

    worker, _ = worker_of(STRAY + "import time; time.sleep(60)", tmp_path, monkeypatch, listen)
    worker.join()
    assert reported == [Ended(error="its worker was ended, as its events could not be reported: no room")]
    assert until(lambda: worker._process.poll() == -signal.SIGKILL)


def test_a_worker_stopped_by_a_signal_is_reported_once_and_continues(tmp_path, monkeypatch):
    """SIGSTOP to a process and to its child: both are reported, once each; continued, none is stopped."""
    script = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(60)'])"
    monkeypatch.setattr(process, "WATCH_SECONDS", 0.1)
    reported = []
    worker, _ = worker_of(script, tmp_path, monkeypatch, reported.append)
    try:
        parent = psutil.Process(worker._process.pid)
        child = until(lambda: parent.children())[0]
        # Until the child has begun its own program, its parent waits for it where no signal stops it.
        until(lambda: child.cmdline()[-1:] == ["import time; time.sleep(60)"])
        for one in (parent, child):
            one.suspend()
        until(lambda: len(reported) == 2)
        time.sleep(0.5)
        assert {event.process for event in reported} == {parent.pid, child.pid}
        assert len(reported) == 2
        for one in (parent, child):
            one.resume()
        until(lambda: not process.stopped_processes(parent.pid))
    finally:
        worker.stop()


def until(holds, seconds=300):
    """What ``holds`` returns once it is true."""
    ends = time.monotonic() + seconds
    while not (value := holds()):
        assert time.monotonic() < ends
        time.sleep(0.02)
    return value
