"""The commands about a study: `bakeoff new`, `run`, `plan` and `data`."""

from __future__ import annotations

import re
import signal
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from experiments.cli.options import Json, Root
from experiments.cli.output import err, out, print_json, print_rows, show_conclusions
from toolkit.errors import UserError
from toolkit.records import Conclusions
from toolkit.records.files import write_text
from toolkit.records.folders import Root as Folders
from toolkit.specs.base import NAME


def new(name: str, *, as_json: Json = False) -> int:
    """Write a commented study file with every key, `NAME.yaml` in the working folder. It runs as it is.

    Parameters
    ----------
    name
        The study's name. A file of that name is not overwritten.
    """
    from experiments.design.keys import new_study

    path = Path(f"{name.removesuffix('.yaml')}.yaml")
    if not re.match(NAME, path.stem):
        raise UserError(
            f"'{path.stem}' is no name of a study: it is made of letters, digits, `.`, `+`, `-` and `_`, and "
            "begins with a letter, a digit or `_`"
        )
    if path.exists():
        raise UserError(f"{path} exists: choose another name, or remove it")
    write_text(path, new_study(path.stem))
    if as_json:
        print_json({"file": str(path)})
    else:
        out.print(f"{path}: edit it, then `bakeoff plan {path}`")
    return 0


def run(
    study: str,
    *overrides: str,
    root: Root = Path(),
    jobs: int | None = None,
    retry_failed: Annotated[bool, Parameter(negative="")] = False,
    until: Literal["decided"] | None = None,
    budget: str | None = None,
    executor: Literal["local", "ray"] = "local",
    address: str | None = None,
    cpus: float | None = None,
    gpus: float | None = None,
    memory_gb: float | None = None,
    as_json: Json = False,
) -> int:
    """Bring a study up to date: train what is missing, evaluate, compare, and write the report.

    Finished work is never repeated; stopped work continues from its last checkpoint. Progress is also written
    to `results/<study>/study.log`.

    Parameters
    ----------
    study
        A YAML file, or the name of a study (`bakeoff catalog studies`).
    overrides
        `key=value` pairs that replace the study's own: `train.epochs=2 seeds=[0,1,2]`.
    jobs
        Runs at once on this machine; they share its cores. Default: one per GPU, or one.
    retry_failed
        Try failed runs again; without it they are left alone.
    until
        `decided`: add seeds, then test documents, while a primary comparison is undecided and may be decided.
    budget
        Time that `--until` may take, e.g. `2h` or `90m`. The first size is run whatever it takes.
    executor
        `local`: processes of this machine. `ray`: tasks of a Ray cluster; `--root` is a path all nodes see.
    address
        The Ray cluster, `host:port`. Default: the one that runs on this machine.
    cpus
        Cores that a run requests from a Ray node. Default: a fair share of the smallest one.
    gpus
        GPUs that a run requests from a Ray node. Default: one if there are any.
    memory_gb
        Memory that a run requests from a Ray node.
    """
    from experiments.design import study as studies
    from experiments.design.planning.looks import seconds_of
    from experiments.running.board import Board
    from experiments.running.executors.choose import choose
    from experiments.running.runner import bring_up_to_date
    from experiments.running.until import run_until_decided
    from figures.report.page import build

    if (until is None) != (budget is None):
        raise UserError("--until decided and --budget (e.g. 2h) are given together")
    seconds = None if budget is None else seconds_of(budget)
    spec = studies.load(study, overrides)
    execute = choose(executor, jobs, address=address, cpus=cpus, gpus=gpus, memory_gb=memory_gb)
    signal.signal(signal.SIGTERM, _as_interrupt)
    results = Folders(root).results(spec.name)
    with Board(err if as_json else out, results.log) as board:
        if seconds is None:
            concluded = bring_up_to_date(spec, root, board, execute=execute, retry_failed=retry_failed)
        else:
            concluded = run_until_decided(
                spec, root, board, seconds, execute=execute, retry_failed=retry_failed
            )
        board.line("drawing the report")
        page = build(results.path, root, concluded.records)
    show_conclusions(concluded.conclusions, page, as_json=as_json)
    return _show_failures(concluded.conclusions)


def _show_failures(conclusions: Conclusions) -> int:
    """Name every failed cell; return the exit code."""
    from figures.wording.names import condition_label

    failed = [cell for cell in conclusions.cells if cell.status == "failed"]
    for cell in failed:
        several = len(conclusions.conditions) > 1
        where = f" ({condition_label(cell.condition, conclusions.conditions)})" if several else ""
        text = f"failed: {cell.method}, seed {cell.seed}{where}: {cell.error}"
        err.print(text, style="red")
    if failed:
        err.print("Fix the cause and run the same command with --retry-failed.")
    return 1 if failed else 0


