"""`bakeoff bench methods`: what a step of every method takes, and its memory, all on one machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from experiments.bench.sides import held_out, in_a_process
from experiments.bench.synthetic.shapes import base_folder
from experiments.bench.training.growth.axes import BATCH_TOKENS, LENGTH, POINT, STEPS
from experiments.bench.training.growth.points import summary
from experiments.design import study as studies
from toolkit import config
from toolkit.errors import UserError
from toolkit.runtime import machine

BASELINE, FULL = "lora-r16", "full"
STUDY = "board"
"""The study whose methods are measured unless others are given."""


def bench(
    base: str, methods: Sequence[str], repeats: int, say: Callable[[str], None], *, steps: int = STEPS
) -> dict[str, Any]:
    """Measure the methods in turn, ``repeats`` times, and return the medians as `points`, fastest first.

    ``ratio`` is the speed of LoRA over that of full fine-tuning, in supervised tokens per second of training
    steps, without a run's first. Both are measured whatever ``methods`` are. A method that fails on this base
    is `not_measured`. Raises UserError for a method that is not in the catalog, or if one of these two fails.
    """
    asked = [*dict.fromkeys((BASELINE, FULL, *(methods or studies.load(STUDY).methods)))]
    for name in asked:
        config.method(name)
    turns: dict[str, list[dict[str, Any]]] = {}
    failed: dict[str, str] = {}
    with base_folder(base) as folder:
        settings = {
            "base": str(folder), "texts": held_out(48), "steps": steps, "length": LENGTH,
            "batch_tokens": BATCH_TOKENS,
        }  # fmt: skip
        for turn in range(repeats):
            for number, name in enumerate(asked, start=1):
                if name in failed:
                    continue
                say(f"turn {turn + 1} of {repeats}, method {number} of {len(asked)}: {name}")
                try:
                    turns.setdefault(name, []).append(
                        in_a_process(POINT, "ours", {**settings, "method": name})
                    )
                except UserError as error:
                    if name in (BASELINE, FULL):
                        raise
                    say(f"left out: {error}")
                    failed[name] = str(error)
    points = [summary(name, base, found) for name, found in turns.items() if name not in failed]
    speed = {point["method"]: point["tokens_per_second"] for point in points}
    return {
        "name": "methods",
        "ratio": round(speed[BASELINE] / speed[FULL], 2),
        "baseline": speed[FULL],
        "ours": speed[BASELINE],
        "unit": "supervised tokens per second",
        "base_model": base,
        "repeats": repeats,
        "points": sorted(points, key=lambda point: -float(point["tokens_per_second"])),
        "not_measured": list(failed),
        "machine": machine(),
    }
