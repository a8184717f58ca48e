"""`bakeoff bench growth`: tokens per second over model size, length, batch, runs at once, or processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from experiments.bench.sides import held_out, in_a_process
from experiments.bench.synthetic.shapes import base_folder
from experiments.bench.training.growth.points import summary
from experiments.bench.training.growth.sharing import measure as measure_sharing
from experiments.bench.training.jobs import RATES
from toolkit.errors import UserError, unknown_name
from toolkit.runtime import machine

POINT = "experiments.bench.training.growth.points"
STEPS = 6
LENGTH, BATCH_TOKENS = 256, 1024
"""Tokens of a document and of a batch, where they are not what grows."""
VALUES: dict[str, tuple[str, ...]] = {
    "size": ("smollm2-135m-embedded", "gemma3-270m-shape", "qwen2.5-0.5b-shape"),
    "length": ("128", "256", "512", "1024"),
    "batch": ("256", "1024", "4096"),
    "jobs": ("1", "2"),
    "processes": ("1", "2"),
}
"""Axis -> the values it is measured at unless others are given."""
UNITS = {
    "size": "parameters",
    "length": "tokens of each document; batches of as many tokens as the longest",
    "batch": "tokens of a batch",
    "jobs": "runs at once",
    "processes": "processes that train one run",
}


def bench(
    axis: str, values: Sequence[str], base: str, repeats: int, say: Callable[[str], None]
) -> dict[str, Any]:
    """Measure each value of an axis ``repeats`` times, in turn, and return the medians as `points`.

    ``ratio`` is the speed at the last value over that at the first, of full fine-tuning. Over size, length
    and batch it is supervised tokens per second of training steps, without a run's first, which is slower;
    of two runs at once, all their tokens over the time from the start of the first process to the end of
    the last. Raises UserError for an unknown axis or a value that is no number.
    """
    if axis not in VALUES:
        raise unknown_name("growth axis", axis, VALUES)
    values = tuple(values) or VALUES[axis]
    if axis != "size" and any(not value.isdecimal() or not int(value) for value in values):
        raise UserError(f"bench growth {axis}: expected whole numbers from 1, not {' '.join(values)}")
    measure = measure_sharing if axis in ("jobs", "processes") else _points
    points = measure(axis, values, base, repeats, say)
    full = [point["tokens_per_second"] for point in points if point["method"] == "full"]
    return {
        "name": f"growth {axis}",
        "ratio": round(full[-1] / full[0], 2),
        "baseline": full[0],
        "ours": full[-1],
        "unit": f"supervised tokens per second at the first and at the last value; grows: {UNITS[axis]}",
        "axis": axis,
        "base_model": None if axis == "size" else base,
        "repeats": repeats,
        "points": points,
        "not_measured": [v for v in values if v not in {point["value"] for point in points}],
        "machine": machine(),
    }


def _points(
    axis: str, values: Sequence[str], base: str, repeats: int, say: Callable[[str], None]
) -> list[dict[str, Any]]:
    texts = held_out(48)
    turns: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for value in values:
        with base_folder(value if axis == "size" else base) as folder:
            settings = {"base": str(folder), "texts": texts, "steps": STEPS, **_sizes(axis, value, values)}
            for turn in range(repeats):
                for method in RATES:
                    say(f"{axis} {value}, turn {turn + 1} of {repeats}: {method}")
                    measured = in_a_process(POINT, "ours", {**settings, "method": method})
                    turns.setdefault((method, value), []).append(measured)
    return [summary(method, value, found) for (method, value), found in turns.items()]


def _sizes(axis: str, value: str, values: Sequence[str]) -> dict[str, int]:
    if axis == "length":
        return {"length": int(value), "batch_tokens": max(map(int, values))}
    if axis == "batch":
        return {"length": min(LENGTH, *map(int, values)), "batch_tokens": int(value)}
    return {"length": LENGTH, "batch_tokens": BATCH_TOKENS}
