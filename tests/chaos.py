"""Kill a small study at random moments, resume it, and compare it with one that nobody touched: `make chaos`.

Not part of the tests: a kill takes as long as two studies. The study is prepared, trained with a checkpoint
after every few steps, evaluated, reported and exported. Each kill is one line of `build/chaos/kills.jsonl`,
with what the study was at; the same command continues where it was stopped. `python -m tests.chaos 30` adds
kills until there are 30, and counts them by what they met. With the extra `ray` some studies run on a cluster
of this machine, lose a worker or a node of it, and are resumed without it.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil

from experiments.cli.app import main
from experiments.running.executors.process import WORKER
from experiments.running.job import Job
from tests.conftest import recipes, save_tiny, tokenizer_of
from tests.experiments.small import asked, environment
from toolkit.records import hashes

HOME = Path("build") / "chaos"
KILLS = HOME / "kills.jsonl"
SIGNALS = ("SIGKILL", "SIGTERM", "SIGINT")
ON_RAY = ("ray worker", "ray node")
TARGETS = ("parent", "worker", *(ON_RAY if find_spec("ray") else ()))
STUDY = ("train.epochs=20", "train.batch_tokens=256", "methods={full: 1e-4, lora-r16: 1e-3}")
NODE = {"object_store_memory": 80 * 2**20, "node_ip_address": "127.0.0.1"}
TIMES = {
    "costs", "environment", "seconds", "likelihood_seconds", "train_seconds", "memory_bytes",
    "recommendations",
}  # fmt: skip
"""Fields of records that differ between any two runs: durations, memory, the state of the machine, and what
follows from them: a recommendation is of the method that needs least memory."""
TRACES = ("differing", "damaged", "orphans", "repeated")
"""Fields of a kill's line that are empty if it left no trace."""
CHECKPOINT_SECONDS = 0.2
"""Between checkpoints; a run of the study takes seconds."""
ARCHIVE = "chaos.bakeoff.zip"
STAGES = {
    "export": "exporting", "report": "drawing the report", "the end of a run": ": (saving|done)",
    "the start of a run": ": (starting|loading)", "training": "[:·] (training|validation)",
    "evaluation": "run .*[:·] ", "preparation": "",
}  # fmt: skip
"""What a study is at -> what its last line holds; the first that fits."""
PATIENCE = 30
"""Seconds after which a worker whose parent was killed has to be gone."""


def command(root: Path, *options: str) -> list[str]:
    """`bakeoff run` on the tiny base, then `bakeoff export`, in one process.

    Failed cells, which a killed worker leaves, are tried again.
    """
    study = ["quickstart", *asked((HOME / "base").absolute(), "chaos", *STUDY)]
    more = ["--retry-failed", "--root", str(root.absolute()), *options]
    return [sys.executable, "-m", "tests.chaos", "run", *study, *more]


def run_and_export(arguments: list[str]) -> None:
    """Do what `command` asks for; exit with the code of the first command that fails."""
    Job.model_fields["checkpoint_seconds"].default = CHECKPOINT_SECONDS
    Job.model_rebuild(force=True)
    root = Path(arguments[arguments.index("--root") + 1])
    export = ["export", "chaos", "--root", str(root), "--to", str(root / ARCHIVE)]
    for one in (arguments, export):
        try:
            main(one)
        except SystemExit as ended:
            if ended.code:
                raise
        print("exporting", flush=True)


def start(root: Path, *options: str) -> subprocess.Popen[str]:
    """Start the study; its lines go to a file beside the root."""
    with root.with_suffix(".log").open("a") as log:
        return subprocess.Popen(command(root, *options), env=environment(), stdout=log, stderr=log, text=True)


@contextmanager
def cluster() -> Iterator[Any]:
    """A Ray cluster on loopback whose head runs nothing, with one node of one core."""
    os.environ.update(environment(), RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER="0")  # both are read on import
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 0, "include_dashboard": False, **NODE}
    found = Cluster(initialize_head=True, head_node_args=head)
    try:
        yield found
    finally:
        found.shutdown()


