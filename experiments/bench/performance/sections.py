"""The sections of docs/performance.md: of which parts, what is measured, and each section's table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from experiments.bench.performance import tables
from experiments.bench.performance.parts import PARTS


@dataclass(frozen=True, kw_only=True)
class Section:
    """One heading of the page, with its table and figure."""

    name: str
    """Of its figure's file."""
    title: str
    text: str
    parts: tuple[str, ...]
    """Names of the parts that it reports."""
    table: Callable[[tables.Results], list[tables.Row]]
    """Results -> rows, the heads first."""
    note: Callable[[tables.Results], str] = lambda _: ""
    """Results -> a paragraph under the table, or nothing."""


TOKENS = "Tokens per second are supervised tokens over training steps alone, without a run's first step."
SECTIONS = (
    Section(
        name="train", title="Training beside a notebook and TRL", parts=("train",), table=tables.train,
        note=tables.trl,
        text="The same recipes, once over, by each side in turn, each with its own learning rate: the "
        "notebook's 5e-5, TRL's default 2e-5, ours 1e-4 (LoRA: 1e-3), TRL, tuned, as below. A dash for the "
        "seconds: not reached in one pass over the recipes. *TRL, tuned* is the fastest of several settings "
        "(checkpointing, batch, grouping by length, packing, chunked loss). No recipe is cut: the longest "
        "has 497 tokens. Seconds are of the whole call that trains for the notebook and TRL, of the steps "
        "for ours, whose start has a section of its own; TRL validates in bf16, the others in fp32.",
    ),
    Section(
        name="train-distilgpt2", title="The same with DistilGPT2's shape", parts=("train-distilgpt2",),
        table=tables.train, note=tables.trl,
        text="As above. Random weights train as fast and start worse: compare bits per byte within this "
        "table only.",
    ),
    Section(
        name="choices", title="With settings that may make a step faster", parts=("choices",),
        table=tables.growth,
        text=f"{TOKENS} Documents of 256 tokens in batches of 1,024. `train.attention: blocks` rounds scores "
        "to bf16, `train.compile` compiles for a minute or more, once per machine and kind of method: so "
        "both are off unless a study has them, and its methods all get the same. Compiling gains nothing in "
        "full fine-tuning, and both at once less than either.",
    ),
    Section(
        name="methods", title="What a step of each method takes", parts=("methods",), table=tables.methods,
        text=f"{TOKENS} Documents of 256 tokens in batches of 1,024; each method alone in its process. "
        "*Time* and *memory* are over those of `lora-r16`. Prompts and prefixes lengthen every document, and "
        "their own tokens are not counted. How well each method learns is on the [board](board.md).",
    ),
    Section(
        name="generate", title="Generation", parts=("generate", "generate-48"), table=tables.generate,
        text="Baseline: one prompt at a time in fp32, by transformers, timed once over 12 of them. Ours: all "
        "prompts in batches, in the precision of `train.precision: auto`. 48 prompts are the quickstart's.",
    ),
    Section(
        name="likelihood", title="Likelihoods", parts=("likelihood",), table=tables.likelihood,
        text="Baseline: a perplexity loop over padded batches of 16 in fp32, as `evaluate` has it. Studies "
        "score in fp32 unless `evaluate.likelihood_precision` says otherwise.",
    ),
    Section(
        name="size", title="Over the size of the model", parts=("size",), table=tables.growth,
        text=f"{TOKENS} Documents of 256 tokens in batches of 1,024. A *shape* has random weights, which "
        "are as fast, and the tokenizer of the first base, so that all train on the same tokens.",
    ),
    Section(
        name="length", title="Over the length of documents", parts=("length",), table=tables.growth,
        text=f"{TOKENS} The batch has as many tokens at each length.",
    ),
    Section(
        name="batch", title="Over the batch", parts=("batch",), table=tables.growth,
        text=f"{TOKENS} Documents of 256 tokens; the batch in tokens.",
    ),
    Section(
        name="jobs", title="Runs at once (`--jobs`)", parts=("jobs",), table=tables.growth,
        text="Two runs of full fine-tuning, one after the other and at once: all their tokens over the time "
        "from the start of the first process to the end of the last. Memory: the sum of those at once.",
    ),
    Section(
        name="processes", title="Processes of one run", parts=("processes",), table=tables.growth,
        text="One run of full fine-tuning (`train.processes`). Tokens per second of its training steps.",
    ),
    Section(
        name="start", title="From the start of a run to its first step", parts=("start",), table=tables.start,
        text="A run of the quickstart in a fresh process, and a script that loads the same base and takes a "
        "step with transformers' Trainer, without probes and validation. *Next run* is forked by a process "
        "that has imported everything, as all runs of a study but the first are on Linux without a GPU. "
        "*gguf, first time* converts it. Seconds of a span are medians, and so are those in all: they need "
        "not add up.",
    ),
    Section(
        name="stats", title="Statistics", parts=("stats",), table=tables.stats,
        text="Bootstrap and randomisation of every metric. Baseline: a loop over draws, extrapolated.",
    ),
    Section(
        name="study", title="Around the runs of a study", parts=("study",), table=tables.study,
        text="What a run costs beside its training, and commands on studies of many finished cells.",
    ),
    Section(
        name="data", title="Data", table=tables.data,
        parts=tuple(part.name for part in PARTS if part.name.startswith("data-")),
        text="Generated CSV files of RecipeNLG's shape, read, cleaned, compared for near-copies and split "
        "in a fresh process, with known copies planted.",
    ),
)  # fmt: skip
