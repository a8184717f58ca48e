"""The `bakeoff` command. Each command imports what it needs when it runs, so that help is quick."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, CycloptsError, Parameter

from experiments.cli.bench import bench
from experiments.cli.judging import judge
from experiments.cli.models import generate, merge
from experiments.cli.options import Json, Root
from experiments.cli.output import err, out, print_json, print_rows, show_conclusions
from experiments.cli.sharing import export_, import_, push
from experiments.cli.tasting import taste
from toolkit.errors import UserError
from toolkit.records.folders import Root as Folders

app = App(
    name="bakeoff",
    help="Full fine-tuning or LoRA? Compare fine-tuning methods for causal language models, with evidence.",
    help_format="markdown",
    suppress_keyboard_interrupt=False,  # main() says what is kept
)


@app.command
def run(
    study: str,
    *overrides: str,
    root: Root = Path(),
    jobs: int | None = None,
    retry_failed: Annotated[bool, Parameter(negative="")] = False,
    executor: Literal["local", "ray"] = "local",
    address: str | None = None,
    cpus: float | None = None,
    gpus: float | None = None,
    memory_gb: float | None = None,
    as_json: Json = False,
) -> int:
    """Bring a study up to date: train what is missing, evaluate, compare, and write the report.

    Finished work is never repeated; stopped work goes on where it was. What is said meanwhile is kept in
    `results/<study>/study.log`.

    Parameters
    ----------
    study
        A YAML file, or the name of a study (`bakeoff catalog studies`).
    overrides
        `key=value` pairs laid over the study: `train.epochs=2 seeds=[0,1,2]`.
    jobs
        Runs at once on this machine; they share its cores. As many as it has GPUs, one each, or one.
    retry_failed
        Try runs again that have failed before; without it they are left alone.
    executor
        `local`: processes of this machine. `ray`: tasks of a Ray cluster; `--root` is a path all nodes see.
    address
        The Ray cluster, `host:port`; the one that runs on this machine when not given.
    cpus
        Cores that a run asks of a Ray node; a fair share of the smallest one when not given.
    gpus
        GPUs that a run asks of a Ray node; one where there are any.
    memory_gb
        Memory that a run asks of a Ray node.
    """
    from experiments.design import study as studies
    from experiments.running.board import Board
    from experiments.running.executors import choose
    from experiments.running.runner import bring_up_to_date

    asked = studies.load(study, overrides)
    execute = choose(executor, jobs, address=address, cpus=cpus, gpus=gpus, memory_gb=memory_gb)
    signal.signal(signal.SIGTERM, _as_interrupt)
    results = Folders(root).results(asked.name)
    with Board(err if as_json else out, results / "study.log") as board:
        concluded = bring_up_to_date(asked, root, board, execute=execute, retry_failed=retry_failed)
        conclusions = concluded.conclusions
        board.say("drawing the report")
        from figures.report.page import build

        page = build(results, root, concluded.records)
    failed = [cell for cell in conclusions.cells if cell.status == "failed"]
    show_conclusions(conclusions, page, as_json=as_json)
    for cell in failed:
        err.print(f"failed: {cell.method}, seed {cell.seed}: {cell.error}", soft_wrap=True, style="red")
    if failed:
        err.print("Once the reason is mended, the same command with --retry-failed tries them again.")
    return 1 if failed else 0


@app.command
def report(study: str, *, root: Root = Path(), as_json: Json = False) -> int:
    """Draw a study's figures, tables and report again from its records, and print the verdicts."""
    from experiments.analysis.conclude import read
    from experiments.design import study as studies
    from figures.report.page import build

    conclusions = read(root, studies.name_of(study))
    page = build(Folders(root).results(conclusions.study), root)
    show_conclusions(conclusions, page, as_json=as_json)
    return 0