def hurt(found: Any, node: Any, target: str, signal_name: str, draw: random.Random) -> None:
    """Send the signal to a process that a run is made of, or take its node away and add another."""
    if target == "ray worker":
        os.kill(draw.choice(runs_on_ray()).pid, getattr(signal, signal_name))
        return
    found.add_node(num_cpus=1, **NODE)
    found.remove_node(node, allow_graceful=False)


def runs_on_ray() -> list[psutil.Process]:
    """Ray's worker that has a run, and the process in which it runs; this process has started their node."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            words = " ".join(process.cmdline())
            if words.startswith("ray::_one") or WORKER in words:
                found.append(process)
    return found if any(WORKER in " ".join(process.cmdline()) for process in found) else []


def finish(root: Path) -> float:
    """Run the study to its end; return the seconds it took."""
    began = time.monotonic()
    if (code := start(root).wait()) != 0:
        raise SystemExit(f"the study ended with code {code}: see {root.with_suffix('.log')}")
    return time.monotonic() - began


def facts(root: Path) -> dict[str, str]:
    """Path -> hash of every file that has to be the same: weights to the byte, records without times."""
    found = {}
    for path in sorted(filter(Path.is_file, root.rglob("*"))):
        name = path.relative_to(root).as_posix()
        if path.name == hashes.FILE:  # of records with times in them: see `damaged`
            continue
        of_a_run = name.startswith("runs/tiny") and path.suffix in (".json", ".jsonl")
        of_results = name.endswith(("comparisons.json", "failures.jsonl", "study.yaml"))
        if name == ARCHIVE:  # its records hold times
            with zipfile.ZipFile(path) as packed:
                found[name] = " ".join(sorted(packed.namelist())) + str(packed.testzip())
        if "/artifact/" in name or of_a_run or of_results:
            found[name] = digest(path)
    return found


def damaged(root: Path) -> list[str]:
    """Files of runs and results whose hash is not the one beside them, and folders that have none."""
    found = []
    for folder in (*root.glob("runs/tiny*"), *root.glob("results/*")):
        problems = hashes.problems(folder)
        found += (
            [f"{folder.name}: no hashes"] if problems is None else [f"{folder.name}/{p}" for p in problems]
        )
    return found


def digest(path: Path) -> str:
    """Hash of a file; of a record, without what `TIMES` names."""
    content = path.read_bytes()
    if "artifact" not in path.parts and path.suffix in (".json", ".jsonl"):
        lines = [content] if path.suffix == ".json" else content.splitlines()
        content = json.dumps([without_times(json.loads(line)) for line in lines], sort_keys=True).encode()
    return hashlib.sha256(content).hexdigest()


def without_times(value: Any) -> Any:
    """The JSON value without fields that differ between any two runs."""
    if isinstance(value, dict):
        return {key: without_times(inner) for key, inner in value.items() if key not in TIMES}
    return [without_times(item) for item in value] if isinstance(value, list) else value


def disturbed(
    root: Path, target: str, name: str, moment: float, draw: random.Random, on_ray: Any
) -> tuple[bool, tuple[str, bool], int]:
    """Run the study to its end, with a signal at a moment, on Ray not before it has begun a run.

    Returns whether anything was hit, what the study printed last before and whether it had a checkpoint, and
    how many workers outlived it.
    """
    node = on_ray and on_ray.add_node(num_cpus=1, **NODE)
    process = start(root, *(("--executor", "ray", "--address", on_ray.address) if on_ray else ()))
    ends = time.monotonic() + moment
    while process.poll() is None and (time.monotonic() < ends or (on_ray and not runs_on_ray())):
        time.sleep(0.05)
    there = process.poll() is None
    workers = psutil.Process(process.pid).children(recursive=True) if there else []
    hit = there and (target != "worker" or bool(workers))
    if hit and on_ray:
        hurt(on_ray, node, target, name, draw)
    elif hit:  # a run, or what forks them
        os.kill(process.pid if target == "parent" else draw.choice(workers).pid, getattr(signal, name))
    stage = last_line(root), any(root.glob("runs/*/checkpoints/checkpoint-*"))
    process.wait()
    _, alive = psutil.wait_procs(runs_on_ray() if on_ray else workers, timeout=PATIENCE)
    return hit, stage, len(alive)


def kill(number: int, seconds: float) -> dict[str, Any]:
    """Start a study, send a signal at a random moment, resume, and return what became of it."""
    draw = random.Random(number)
    target, name, moment = draw.choice(TARGETS), draw.choice(SIGNALS), draw.uniform(0.05, 0.95) * seconds
    root = HOME / f"kill-{number}"
    shutil.rmtree(root, ignore_errors=True)
    root.with_suffix(".log").unlink(missing_ok=True)
    with cluster() if target in ON_RAY else nullcontext() as on_ray:
        hit, (said, checkpoint), alive = disturbed(root, target, name, moment, draw, on_ray)
    before = {path.parent.name: path.stat().st_mtime_ns for path in root.glob("runs/*/run.json")}
    finish(root)
    again = [run for run, at in before.items() if (root / "runs" / run / "run.json").stat().st_mtime_ns != at]
    ours, whole = facts(root), facts(HOME / "whole")
    differing = sorted(path for path in {*ours, *whole} if ours.get(path) != whole.get(path))
    result = {
        "kill": number, "target": target, "signal": name, "hit": hit, "seconds": round(moment, 1),
        "said": said, "checkpoint": checkpoint, "orphans": alive,
        "repeated": again, "differing": differing, "damaged": damaged(root), "files": len(whole),
    }  # fmt: skip
    if not differing:
        shutil.rmtree(root)
    return result


def stage_of(said: str) -> str:
    """What the study was at when it had printed this line last."""
    return next(stage for stage, pattern in STAGES.items() if re.search(pattern, said))


def last_line(root: Path) -> str:
    """What the study printed last before the signal."""
    lines = root.with_suffix(".log").read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1][:160] if lines else ""


def kill_and_compare() -> None:
    """Add kills until there are as many as asked for; report each, and end with 1 if one left a trace."""
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    HOME.mkdir(parents=True, exist_ok=True)
    if not (HOME / "base" / "config.json").is_file():
        save_tiny("gpt2", HOME / "base", tokenizer_of(recipes(40)))
    clock = HOME / "seconds.json"
    if not clock.is_file():
        shutil.rmtree(HOME / "whole", ignore_errors=True)
        clock.write_text(json.dumps(finish(HOME / "whole")))
    seconds = float(clock.read_text())
    done = [json.loads(line) for line in KILLS.read_text().splitlines()] if KILLS.is_file() else []
    for number in range(len(done) + 1, wanted + 1):
        done.append(kill(number, seconds))
        with KILLS.open("a") as stream:
            stream.write(json.dumps(done[-1]) + "\n")
        print(json.dumps(done[-1]), flush=True)
    bad = [one for one in done if any(one[trace] for trace in TRACES)]
    hits = sum(one["hit"] for one in done)
    files = done[0]["files"]
    met = Counter((stage_of(one["said"]), one["checkpoint"]) for one in done if one["hit"] and "said" in one)
    for (stage, checkpoint), count in sorted(met.items()):
        print(f"{stage}{', beside a checkpoint' if checkpoint else ''}: {count}")
    print(f"{len(done)} studies, {hits} hit by a signal, {len(bad)} with a trace of it; {files} files each")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    if sys.argv[1:2] == ["run"]:
        run_and_export(sys.argv[1:])
    else:
        kill_and_compare()
