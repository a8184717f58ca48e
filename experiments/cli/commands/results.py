"""The commands about what studies left: `bakeoff recommend`, `report`, `verify` and `clean`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from experiments.cli.options import Json, Root
from experiments.cli.output import err, out, print_json, print_rows, show_conclusions
from toolkit.errors import UserError
from toolkit.records.folders import Root as Folders

if TYPE_CHECKING:
    from experiments.analysis.verify import Verified


def recommend(
    study: str,
    *,
    by: Literal["memory", "time", "size"] = "memory",
    budget: float | None = None,
    root: Root = Path(),
    as_json: Json = False,
) -> int:
    """Recommend the cheapest method that is as good as the best, with the reason and what would change it.

    Exit code 1 if no method is within the budget.

    Parameters
    ----------
    study
        A study that has been run.
    by
        The cost to keep low: peak training memory, training time, or the size of what is saved.
    budget
        The most that a method may cost: GB for memory and size, seconds for time.
    """
    from experiments.analysis.conclude import read
    from experiments.analysis.recommend import choose
    from experiments.design import study as studies
    from figures.wording.evidence import cost_text, recommendation_text
    from figures.wording.pairs import untuned_methods

    conclusions = read(root, studies.name_of(study))
    if not conclusions.recommendations:
        raise UserError(
            f"recommend: study '{conclusions.study}' has no two evaluated methods, or was concluded by an "
            f"older version; `bakeoff run {study}` concludes again"
        )
    limit = budget if budget is None or by == "time" else budget * 1e9
    chosen = [choose(recommendation, by, limit) for recommendation in conclusions.recommendations]
    if as_json:
        print_json([one.model_dump(mode="json") for one in chosen])
    else:
        for one in chosen:
            rows = [
                {
                    "method": candidate.method,
                    "to the best": candidate.relation.replace("_", " "),
                    by: cost_text(candidate.cost(by), by),
                    "worse on": ", ".join(candidate.worse_on),
                }
                for candidate in one.candidates
            ]
            raw = untuned_methods(conclusions, one.condition)
            print_rows(recommendation_text(one, conclusions.conditions, raw), rows)
        out.print(f"Verdicts: `bakeoff report {conclusions.study}`", soft_wrap=True, highlight=False)
    return 1 if any(one.method is None for one in chosen) else 0


def report(
    study: str,
    *,
    root: Root = Path(),
    style: Literal["paper", "slides"] = "paper",
    width: str | None = None,
    font: Literal["sans", "serif"] = "sans",
    formats: Annotated[str | None, Parameter(name="--format")] = None,
    only: tuple[str, ...] = (),
    as_json: Json = False,
) -> int:
    """Draw a study's figures, tables and report again from its records, and print the verdicts.

    Parameters
    ----------
    study
        A study that has been run.
    style
        `paper` draws figures 7 inches wide, `slides` 5.5: a slide shows them larger, and so their text.
    width
        Width of the figures, such as `3.3in` for a column of a page, `84mm` or `240pt`.
    font
        Font of the figures.
    formats
        File types of the figures, separated by commas: pdf, png, svg, pgf. Default: pdf,png,svg.
    only
        Draw this figure alone, into `results/<study>/figures/`, and leave the report as it is; may be
        repeated. Its name is that of its file.
    """
    from experiments.analysis.conclude import read
    from experiments.design import study as studies
    from figures.report.page import build, draw_only
    from figures.style import style_of

    look = style_of(style, width, font, formats)
    conclusions = read(root, studies.name_of(study))
    folder = Folders(root).results(conclusions.study)
    if only:
        paths = [str(path) for path in draw_only(folder, root, only, look)]
        if as_json:
            print_json({"figures": paths})
        for path in () if as_json else paths:
            out.print(path, soft_wrap=True, highlight=False)
        return 0
    page = build(folder, root, style=look)
    show_conclusions(conclusions, page, as_json=as_json)
    return 0


def verify(name: str, *, root: Root = Path(), documents: int = 4, as_json: Json = False) -> int:
    """Check the records of a study or a run: as they were written, of one another, and giving their numbers.

    Some documents are also scored again by the saved models: that of a run, or of a study the first seed of
    every method that was trained here. Exit code 1 if anything does not hold; each problem is one line.

    Parameters
    ----------
    name
        A study or the id of a run that is finished here, or an archive of `bakeoff export`:
        `STUDY.bakeoff.zip`.
    documents
        How many documents each model scores again; 0 loads none.
    """
    from experiments.sharing.checking import check_archive
    from figures.wording.names import count

    if name.endswith(".zip"):
        archive = check_archive(Path(name))
        if as_json:
            print_json({"study": archive.study, "runs": len(archive.runs), "sha256": archive.sha256})
        else:
            _print(f"{name}: {count(len(archive.runs), 'run')}, every hash and record valid")
        return 0
    is_run = Folders(root).run(name).record.is_file()
    checked, scored = (_verified_run if is_run else _verified_study)(name, root, documents)
    if as_json:
        value = {"run" if is_run else "study": checked.name, **checked._asdict(), "documents_scored": scored}
        print_json({**value, "problems": [problem._asdict() for problem in checked.problems]})
        return 1 if checked.problems else 0
    for problem in checked.problems:
        _print(f"{problem.where}: {problem.what}")
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
    _print(f"{checked.name}: {', '.join(words)}")
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
    err.print(f"{run_id}: no document scored again: {reason}", soft_wrap=True, markup=False, highlight=False)


def _print(text: str) -> None:
    out.print(text, soft_wrap=True, highlight=False, markup=False)


def clean(
    *,
    yes: Annotated[bool, Parameter(negative="")] = False,
    failed: Annotated[bool, Parameter(negative="")] = False,
    data: Annotated[bool, Parameter(negative="")] = False,
    root: Root = Path(),
    as_json: Json = False,
) -> int:
    """List what no study needs: checkpoints of finished runs, leftovers of killed ones. --yes removes it.

    Finished records and weights are never removed, nor anything of a run in progress, nor temporary files
    younger than an hour.

    Parameters
    ----------
    yes
        Remove what is listed.
    failed
        Runs that failed too, with the checkpoints they could continue from.
    data
        Prepared data and tokens too; they are made again when needed.
    """
    from experiments.running.clean import removable, remove
    from figures.wording.names import amount

    items = removable(root, failed=failed, data=data)
    if yes:
        items = remove(items)
    size = amount(float(sum(item.bytes for item in items)), "bytes")
    if as_json:
        listed = [{"kind": item.kind, "path": str(item.path), "bytes": item.bytes} for item in items]
        print_json({"removed": yes, "items": listed})
        return 0
    if items:
        rows = [{"kind": i.kind, "path": str(i.path), "size": amount(float(i.bytes), "bytes")} for i in items]
        print_rows("removed" if yes else "can be removed", rows)
    out.print(f"{size} freed" if yes else f"{size} can be freed with --yes", highlight=False)
    return 0
