"""Measure what waiting threads cost, alone and beside busy neighbours: `make neighbour`. Not a test.

A thread of OpenMP that waits for the others spins for a while before it sleeps. Spinning is quick if the
machine is free, and takes the neighbours' time if it is not. Four policies are measured with the same work,
training steps on all cores: alone, beside one busy loop per core, and beside a copy of itself. The last one
uses half the cores. The steps are those of a very small GPT-2, where threads wait as often as they can, or of
SmolLM2-135M with `--real`. Run it on a machine that does nothing else: about 15 minutes on two cores.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from toolkit.runtime import WAITING

HOME = Path("build") / "neighbour"
POLICIES = {
    "default": {"GOMP_SPINCOUNT": "300000"},  # what libgomp does if nothing is set
    "passive": {"OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0", "GOMP_SPINCOUNT": "0"},
    "bounded": dict(WAITING),  # what bakeoff sets
    "half the threads": {**WAITING, "OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // 2))},
}
SITUATIONS = ("alone", "busy", "copy")
"""Nothing else; one busy loop per core; a copy of the work, with the same policy."""
FAIR = {"alone": 1.0, "busy": 2.0, "copy": 2.0}
"""How much longer the work may take if the cores are shared evenly: half of each core is left for it."""
BUSY = "while True: pass"

Measured = Mapping[str, Mapping[str, Sequence[float]]]
"""Policy -> situation -> seconds of each repetition."""


def work(steps: int, real: bool) -> float:
    """Return the seconds of so many training steps, without imports and the first step."""
    import torch

    torch.manual_seed(0)
    model, rows = (_smollm if real else _small)()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5)
    began = 0.0
    for step in range(steps + 1):
        if step == 1:
            began = time.perf_counter()
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=real):
            loss = model(input_ids=rows, labels=rows).loss
        loss.backward()
        optimizer.step()
    return time.perf_counter() - began


def _small() -> tuple[Any, Any]:
    """Return a GPT-2 of 1 M parameters, and 8 rows of 64 tokens."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    settings = GPT2Config(
        n_layer=4, n_embd=128, n_head=4, vocab_size=2048, n_positions=64, bos_token_id=0, eos_token_id=0
    )
    return GPT2LMHeadModel(settings), torch.randint(2048, (8, 64))


def _smollm() -> tuple[Any, Any]:
    """Return SmolLM2-135M from its Python package in fp32, and 4 rows of 128 tokens."""
    import torch

    from toolkit.catalog import model
    from toolkit.models import load, locate

    return load.load_base(model(locate.EMBEDDED)), torch.randint(2048, (4, 128))


def measure(policy: str, situation: str, steps: int, real: bool) -> float:
    """Return the seconds of the work in a process of its own, in a situation."""
    settable = {*WAITING, "OMP_NUM_THREADS"}  # all cores, unless the policy says otherwise
    others = {name: value for name, value in os.environ.items() if name not in settable}
    environment = {**others, **POLICIES[policy]}
    own = [sys.executable, "-m", "tests.neighbour", *(["--real"] if real else []), "--work", str(steps)]
    beside = {"alone": [], "busy": [[sys.executable, "-c", BUSY]] * (os.cpu_count() or 1)}
    # Its copy works until it is ended: ten times as long as it could be needed.
    beside["copy"] = [[*own[:-1], str(10 * steps)]]
    neighbours = [
        subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) for command in beside[situation]
    ]
    try:
        if situation == "copy":
            time.sleep(25 if real else 15)  # until it has imported torch and taken its first steps
        done = subprocess.run(own, env=environment, capture_output=True, text=True, check=True)
    finally:
        for one in neighbours:
            one.kill()
            one.wait()
    return float(done.stdout.splitlines()[-1])


def table(measured: Measured) -> str:
    """Return a Markdown table of medians: alone against the quickest policy, and beside against a fair share.

    The fair share is twice the quickest time alone.
    """
    medians = {
        policy: {situation: statistics.median(seconds) for situation, seconds in one.items()}
        for policy, one in measured.items()
    }
    quickest = min(one["alone"] for one in medians.values())
    lines = [
        "| policy | alone, s | cost alone | beside busy loops, s | of its fair share | beside a copy, s "
        "| of its fair share |",
        "|---|---|---|---|---|---|---|",
    ]
    for policy, one in medians.items():
        cells = [policy, f"{one['alone']:.2f}", f"{100 * (one['alone'] / quickest - 1):.1f} %"]
        for situation in SITUATIONS[1:]:
            share = one[situation] / (FAIR[situation] * quickest)
            cells += [f"{one[situation]:.2f}", f"{share:.2f}x"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> int:
    """Measure every policy in every situation, one after the other, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--steps", type=int, help="of each measurement; 200, or 8 real ones")
    parser.add_argument("--real", action="store_true", help="steps of SmolLM2-135M in bf16")
    parser.add_argument("--work", type=int, metavar="STEPS", help="only do the work, and print its seconds")
    settings = parser.parse_args()
    steps = settings.steps or (8 if settings.real else 200)
    if settings.work is not None:
        print(work(settings.work, settings.real))
        return 0
    measured: dict[str, dict[str, list[float]]] = {
        policy: {situation: [] for situation in SITUATIONS} for policy in POLICIES
    }
    for _ in range(settings.repeats):  # in turn, so that a slow minute meets all of them
        for situation in SITUATIONS:
            for policy in POLICIES:
                seconds = measure(policy, situation, steps, settings.real)
                measured[policy][situation].append(seconds)
                print(f"{policy}, {situation}: {seconds:.2f} s", file=sys.stderr)
    HOME.mkdir(parents=True, exist_ok=True)
    (HOME / "seconds.json").write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
    print(table(measured))
    print(f"\n{settings.repeats} repetitions, medians, {os.cpu_count()} cores; {HOME / 'seconds.json'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
