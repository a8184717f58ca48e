"""The commands that carry runs between machines and check them: `export`, `import`, `push` and `verify`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from experiments.cli.options import Json, Root
from experiments.cli.output import err, out, print_json
from toolkit.errors import UserError
from toolkit.records.folders import Root as Folders

if TYPE_CHECKING:
    from experiments.analysis.verify import Verified


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
    out.print(f"{done.file}: {count(done.runs, 'run')}, {done.bytes / 1e6:.1f} MB{left_out}")
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
        out.print(f"{target}: {count(lines, 'line')}")
    return 0


def import_(file: Path, *, root: Root = Path(), as_json: Json = False) -> int:
    """Add the runs of an exported file to those that are here. What is finished here is never changed.

    After that `bakeoff run` of the study counts them as done.

    Parameters
    ----------
    file
        What `bakeoff export` wrote, on this or another machine; also packed by xz, as studies are kept.
    """
    from experiments.sharing.incoming.importing import import_archive
    from figures.report.page import build
    from figures.wording.names import count
    from toolkit.records.folders import Root as Folders

    imported = import_archive(file, root)
    page = build(Folders(root).results(imported.study).path, root) if imported.results else None
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
            out.print(f"{count(len(runs), 'run')} {text}")
        if field in ("kept_ours", "busy"):
            for run_id in runs:
                out.print(f"  {run_id}")
    if imported.left_out:
        text = f"{len(imported.left_out)} report files left out: a report is drawn from the records"
        out.print(text)
    if page is None:
        out.print(f"results/{imported.study} is unchanged")
        if imported.kept_ours:
            out.print("To see the archive's own conclusions, import it into a folder of its own: --root")
    else:
        out.print(f"Report: {page}")
    out.print("`bakeoff run` of the study counts them as done and concludes")
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
        out.print(address)
    return 0


def verify(name: str, *, root: Root = Path(), documents: int = 4, as_json: Json = False) -> int:
    """Check the records of a study or a run: as they were written, of one another, and giving their numbers.

    Some documents are also scored again by the saved models: that of a run, or of a study the first seed of
    every method that was trained here. Exit code 1 if anything does not hold; each problem is one line.

    Parameters
    ----------
    name
        A study or the id of a run that is finished here, or an archive of `bakeoff export`:
        `STUDY.bakeoff.zip`, or one packed by xz.
    documents
        How many documents each model scores again; 0 loads none.
    """
    from experiments.sharing.incoming.checking import check_archive
    from figures.wording.names import count

    if name.endswith((".zip", ".zip.xz")):
        archive = check_archive(Path(name))
        if as_json:
            print_json({"study": archive.study, "runs": len(archive.runs), "sha256": archive.sha256})
        else:
            out.print(f"{name}: {count(len(archive.runs), 'run')}, every hash and record valid")
        return 0
    is_run = Folders(root).run(name).record.is_file()
    checked, scored = (_verified_run if is_run else _verified_study)(name, root, documents)
    if as_json:
        value = {"run" if is_run else "study": checked.name, **checked._asdict(), "documents_scored": scored}
        print_json({**value, "problems": [problem._asdict() for problem in checked.problems]})
        return 1 if checked.problems else 0
    for problem in checked.problems:
        out.print(f"{problem.where}: {problem.what}")
    counts = [
        (checked.runs, "run"),
        (checked.evaluations, "evaluation"),
        (checked.values, "value"),
        *([] if is_run else [(checked.verdicts, "verdict")]),
        (scored, "document"),
        (len(checked.problems), "problem"),
    ]
    words = [count(number, noun) for number, noun in counts]
    if checked.without_hashes:
        words.append(f"{count(checked.without_hashes, 'run')} of an earlier version, without hashes")
    out.print(f"{checked.name}: {', '.join(words)}")
    return 1 if checked.problems else 0


def _verified_study(name: str, root: Path, documents: int) -> tuple[Verified, int]:
    """Check a study's records, and if they are sound let models score documents again: how many."""
    from experiments.analysis.conclude import read
    from experiments.analysis.verify import verify as check
    from experiments.design import study as studies

    conclusions = read(root, studies.name_of(name))
    models: dict[str, tuple[str, list[str]]] = {}
    for cell in conclusions.cells:
        if cell.eval_digest and not cell.is_base:
            models.setdefault(f"{cell.condition!r} {cell.method}", (cell.run_id, [cell.eval_digest]))
    checked, scored = check(conclusions, root), 0
    for run_id, digests in () if checked.problems or documents < 1 else models.values():
        try:
            checked, more = _scored_again(checked, run_id, root, documents, digests)
            scored += more
        except UserError as error:  # its base is not here, or may not be loaded: the records are sound
            _not_scored(run_id, str(error))
    return checked, scored


def _verified_run(run_id: str, root: Path, documents: int) -> tuple[Verified, int]:
    """Check a run's records, and if they are sound let its model score documents again: how many."""
    from experiments.analysis.verify import verify_run

    checked = verify_run(run_id, root)
    if checked.problems or documents < 1:
        return checked, 0
    return _scored_again(checked, run_id, root, documents)


def _scored_again(
    checked: Verified, run_id: str, root: Path, documents: int, digests: list[str] | None = None
) -> tuple[Verified, int]:
    """Add to the problems what a run's model scores otherwise than its evaluations state."""
    from eval.inference.rescoring import rescore
    from experiments.analysis.verify import Problem
    from experiments.sharing.trust import base_of
    from toolkit import runtime
    from toolkit.records import RunRecord

    runtime.quiet_libraries()
    folder = Folders(root).run(run_id)
    record = RunRecord.read(folder.record)
    scored = rescore(record, folder, documents, base_of(record, folder, "verify"), digests)
    if scored.reason:
        _not_scored(run_id, scored.reason)
    problems = tuple(Problem(str(path), what) for path, what in scored.differing)
    return checked._replace(problems=(*checked.problems, *problems)), scored.documents


def _not_scored(run_id: str, reason: str) -> None:
    err.print(f"{run_id}: no document scored again: {reason}")