def plan(
    study: str,
    *overrides: str,
    probe: Annotated[bool, Parameter(negative="")] = False,
    detect: Annotated[list[str] | None, Parameter(negative="", consume_multiple=True)] = None,
    root: Root = Path(),
    as_json: Json = False,
) -> int:
    """Print a study's runs, which of them are done, what the others will cost, and what the study can detect.

    Time and memory are estimated from finished runs of the same base and method on this machine. The minimum
    detectable difference, with 80 % power, follows from the variances of the study's finished runs, or of a
    shipped table.

    Parameters
    ----------
    study
        A YAML file, or the name of a study.
    overrides
        `key=value` pairs that replace the study's own.
    probe
        Measure the cost of methods that no finished run shows, on a few documents first.
    detect
        Differences to detect, e.g. `bits_per_byte=0.5%` or `bleu=1`: the cheapest change that reaches each.
    """
    from experiments.analysis import detectable
    from experiments.design import study as studies
    from experiments.design.planning import plan as plans
    from experiments.design.study_state import StudyState, data_cache
    from experiments.running.board import Board
    from experiments.running.runner import prepare_data, run_probes

    spec = studies.load(study, overrides)
    plans.check(spec)
    study_state = StudyState(spec, root, data=data_cache(root))
    with Board(err if as_json else out) as board:
        prepare_data(study_state, board)
        if probe:
            run_probes(study_state, plans.probes_for(study_state), board)
    planned = plans.plan(study_state)
    bases = detectable.bases_of(study_state)
    sight = detectable.detectables(spec, bases)
    targets = [detectable.wanted(spec, bases, target) for target in detect or ()]
    if as_json:
        changes = [{**t._asdict(), "change": t.change and t.change._asdict()} for t in targets]
        print_json({**planned, "detectable": [row._asdict() for row in sight], "detect": changes})
        return 0
    print_rows(study_state.study.name, plans.lines(planned))
    out.print(plans.total(planned))
    print_rows("what this study can detect, with 80 % power", detectable.as_rows(sight))
    for target in targets:
        out.print(detectable.in_words(target))
    for text in filter(None, (planned["edited"], planned["uneven"], planned["without_weights"])):
        out.print(text)
    return 0


def data(study: str, *overrides: str, root: Root = Path(), as_json: Json = False) -> int:
    """Report where every document of a study went: refusals, near-copies, splits, lengths, leaks.

    A figure is drawn into the study's results.

    Parameters
    ----------
    study
        A YAML file, or the name of a study.
    overrides
        `key=value` pairs that replace the study's own.
    """
    from experiments.design import study as studies
    from experiments.design.study_state import StudyState, data_cache
    from experiments.running.board import Board
    from figures.data_report import as_json as report_of
    from figures.data_report import draw, show
    from toolkit.data.batches import encode
    from toolkit.models import load

    spec = studies.load(study, overrides)
    study_state = StudyState(spec, root, data=data_cache(root))
    with Board(err if as_json else out) as board:
        listener = board.listener("preparing data")
        prepared = {d.name: study_state.prepared(d, listener=listener) for d in spec.dataset}
        data_reports = {d.name: study_state.data_report(d, listener) for d in spec.dataset}
    tokenizer = load.load_tokenizer(spec.base_models[0])
    reports: dict[str, Any] = {}
    for name, splits in prepared.items():
        texts = {"train": splits.train, "validation": splits.validation, "test": splits.test}
        form = next(dataset.format for dataset in spec.dataset if dataset.name == name)
        rows = {split: encode(list(t), tokenizer, form=form).ids for split, t in texts.items()}
        lengths = {split: [len(row) for row in ids] for split, ids in rows.items()}
        figures = draw(data_reports[name], study_state.root.results(spec.name).path / f"data-{name}", lengths)
        reports[name] = {**report_of(data_reports[name], lengths), "figures": [str(path) for path in figures]}
        if not as_json:
            show(data_reports[name], out, lengths)
            out.print(f"Figure: {figures[0]}")
    if as_json:
        print_json(reports)
    return 0


def _as_interrupt(*_: object) -> None:
    """Treat SIGTERM, which schedulers send, like Ctrl-C."""
    raise KeyboardInterrupt
