"""The commands that carry runs away from this machine: `bakeoff export`, `import` and `push`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from experiments.cli.options import Json, Root
from experiments.cli.output import out, print_json
from toolkit.errors import UserError


def export_(
    study: str,
    *overrides: str,
    as_: Annotated[Literal["archive", "every-eval-ever"], Parameter(name="--as")] = "archive",
    to: Path | None = None,
    root: Root = Path(),
    as_json: Json = False,
) -> int:
    """Pack a study's finished runs and conclusions, without weights or report, into one file.

    Parameters
    ----------
    study
        A YAML file, the name of a study, or the name of one that has results.
    overrides
        `key=value` pairs laid over the study; not with `every-eval-ever`, which exports what was concluded.
    as_
        `archive` for another bakeoff; `every-eval-ever` for other tools: JSON lines with one score per run,
        metric and document.
    to
        The file; `STUDY.bakeoff.zip` or `STUDY.every-eval-ever.jsonl` here if not given.
    """
    if as_ == "every-eval-ever":
        if overrides:
            raise UserError(
                f"export: `{overrides[0]}` has no effect with --as every-eval-ever, which exports what was "
                "concluded: leave it out, or conclude with it first: "
                f"`{shlex.join(('bakeoff', 'run', study, *overrides))}`"
            )
        return _every_eval_ever(study, to, root, as_json)
    from experiments.sharing.export import export
    from figures.wording.names import count

    done = export(study, overrides, root, to)
    if as_json:
        print_json({**done._asdict(), "file": str(done.file)})
        return 0
    left_out = f"; not included: {count(done.left_out, 'unfinished run')}" if done.left_out else ""
    out.print(f"{done.file}: {count(done.runs, 'run')}, {done.bytes / 1e6:.1f} MB{left_out}", soft_wrap=True)
    return 0


def _every_eval_ever(study: str, to: Path | None, root: Path, as_json: bool) -> int:
    from experiments.analysis.conclude import read
    from experiments.design import study as studies
    from experiments.sharing.every_eval_ever import export_every_eval_ever
    from figures.wording.names import count

    conclusions = read(root, studies.name_of(study))
    target = to or Path(f"{conclusions.study}.every-eval-ever.jsonl")
    lines = export_every_eval_ever(conclusions, root, target)
    if as_json:
        print_json({"file": str(target), "lines": lines})
    else:
        out.print(f"{target}: {count(lines, 'line')}", soft_wrap=True, highlight=False, markup=False)
    return 0


def import_(file: Path, *, root: Root = Path(), as_json: Json = False) -> int:
    """Add the runs of an exported file to those that are here. What is finished here is never changed.

    After that `bakeoff run` of the study counts them as done.

    Parameters
    ----------
    file
        What `bakeoff export` wrote, on this or another machine.
    """
    from experiments.sharing.importing import import_archive
    from figures.report.page import build
    from figures.wording.names import count
    from toolkit.records.folders import Root as Folders

    imported = import_archive(file, root)
    page = build(Folders(root).results(imported.study), root) if imported.results else None
    if as_json:
        print_json({**imported._asdict(), "report": page and str(page)})
        return 0
    texts = {
        "added": "added",
        "completed": "here before, with evaluations added",
        "here_already": "here before",
        "kept_ours": "already finished here with different results (kept ours)",
        "busy": "in use here, and left alone",
    }
    for field, text in texts.items():
        runs = getattr(imported, field)
        if runs:
            out.print(f"{count(len(runs), 'run')} {text}", soft_wrap=True, highlight=False)
        if field in ("kept_ours", "busy"):
            for run_id in runs:
                out.print(f"  {run_id}", soft_wrap=True, highlight=False)
    if imported.left_out:
        text = f"{len(imported.left_out)} report files left out: a report is drawn from the records"
        out.print(text, soft_wrap=True, highlight=False)
    if page is None:
        out.print(f"results/{imported.study} is unchanged", soft_wrap=True, highlight=False, markup=False)
    else:
        out.print(f"Report: {page}", soft_wrap=True, highlight=False, markup=False)
    out.print("`bakeoff run` of the study counts them as done and concludes", soft_wrap=True, highlight=False)
    return 0


def push(
    run_id: str,
    repository: str,
    *,
    private: Annotated[bool, Parameter(negative="")] = False,
    root: Root = Path(),
    as_json: Json = False,
) -> int:
    """Upload a run's weights or adapter with its model card to the Hugging Face hub.

    Parameters
    ----------
    run_id
        A folder of `runs/`.
    repository
        `owner/name` on the hub; made if it is not there.
    private
        Only you can see it.
    """
    from experiments.sharing.hub import push as upload

    address = upload(run_id, repository, root, private=private)
    if as_json:
        print_json({"run_id": run_id, "url": address})
    else:
        out.print(address, soft_wrap=True)
    return 0