@app.command
def plan(
    study: str,
    *overrides: str,
    probe: Annotated[bool, Parameter(negative="")] = False,
    root: Root = Path(),
    as_json: Json = False,
) -> int:
    """Print a study's runs, which of them are done, and what the others will cost, before anything runs.

    Time and memory are estimated from finished runs of the same base and method on this machine.

    Parameters
    ----------
    study
        A YAML file, or the name of a study.
    overrides
        `key=value` pairs laid over the study.
    probe
        Where no finished run tells what a method costs, measure it on a few documents first.
    """
    from experiments.design import plan as plans
    from experiments.design import study as studies
    from experiments.design.grid import Grid
    from experiments.running.board import Board
    from experiments.running.runner import run_probes

    grid = Grid(studies.load(study, overrides), root)
    grid.study.headline_metrics()  # an unknown metric is refused here too
    grid.prepare()
    if probe:
        with Board(err if as_json else out) as board:
            run_probes(grid, plans.probes_for(grid), board)
    planned = plans.plan(grid)
    if as_json:
        print_json(planned)
    else:
        print_rows(grid.study.name, plans.lines(planned))
        out.print(plans.total(planned), soft_wrap=True, highlight=False)
        for said in filter(None, (planned["edited"], planned["uneven"])):
            out.print(said, soft_wrap=True, highlight=False, markup=False)
    return 0


@app.command
def audit(study: str, *, root: Root = Path(), as_json: Json = False) -> int:
    """Say whether a study's runs may be compared: each check ok, flagged or refused (exit 1)."""
    from experiments.analysis.conclude import read
    from experiments.design import study as studies

    findings = read(root, studies.name_of(study)).audit
    rows = [f.model_dump(mode="json") for f in findings]
    if as_json:
        print_json(rows)
    else:
        print_rows(f"audit of {study}", [{k: r[k] for k in ("check", "status", "text")} for r in rows])
    return 1 if any(f.status == "refused" for f in findings) else 0


@app.command
def catalog(kind: str | None = None, *, as_json: Json = False) -> int:
    """List what there is by name: models, datasets, methods, metrics, studies, formats.

    Parameters
    ----------
    kind
        Only this list.
    """
    from experiments.cli.listing import KINDS, listing

    if kind is not None and kind not in KINDS:
        from toolkit.errors import unknown_name

        raise unknown_name("list", kind, KINDS)
    found = {name: listing(name) for name in KINDS if kind in (None, name)}
    if as_json:
        print_json(found)
    else:
        for name, rows in found.items():
            print_rows(name, rows)
    return 0


@app.command
def data(study: str, *overrides: str, root: Root = Path(), as_json: Json = False) -> int:
    """Say where every document of a study went: refusals, near-copies, parts, lengths, leaks; and a figure.

    Parameters
    ----------
    study
        A YAML file, or the name of a study.
    overrides
        `key=value` pairs laid over the study.
    """
    from experiments.design import study as studies
    from experiments.design.grid import Grid
    from figures.data_report import as_json as report_of
    from figures.data_report import draw, show
    from toolkit.data.batches import encode
    from toolkit.models import load

    asked = studies.load(study, overrides)
    grid = Grid(asked, root)
    prepared = {dataset.name: grid.prepared(dataset) for dataset in asked.dataset}
    tokenizer = load.load_tokenizer(asked.base_models[0])
    said = {}
    for name, parts in prepared.items():
        texts = {"train": parts.train, "validation": parts.validation, "test": parts.test}
        lengths = {part: [len(row) for row in encode(list(t), tokenizer).ids] for part, t in texts.items()}
        figures = draw(parts, grid.root.results(asked.name) / f"data-{name}", lengths)
        said[name] = {**report_of(parts, lengths), "figures": [str(path) for path in figures]}
        if not as_json:
            show(parts, out, lengths)
            out.print(f"Figure: {figures[0]}", soft_wrap=True, highlight=False)
    if as_json:
        print_json(said)
    return 0


for command in (generate, judge, merge, push, taste):
    app.command(command)
for command, name in ((export_, "export"), (import_, "import")):
    app.command(command, name=name)
app.command(bench)


def _as_interrupt(*_: object) -> None:
    """What ends a job on a cluster is told and handled like Ctrl-C."""
    raise KeyboardInterrupt


def main(arguments: list[str] | None = None) -> None:
    """Entry point: a UserError is one line and exit 2, Ctrl-C says what is kept."""
    if not out.is_terminal and "COLUMNS" not in os.environ:
        out.width = err.width = 140  # rich's 80 columns would fold every table that goes to a file
    try:
        code = app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
    except UserError as error:
        err.print(f"bakeoff: {error}", soft_wrap=True, markup=False, highlight=False)
        code = 2
    except CycloptsError as error:
        err.print(f"bakeoff: {' '.join(str(error).split())}", soft_wrap=True, markup=False, highlight=False)
        code = 2
    except KeyboardInterrupt:
        err.print("stopped. Finished runs and checkpoints are kept; the same command goes on from there.")
        code = 130
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
