"""Generation and likelihoods, each beside what a tutorial does."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from experiments.cli.commands.bench.app import EMBEDDED, bench
from experiments.cli.options import AtLeastOne, Json
from experiments.cli.output import show_bench


@bench.command(name="generate")
def bench_generate(
    *,
    base: str = EMBEDDED,
    prompts: int = 128,
    baseline_prompts: int = 12,
    repeats: AtLeastOne = 3,
    as_json: Json = False,
) -> int:
    """Write recipes with the notebook's sampling, against its one prompt at a time.

    Parameters
    ----------
    base
        A base of the catalog, or a shape such as `distilgpt2-shape`.
    prompts
        Prompts that ours writes for.
    baseline_prompts
        Prompts that the notebook's way writes for: it takes seconds for each.
    repeats
        Times that ours writes all texts; the median is reported.
    """
    from experiments.bench.inference.generation import bench as measure

    return show_bench(measure(base, prompts, baseline_prompts, repeats), as_json)


@bench.command(name="likelihood")
def bench_likelihood(
    *,
    base: str = EMBEDDED,
    documents: int = 48,
    repeats: AtLeastOne = 3,
    trained: Annotated[bool, Parameter(negative="")] = False,
    as_json: Json = False,
) -> int:
    """Score recipes, against a perplexity loop over padded batches of 16 in fp32.

    Parameters
    ----------
    base
        A base of the catalog, or a shape such as `distilgpt2-shape`.
    documents
        Recipes that both sides score.
    repeats
        Times that each side scores them; the medians are reported.
    trained
        Also report how far bf16 is from fp32 on the base, and on what five steps of full fine-tuning and of
        LoRA make of it.
    """
    from experiments.bench.inference.likelihood import bench as measure

    return show_bench(measure(base, documents, repeats, trained=trained), as_json)
