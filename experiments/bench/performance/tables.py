"""The tables of docs/performance.md: results of a section's parts -> rows, the heads first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from experiments.bench.performance.results import PartResult
from experiments.bench.training.start import SPANS

Row = tuple[str, ...]
Results = Sequence[PartResult]
MISSING = "–"
PRODUCT, MEMORY = "of a matrix product", "peak memory (GB)"
PROCESS_MEMORY = "peak memory of the process (GB)"


def number(value: Any, digits: int = 0) -> str:
    """Return a number with thousands separated, or a dash for one that was not measured."""
    return MISSING if value is None else f"{value:,.{digits}f}"


def gigabytes(count: Any) -> str:
    """Return bytes in GB."""
    return MISSING if count is None else f"{count / 1e9:.2f}"


def percent(share: Any) -> str:
    """Return a share in per cent."""
    return MISSING if share is None else f"{share:.0%}"


SIDES = {
    "notebook": "tutorial's notebook",
    "trl": "TRL, its defaults",
    "trl-tuned": "TRL, tuned",
    "full": "bakeoff, full",
    "lora-r16": "bakeoff, LoRA",
}


def train(results: Results) -> list[Row]:
    """A row per side: the notebook, TRL, ours."""
    measured = results[0].measured
    reached = measured["seconds_to_notebooks_validation"]
    head = (
        "side", "supervised tokens/s", PRODUCT, MEMORY,
        "s to the notebook's validation", "bits per byte",
    )  # fmt: skip
    rows = [
        (
            SIDES[name],
            number(side["tokens_per_second"]),
            percent(side.get("peak_share")),
            gigabytes(memory(side)),
            number(reached.get(name), 1),
            number(side["validation_bits_per_byte"], 3),
        )
        for name in SIDES
        if (side := measured["sides"].get(name))
    ]
    return [head, *rows]


def trl(results: Results) -> str:
    """TRL's settings, and what else was tried."""
    measured = results[0].measured
    settings, tried = measured.get("trl_settings"), measured.get("trl_tried", [])
    if not settings:
        return ""
    rate = "" if "learning_rate" in settings else ", at TRL's own learning rate"
    chosen = f"*TRL, tuned*: {_settings(settings)}{rate}."
    others = "\n".join(
        f"- {_settings(one['settings'])}: {number(one['tokens_per_second'] or None)}" for one in tried
    )
    if not tried:
        return chosen
    return (
        f"{chosen} All settings that were tried, with their tokens/s on a third of the recipes "
        f"({MISSING}: failed):\n\n{others}"
    )


def _settings(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"`{name}={value}`" for name, value in settings.items()) or "defaults"


def memory(values: Mapping[str, Any]) -> Any:
    """Return peak bytes: of the GPU's allocator if there is one, else of the process."""
    return values.get("cuda_allocated_bytes") or values.get("peak_memory_bytes")


def generate(results: Results) -> list[Row]:
    """Two rows per number of prompts."""
    return [
        ("prompts", "side", "tokens/s", PROCESS_MEMORY),
        *(
            (number(r.measured["prompts"]), *row)
            for r in results
            for row in (
                ("baseline, one at a time, fp32", *_of(r, "baseline", 1)),
                (f"bakeoff, {r.measured['precision']}", *_of(r, "ours", 1)),
            )
        ),
    ]


def likelihood(results: Results) -> list[Row]:
    """A row per side and precision; ours in fp32 only where it was measured."""
    (result,) = results
    return [
        ("side", "tokens/s", PROCESS_MEMORY),
        ("baseline, fp32", *_of(result, "baseline")),
        *([("bakeoff, fp32", *_of(result, "ours_fp32"))] if has_fp32(result) else []),
        (f"bakeoff, {result.measured['precision']}", *_of(result, "ours")),
    ]


def has_fp32(result: PartResult) -> bool:
    """Whether our side was measured in fp32 beside another precision."""
    return result.measured.get("precision") != "fp32" and "ours_fp32" in result.measured


def _of(result: PartResult, side: str, digits: int = 0) -> Row:
    """A side's speed and peak memory."""
    return (
        number(result.measured[side], digits),
        gigabytes(result.measured["peak_memory_bytes"].get(side)),
    )


def stats(results: Results) -> list[Row]:
    """Seconds of either side."""
    sides = (("baseline", "baseline"), ("bakeoff", "ours"))
    return [("side", "seconds"), *((label, number(results[0].measured[side], 2)) for label, side in sides)]


def growth(results: Results) -> list[Row]:
    """A row per method and value of the axis."""
    measured = results[0].measured
    head = (measured["axis"], "method", "supervised tokens/s", "lowest to highest", PRODUCT, MEMORY)
    rows = [
        (
            point["value"],
            point["method"],
            number(point["tokens_per_second"]),
            f"{number(point['lowest'])} to {number(point['highest'])}",
            percent(point.get("peak_share")),
            gigabytes(memory(point)),
        )
        for point in measured["points"]
    ]
    return [head, *rows]


def methods(results: Results) -> list[Row]:
    """A row per method, with its time per token and its memory over LoRA's; turns, if there are several."""
    measured = results[0].measured
    points, several = measured["points"], measured["repeats"] > 1
    (lora,) = (point for point in points if point["method"] == "lora-r16")
    turns = ("lowest to highest",) if several else ()
    head = ("method", "supervised tokens/s", *turns, "time", MEMORY, "memory")
    rows = [
        (
            point["method"],
            number(point["tokens_per_second"]),
            *((f"{number(point['lowest'])} to {number(point['highest'])}",) if several else ()),
            number(lora["tokens_per_second"] / point["tokens_per_second"], 2),
            gigabytes(memory(point)),
            number(memory(point) / memory(lora), 2),
        )
        for point in points
    ]
    return [head, *rows]


def start(results: Results) -> list[Row]:
    """A row per kind of start, a column per span of its seconds."""
    spans, whole = results[0].measured["spans"], results[0].measured["seconds"]
    names = [name for name in SPANS if any(name in case for case in spans.values())]
    rows = [
        (
            case,
            *(number(of.get(name), 1) for name in names),
            number(whole[case], 1),
            number(whole[case] - of.get("step", 0), 1),
        )
        for case, of in spans.items()
    ]
    return [("run", *names, "in all (s)", "without the step (s)"), *rows]


def study(results: Results) -> list[Row]:
    """Seconds of commands."""
    measured = results[0].measured
    cells, many = number(measured["finished_cells"]), number(measured["records_read"])
    commands = {f"`bakeoff {c}`, {cells} cells": measured[f"{c}_seconds"] for c in ("plan", "run", "report")}
    return [
        ("what", "seconds"),
        ("a cell of a tiny base: loaded, trained, saved", number(measured["ours"], 1)),
        ("the same in a plain script", number(measured["baseline"], 1)),
        *((command, number(seconds, 1)) for command, seconds in commands.items()),
        (f"reading the records of {many} cells", number(measured["read_seconds"], 1)),
    ]  # fmt: skip


def data(results: Results) -> list[Row]:
    """A row per number of rows."""
    head = ("rows", "rows/s", "seconds", "peak memory (GB)", "planted copies found", "false merges")
    rows = [
        (
            number(m["rows"]),
            number(m["rows_per_second"]),
            number(m["seconds"], 1),
            gigabytes(m["peak_memory_bytes"]),
            f"{m['recall']:.2%}",
            number(m["false_merges"]),
        )
        for m in (result.measured for result in results)
    ]
    return [head, *rows]
