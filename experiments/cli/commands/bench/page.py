"""`bakeoff bench all`: every bench, and the page of their results."""

from __future__ import annotations

from pathlib import Path

from experiments.cli.commands.bench.app import bench
from experiments.cli.options import Json
from experiments.cli.output import err, out, print_json, print_rows


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
