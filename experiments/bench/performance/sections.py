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


TOKENS = (
    "Tokens per second are supervised tokens divided by the time of the training steps; a run's first step "
    "is excluded."
)
DOCUMENTS = "Documents have 256 tokens, batches 1,024."
SECTIONS = (
    Section(
        name="train", title="Training beside a notebook and TRL", parts=("train",), table=tables.train,
        note=tables.trl,
        text="Each side in turn trains on the same recipes for one epoch, at its own learning rate: 5e-5 for "
        "the notebook, 2e-5 for TRL's defaults, 1e-4 for bakeoff (LoRA: 1e-3). *TRL, tuned* is the fastest "
        "of several settings (checkpointing, batch size, grouping by length, packing, chunked loss), listed "
        "below the table. No recipe is truncated: the longest has 497 tokens.\n\n"
        "The time *to the notebook's validation* ends when a side reaches the notebook's final bits per "
        "byte; a dash means that it did not within the epoch. Times cover the whole training call for the "
        "notebook and TRL, and only the steps for bakeoff, whose "
        "[start](#from-the-start-of-a-run-to-its-first-step) is measured separately. TRL validates in bf16, "
        "the others in fp32.",
    ),
    Section(
        name="train-distilgpt2", title="The same with DistilGPT2's shape", parts=("train-distilgpt2",),
        table=tables.train, note=tables.trl,
        text="As above. The weights are random, which trains as fast but starts worse: compare bits per byte "
        "within this table only.",
    ),
    Section(
        name="choices", title="With settings that may make a step faster", parts=("choices",),
        table=tables.growth,
        text=f"{TOKENS} {DOCUMENTS} `train.attention: blocks` rounds attention scores to bf16; "
        "`train.compile` compiles for a minute or more, once per machine and kind of method. Both are "
        "therefore off unless a study sets them, and then apply to all of its methods. Compiling gains "
        "nothing in full fine-tuning, and both at once gain less than either.",
    ),
    Section(
        name="methods", title="What a step of each method takes", parts=("methods",), table=tables.methods,
        text=f"{TOKENS} {DOCUMENTS} *Time* and *memory* are relative to `lora-r16`. Prompts and prefixes "
        "lengthen every document; their own tokens are not counted. The [board](board.md) shows how well "
        "each method learns.",
    ),
    Section(
        name="generate", title="Generation", parts=("generate", "generate-48"), table=tables.generate,
        text="The baseline generates from one prompt at a time in fp32, with transformers, timed once on "
        "each of 12 prompts. bakeoff generates from all prompts in batches, in the precision that "
        "`train.precision: auto` selects. The quickstart has 48 prompts.",
    ),
    Section(
        name="likelihood", title="Likelihoods", parts=("likelihood",), table=tables.likelihood,
        text="The baseline is a perplexity loop over padded batches of 16 in fp32, as in Hugging Face "
        "`evaluate`. Studies score in fp32 unless `evaluate.likelihood_precision` sets another precision.",
    ),
    Section(
        name="size", title="Over the size of the model", parts=("size",), table=tables.growth,
        text=f"{TOKENS} {DOCUMENTS} A *shape* is a model with random weights, which are as fast, and with "
        "the tokenizer of the first base model, so all train on the same tokens.",
    ),
    Section(
        name="length", title="Over the length of documents", parts=("length",), table=tables.growth,
        text=f"{TOKENS} Batches have the same number of tokens at every length.",
    ),
    Section(
        name="batch", title="Over the batch", parts=("batch",), table=tables.growth,
        text=f"{TOKENS} Documents have 256 tokens; *batch* is counted in tokens.",
    ),
    Section(
        name="jobs", title="Runs at once (`--jobs`)", parts=("jobs",), table=tables.growth,
        text="Two runs of full fine-tuning, one after the other or at once. Tokens per second are those of "
        "both runs over the time from the start of the first process to the end of the last. Memory is the "
        "sum over the runs that run at once.",
    ),
    Section(
        name="processes", title="Processes of one run", parts=("processes",), table=tables.growth,
        text="One run of full fine-tuning, trained by one or more processes (`train.processes`). Tokens per "
        "second are those of its training steps.",
    ),
    Section(
        name="start", title="From the start of a run to its first step", parts=("start",), table=tables.start,
        text="A run of the quickstart in a fresh process, and a script that loads the same base model and "
        "takes a step with transformers' Trainer, without probes and validation. *Next run* is forked from a "
        "process that has already imported everything: on Linux without a GPU, this is how every run of a "
        "study but the first starts. *gguf* loads the base model from a GGUF file, which is converted the "
        "*first time*. Spans and totals are medians of their own, so they need not add up.",
    ),
    Section(
        name="stats", title="Statistics", parts=("stats",), table=tables.stats,
        text="Bootstrap and randomisation tests on every metric. The baseline is a loop over draws, timed on "
        "some of them and extrapolated.",
    ),
    Section(
        name="study", title="Around the runs of a study", parts=("study",), table=tables.study,
        text="What a run costs besides training, and how long commands take on studies with many finished "
        "cells.",
    ),
    Section(
        name="data", title="Data", table=tables.data,
        parts=tuple(part.name for part in PARTS if part.name.startswith("data-")),
        text="Generated CSV files in the shape of RecipeNLG, with known copies planted, are read, "
        "cleaned, compared for near-copies and split in a fresh process.",
    ),
)  # fmt: skip
