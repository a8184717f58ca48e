"""What a step of every method takes, from `bakeoff bench methods`: all measured in one go on one machine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from experiments.publishing.kept import RESULTS


class Steps(NamedTuple):
    """Time and memory of each method over those of the baseline."""

    device: str
    of: Mapping[str, tuple[float, float]]
    """Method -> its time per token and its peak memory, over the baseline's."""


def read(baseline: str, results: Path = RESULTS) -> Steps | None:
    """Return the last kept measurement that has the baseline; None without one."""
    files = sorted((results / "bench").glob("*/methods.json"))
    whole = [
        path for path in files if not path.parent.name.endswith("-quick")
    ]  # a trial's numbers say nothing
    found = [json.loads(path.read_text(encoding="utf-8")) for path in whole]
    for one in sorted(found, key=lambda result: str(result["date"]), reverse=True):
        points = {point["method"]: point for point in one["measured"]["points"]}
        if baseline in points:
            speed, memory = points[baseline]["tokens_per_second"], _memory(points[baseline])
            of = {
                method: (speed / point["tokens_per_second"], _memory(point) / memory)
                for method, point in points.items()
            }
            return Steps(device=str(one["environment"]["device"]), of=of)
    return None


def _memory(point: Mapping[str, float]) -> float:
    return point.get("cuda_allocated_bytes") or point["peak_memory_bytes"]
