"""What is around the runs of a study: data, statistics, records, and the rule that ends it early."""

from __future__ import annotations

from pathlib import Path

from experiments.cli.commands.bench.app import bench
from experiments.cli.options import Json, Root
from experiments.cli.output import show_bench


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
