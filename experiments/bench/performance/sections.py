"""The sections of docs/performance.md: of which parts, what is measured, and each section's table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from experiments.bench.performance.parts import PARTS
from experiments.bench.performance.results import PartResult
from experiments.bench.training.start import SPANS

Row = tuple[str, ...]
Results = Sequence[PartResult]
MISSING = "–"
PRODUCT, MEMORY = "of a matrix product", "peak memory (GB)"


@dataclass(frozen=True, kw_only=True)
class Section:
    """One heading of the page, with its table and figure."""

    name: str
    """Of its figure's file."""
    title: str
    text: str
    parts: tuple[str, ...]
    """Names of the parts that it reports."""
    table: Callable[[Results], list[Row]]
    """Results -> rows, the heads first."""


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
    "full-compiled": "bakeoff, full, compiled",
    "lora-r16-compiled": "bakeoff, LoRA, compiled",
}


def _train(results: Results) -> list[Row]:
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


def memory(values: Mapping[str, Any]) -> Any:
    """Return peak bytes: of the GPU's allocator if there is one, else of the process."""
    return values.get("cuda_allocated_bytes") or values.get("peak_memory_bytes")


def _pair(digits: int, unit: str) -> Callable[[Results], list[Row]]:
    def table(results: Results) -> list[Row]:
        measured = results[0].measured
        peaks = measured.get("peak_memory_bytes", {})
        head = ("side", unit, *(("peak memory of the process (GB)",) if peaks else ()))
        rows = [
            (label, number(measured[side], digits), *((gigabytes(peaks.get(side)),) if peaks else ()))
            for side, label in (("baseline", "baseline"), ("ours", "bakeoff"))
        ]
        return [head, *rows]

    return table


def _growth(results: Results) -> list[Row]:
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


def _start(results: Results) -> list[Row]:
    spans = results[0].measured["spans"]
    names = [name for name in SPANS if any(name in case for case in spans.values())]
    rows = [
        (case, *(number(of.get(name), 1) for name in names), number(sum(of.values()), 1))
        for case, of in spans.items()
    ]
    return [("run", *names, "in all (s)"), *rows]


def _study(results: Results) -> list[Row]:
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


def _data(results: Results) -> list[Row]:
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


TOKENS = "Tokens per second are supervised tokens over training steps alone, without a run's first step."
SECTIONS = (
    Section(
        name="train", title="Training beside a notebook and TRL", parts=("train",), table=_train,
        text="The same recipes, once over, by each side in turn. TRL, tuned: the fastest of eight settings "
        "(checkpointing, batch, grouping by length, packing, chunked loss), tried on a third of the recipes.",
    ),
    Section(
        name="train-distilgpt2", title="The same with DistilGPT2's shape", parts=("train-distilgpt2",),
        table=_train,
        text="As above. The weights are random, which are as fast and learn from further off: bits per byte "
        "compare the sides, and nothing else.",
    ),
    Section(
        name="generate", title="Generation", parts=("generate",), table=_pair(1, "tokens/s"),
        text="Baseline: one prompt at a time in fp32, by transformers. Ours: all prompts in batches.",
    ),
    Section(
        name="likelihood", title="Likelihoods", parts=("likelihood",), table=_pair(0, "tokens/s"),
        text="Baseline: a perplexity loop over padded batches of 16 in fp32, as `evaluate` has it.",
    ),
    Section(
        name="size", title="Over the size of the model", parts=("size",), table=_growth,
        text=f"{TOKENS} Documents of 256 tokens in batches of 1,024. A *shape* has random weights, which "
        "are as fast, and the tokenizer of the first base, so that all train on the same tokens.",
    ),
    Section(
        name="length", title="Over the length of documents", parts=("length",), table=_growth,
        text=f"{TOKENS} The batch has as many tokens at each length.",
    ),
    Section(
        name="batch", title="Over the batch", parts=("batch",), table=_growth,
        text=f"{TOKENS} Documents of 256 tokens; the batch in tokens.",
    ),
    Section(
        name="jobs", title="Runs at once (`--jobs`)", parts=("jobs",), table=_growth,
        text="Two runs of full fine-tuning, one after the other and at once: all their tokens over the time "
        "from the start of the first process to the end of the last. Memory: the sum of those at once.",
    ),
    Section(
        name="processes", title="Processes of one run", parts=("processes",), table=_growth,
        text="One run of full fine-tuning (`train.processes`). Tokens per second of its training steps.",
    ),
    Section(
        name="start", title="From the start of a run to its first step", parts=("start",), table=_start,
        text="A run of the quickstart in a fresh process, and a script that loads the same base and takes a "
        "step with transformers' Trainer, without probes and validation. *Next run* is forked by a process "
        "that has imported everything, as all runs of a study are. *gguf, first time* converts it.",
    ),
    Section(
        name="stats", title="Statistics", parts=("stats",), table=_pair(2, "seconds"),
        text="Bootstrap and randomisation of every metric. Baseline: a loop over draws, extrapolated.",
    ),
    Section(
        name="study", title="Around the runs of a study", parts=("study",), table=_study,
        text="What a run costs beside its training, and commands on studies of many finished cells.",
    ),
    Section(
        name="data", title="Data", table=_data,
        parts=tuple(part.name for part in PARTS if part.name.startswith("data-")),
        text="Generated CSV files of RecipeNLG's shape, read, cleaned, compared for near-copies and split "
        "in a fresh process, with known copies planted.",
    ),
)  # fmt: skip
