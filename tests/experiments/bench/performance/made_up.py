"""Results of every part with made-up numbers, in the form that the benches print."""

from __future__ import annotations

from typing import Any

from experiments.bench.performance.parts import PARTS
from experiments.bench.performance.results import PartResult

ENVIRONMENT = {
    "device": "CPU: made-up, 2 cores",
    "memory_bytes": 25_000_000_000,
    "system": "Linux 6",
    "python": "3.11.7",
    "threads": 2,
    "versions": {"bakeoff": "0.1.0", "torch": "2.13.0"},
}
SIDE = {"tokens_per_second": 72.0, "peak_memory_bytes": 3e9, "validation_bits_per_byte": 0.912}
POINT = {"method": "full", "lowest": 400.0, "highest": 450.0, "peak_memory_bytes": 4e9, "parameters": 135e6}
MEASURED: dict[str, dict[str, Any]] = {
    "train": {
        "repeats": 3,
        "seconds_to_notebooks_validation": {"notebook": 99.0, "full": None},
        "trl_settings": {"packing": True, "learning_rate": 1e-4},
        "trl_tried": [
            {"settings": {}, "tokens_per_second": 140.0},
            {"settings": {"packing": True}, "tokens_per_second": 208.0},
        ],
        "sides": {"notebook": SIDE, "full": {**SIDE, "tokens_per_second": 648.0, "peak_share": 0.4}},
    },
    "generate": {
        "baseline": 13.0, "ours": 520.0, "peak_memory_bytes": {"baseline": 1e9, "ours": 2e9},
        "precision": "bf16", "prompts": 128,
    },
    "likelihood": {
        "baseline": 300.0, "ours_fp32": 600.0, "ours": 1500.0, "precision": "bf16",
        "peak_memory_bytes": {"baseline": 6e9, "ours_fp32": 2e9, "ours": 1e9},
    },
    "start": {
        "spans": {"script": {"imports": 5.0, "step": 4.5}, "full": {"imports": 3.0, "probing": 0.25}},
        "seconds": {"script": 9.6, "full": 3.25},
    },
    "choices": {
        "axis": "train",
        "repeats": 3,
        "points": [
            {**POINT, "value": value, "tokens_per_second": speed}
            for value, speed in (("defaults", 420.0), ("both", 600.0))
        ],
    },
    "methods": {
        "repeats": 3,
        "points": [
            {**POINT, "method": "lora-r16", "value": "base", "tokens_per_second": 420.0},
            {**POINT, "value": "base", "tokens_per_second": 300.0, "peak_memory_bytes": 6e9},
        ],
    },
    "stats": {"baseline": 90.0, "ours": 1.5},
    "study": {
        "baseline": 8.0, "ours": 9.5, "finished_cells": 500, "records_read": 10_000, "read_seconds": 12.0,
        "plan_seconds": 2.0, "run_seconds": 7.0, "report_seconds": 6.0,
    },
}  # fmt: skip


def result(part: str, **changes: Any) -> PartResult:
    """The part's result with made-up numbers."""
    (entry,) = (one for one in PARTS if one.name == part)
    if part.startswith("data-"):
        rows = int(entry.arguments[-1])
        measured = {
            "rows": rows, "rows_per_second": 4000.0, "seconds": rows / 4000, "recall": 0.995,
            "peak_memory_bytes": 5e8, "false_merges": 0,
        }  # fmt: skip
    elif entry.arguments[0] == "growth":
        points = [{**POINT, "value": value, "tokens_per_second": 420.0} for value in ("1", "2")]
        measured = {"axis": part, "points": points, "repeats": 3}
    else:
        measured = MEASURED[entry.arguments[0]]
    given = {
        "part": part,
        "command": entry.command(False),
        "date": "2026-11-26T02:30Z",
        "seconds": 60.0,
        "environment": ENVIRONMENT,
        "measured": measured,
    }
    return PartResult(**{**given, **changes})


def every_result() -> dict[str, PartResult]:
    """A result of every part."""
    return {part.name: result(part.name) for part in PARTS}
