"""The `bakeoff bench` commands: speed and memory, each against a baseline in the same run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from experiments.cli.options import Json, Root
from experiments.cli.output import err, out, print_json, print_rows, show_bench

bench = App(name="bench", help="Measure speed and memory against a baseline, both in one run.")
EMBEDDED = "smollm2-135m-embedded"


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
    base: str = EMBEDDED,
    recipes: int = 60,
    repeats: int = 3,
    trl: bool = True,
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
    trl
        Whether TRL is measured if it is installed: its settings are tried out first, for minutes.
    """
    from experiments.bench.training.train import bench as measure

    return show_bench(measure(base, recipes, repeats, err.print, root, with_trl=trl), as_json)


@bench.command(name="generate")
def bench_generate(
    *,
    base: str = EMBEDDED,
    prompts: int = 128,
    baseline_prompts: int = 12,
    repeats: int = 3,
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
    repeats: int = 3,
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


@bench.command(name="stats")
def bench_stats(
    *, documents: int = 500, methods: int = 10, draws: int = 10_000, as_json: Json = False
) -> int:
    """Bootstrap every metric for ten methods on 500 documents, 10,000 draws.

    Parameters
    ----------
    documents
        Documents that each method is scored on.
    methods
        Methods that are compared with a baseline.
    draws
        Draws of the bootstrap and of the randomisation test.
    """
    from experiments.bench.statistics import bench as measure

    return show_bench(measure(documents, methods, draws), as_json)


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


@bench.command(name="start")
def bench_start(*, base: str = EMBEDDED, repeats: int = 3, as_json: Json = False) -> int:
    """Start runs in fresh processes and divide the seconds until their first step is done.

    Parameters
    ----------
    base
        A base of the catalog, or a shape such as `distilgpt2-shape`.
    repeats
        Times that each run is started, in turn; the medians are reported.
    """
    from experiments.bench.training.start import bench as measure

    return show_bench(measure(base, repeats, err.print), as_json)


@bench.command(name="growth")
def bench_growth(
    axis: Literal["size", "length", "batch", "jobs", "processes"],
    *,
    values: str = "",
    base: str = EMBEDDED,
    repeats: int = 3,
    as_json: Json = False,
) -> int:
    """Tokens per second and peak memory of training as one setting grows.

    Parameters
    ----------
    axis
        What grows: the model's size, the documents' length, the batch's tokens, runs at once, or the
        processes that train one run.
    values
        Values of the axis, with commas between them; of `size`, bases of the catalog or shapes.
    base
        What is trained on the other axes: a base of the catalog, or a shape such as `distilgpt2-shape`.
    repeats
        Times that each point is measured; the medians are reported.
    """
    from experiments.bench.training.growth.axes import bench as measure

    chosen = [value.strip() for value in values.split(",") if value.strip()]
    return show_bench(measure(axis, chosen, base, repeats, err.print), as_json)


@bench.command(name="choices")
def bench_choices(
    *, base: str = EMBEDDED, repeats: int = 3, compiled: bool = True, as_json: Json = False
) -> int:
    """Train with the settings that make a step faster and are off unless chosen, each and both.

    Parameters
    ----------
    base
        A base of the catalog, or a shape such as `distilgpt2-shape`.
    repeats
        Times that each choice is measured, in turn; the medians are reported.
    compiled
        Whether `train.compile` is measured: it compiles for minutes, once per machine.
    """
    from experiments.bench.training.choices import bench as measure

    return show_bench(measure(base, repeats, err.print, compiled=compiled), as_json)


@bench.command(name="until")
def bench_until(study: str, *, root: Root = Path(), as_json: Json = False) -> int:
    """Replay the rule of `bakeoff run --until decided` on a finished study: runs saved, verdicts that agree.

    Parameters
    ----------
    study
        A study with results, of more than three seeds.
    """
    from experiments.bench.calibration.growing import bench as measure
    from experiments.design import study as studies

    return show_bench(measure(studies.name_of(study), root), as_json)


@bench.command(name="all")
def bench_all(
    *,
    only: str | None = None,
    quick: bool = False,
    minutes: float | None = None,
    records: Path | None = None,
    page: Path | None = None,
    as_json: Json = False,
) -> int:
    """Measure every bench that this machine has no result of, and write docs/performance.md from all of them.

    Stopped, the same command continues: a part that is finished is not measured again, unless its file is
    deleted. A part that fails is named, the others are measured, and the exit code is 1.

    Parameters
    ----------
    only
        Parts to measure, with commas between them, such as `train,size,data`.
    quick
        Try every part at toy size, in minutes; its numbers say nothing.
    minutes
        Stop after this time; what is left is named.
    records
        Folder of the results; `experiments/results/bench/` and the machine's name unless given.
    page
        File to write; `docs/performance.md` unless given, and `performance.md` beside the results of a trial.
    """
    from experiments.bench.performance.run import bring_up_to_date

    done = bring_up_to_date(only, err.print, quick=quick, minutes=minutes, records=records, page=page)
    if as_json:
        print_json(done.as_json())
    else:
        print_rows("bench all", [vars(outcome) for outcome in done.outcomes])
        out.print(f"\nPage: {done.page}")
    return int(any(outcome.status == "failed" for outcome in done.outcomes))
