"""The `bakeoff bench` commands: speed and memory, each against a baseline in the same run."""

from __future__ import annotations

from pathlib import Path

from cyclopts import App

from experiments.cli.options import Json, Root
from experiments.cli.output import err, show_bench

bench = App(name="bench", help="Measure speed and memory against a baseline, both in one run.")


@bench.command(name="data")
def bench_data(*, rows: int = 50_000, as_json: Json = False) -> int:
    """Read, clean, compare and split a generated CSV of RecipeNLG's shape, with known near-copies.

    Parameters
    ----------
    rows
        Rows of the CSV.
    """
    from experiments.bench.data import bench as measure

    return show_bench(measure(rows), as_json)


@bench.command(name="train")
def bench_train(
    *,
    base: str = "smollm2-135m-embedded",
    recipes: int = 60,
    repeats: int = 3,
    root: Root = Path(),
    as_json: Json = False,
) -> int:
    """Train the same recipes as a tutorial's notebook does, as we do, and as TRL does if it is installed.

    Parameters
    ----------
    base
        A base of the catalog, or `distilgpt2-shape`: that architecture
        with random weights, for machines without Hub access.
    recipes
        Training recipes, one pass.
    repeats
        Times that each side is run, in turn; the medians are reported.
    """
    from experiments.bench.training.train import bench as measure

    return show_bench(measure(base, recipes, repeats, err.print, root), as_json)


@bench.command(name="generate")
def bench_generate(*, prompts: int = 128, baseline_prompts: int = 12, as_json: Json = False) -> int:
    """Write recipes with the notebook's sampling, against its one prompt at a time.

    Parameters
    ----------
    prompts
        Prompts that ours writes for.
    baseline_prompts
        Prompts that the notebook's way writes for: it takes seconds for each.
    """
    from experiments.bench.generation import bench as measure

    return show_bench(measure(prompts, baseline_prompts), as_json)


@bench.command(name="likelihood")
def bench_likelihood(*, documents: int = 48, as_json: Json = False) -> int:
    """Score recipes, against a perplexity loop over padded batches of 16 in fp32.

    Parameters
    ----------
    documents
        Recipes that both sides score.
    """
    from experiments.bench.likelihood import bench as measure

    return show_bench(measure(documents), as_json)


@bench.command(name="stats")
def bench_stats(*, as_json: Json = False) -> int:
    """Bootstrap every metric for ten methods on 500 documents, 10,000 draws."""
    from experiments.bench.statistics import bench as measure

    return show_bench(measure(), as_json)


@bench.command(name="study")
def bench_study(*, cells: int = 500, many: int = 10_000, as_json: Json = False) -> int:
    """Overhead of a cell beside loading and training; a study of many finished cells; reading more of them.

    Parameters
    ----------
    cells
        Finished cells of the study that is planned, concluded and reported.
    many
        Cells whose records are read.
    """
    from experiments.bench.study import bench as measure

    return show_bench(measure(cells, many), as_json)
