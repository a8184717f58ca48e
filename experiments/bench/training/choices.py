"""`bakeoff bench choices`: training with the settings that make a step faster and are off unless chosen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from experiments.bench.sides import held_out, in_a_process
from experiments.bench.synthetic.shapes import base_folder
from experiments.bench.training.growth.axes import BATCH_TOKENS, LENGTH, POINT, STEPS
from experiments.bench.training.growth.points import summary
from experiments.bench.training.jobs import RATES
from toolkit.runtime import machine

BLOCKS, COMPILED = {"attention": "blocks"}, {"compile": True}
CHOICES: dict[str, dict[str, Any]] = {
    "defaults": {},
    "attention: blocks": BLOCKS,
    "compile": COMPILED,
    "both": {**BLOCKS, **COMPILED},
}
"""Name -> keys of `train` in a study."""


def bench(
    base: str, repeats: int, say: Callable[[str], None], *, compiled: bool = True, steps: int = STEPS
) -> dict[str, Any]:
    """Measure the choices in turn, ``repeats`` times, and return the medians as `points`.

    ``ratio`` is the speed of full fine-tuning with the fastest choice over that with the defaults, in
    supervised tokens per second of training steps, without a run's first: what compiles is not counted.
    """
    choices = {name: keys for name, keys in CHOICES.items() if compiled or "compile" not in keys}
    turns: dict[tuple[str, str], list[dict[str, Any]]] = {}
    texts = held_out(48)
    with base_folder(base) as folder:
        settings = {
            "base": str(folder), "texts": texts, "steps": steps, "length": LENGTH,
            "batch_tokens": BATCH_TOKENS,
        }  # fmt: skip
        for turn in range(repeats):
            for name, keys in choices.items():
                for method in RATES:
                    say(f"{name}, turn {turn + 1} of {repeats}: {method}")
                    measured = in_a_process(POINT, "ours", {**settings, "method": method, "train": keys})
                    turns.setdefault((method, name), []).append(measured)
    points = [summary(method, name, found) for (method, name), found in turns.items()]
    full = {point["value"]: point["tokens_per_second"] for point in points if point["method"] == "full"}
    fastest = max(full.values())
    return {
        "name": "choices",
        "ratio": round(fastest / full["defaults"], 2),
        "baseline": full["defaults"],
        "ours": fastest,
        "unit": "supervised tokens per second",
        "axis": "train",
        "base_model": base,
        "repeats": repeats,
        "points": points,
        "machine": machine(),
    }
