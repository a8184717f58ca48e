"""Training: beside other tools, by method and setting, as something grows, and until its first step."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from experiments.cli.commands.bench.app import EMBEDDED, bench
from experiments.cli.options import AtLeastOne, Json, Root
from experiments.cli.output import err, show_bench


@bench.command(name="train")
def bench_train(
    *,
    base: str = EMBEDDED,
    recipes: int = 60,
    repeats: AtLeastOne = 3,
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


@bench.command(name="methods")
def bench_methods(
    methods: str = "", *, base: str = EMBEDDED, repeats: AtLeastOne = 3, as_json: Json = False
) -> int:
    """Train every method on equal documents, in turn: what a step takes, and how much memory.

    Parameters
    ----------
    methods
        Methods of the catalog, with commas between them; those of the study `board` unless given.
    base
        A base of the catalog, or a shape such as `distilgpt2-shape`.
    repeats
        Times that each method is measured; the medians are reported.
    """
    from experiments.bench.training.methods import bench as measure

    chosen = [name.strip() for name in methods.split(",") if name.strip()]
    return show_bench(measure(base, chosen, repeats, err.print), as_json)


@bench.command(name="choices")
def bench_choices(
    *, base: str = EMBEDDED, repeats: AtLeastOne = 3, compiled: bool = True, as_json: Json = False
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


@bench.command(name="growth")
def bench_growth(
    axis: Literal["size", "length", "batch", "jobs", "processes"],
    *,
    values: str = "",
    base: str = EMBEDDED,
    repeats: AtLeastOne = 3,
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


@bench.command(name="start")
def bench_start(*, base: str = EMBEDDED, repeats: AtLeastOne = 3, as_json: Json = False) -> int:
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
