"""The commands about what studies left: `bakeoff recommend`, `report`, `audit` and `clean`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from experiments.cli.options import Json, Root
from experiments.cli.output import out, print_json, print_rows, show_conclusions
from toolkit.errors import UserError
from toolkit.records.folders import Root as Folders


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
    from figures.wording.names import metric_label
    from figures.wording.pairs import metric_labels, untuned_methods

    conclusions = read(root, studies.name_of(study))
    if not conclusions.recommendations:
        raise UserError(
            f"recommend: study '{conclusions.study}' has no two evaluated methods, or was concluded by an "
            f"older version; `bakeoff run {study}` concludes again"
        )
    limit = budget if budget is None or by == "time" else budget * 1e9
    labels = metric_labels(conclusions)
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
                    "worse on": ", ".join(
                        metric_label(name, labels.get(name)) for name in candidate.worse_on
                    ),
                }
                for candidate in one.candidates
            ]
            raw = untuned_methods(conclusions, one.condition)
            out.print(recommendation_text(one, conclusions.conditions, raw, labels))
            print_rows("", rows)
        out.print(f"Verdicts: `bakeoff report {conclusions.study}`")
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
    folder = Folders(root).results(conclusions.study).path
    if only:
        paths = [str(path) for path in draw_only(folder, root, only, look)]
        if as_json:
            print_json({"figures": paths})
        for path in () if as_json else paths:
            out.print(path)
        return 0
    page = build(folder, root, style=look)
    show_conclusions(conclusions, page, as_json=as_json)
    return 0


def audit(study: str, *, root: Root = Path(), as_json: Json = False) -> int:
    """Check whether a study's runs may be compared: each check is ok, flagged or refused (exit code 1).

    Parameters
    ----------
    study
        A study that has been run.
    """
    from experiments.analysis.conclude import read
    from experiments.design import study as studies
    from figures.wording.names import condition_label

    conclusions = read(root, studies.name_of(study))
    if as_json:
        print_json([finding.model_dump(mode="json") for finding in conclusions.audit])
    else:
        rows = []
        several = len(conclusions.conditions) > 1
        labels = {c: condition_label(c, conclusions.conditions) for c in conclusions.conditions}
        for f in conclusions.audit:
            place = f.base_model, f.dataset, f.train_size, f.epochs
            label = next((text for condition, text in labels.items() if condition == place), "all")
            rows.append(
                {"condition": label if several else "", "check": f.check, "status": f.status, "text": f.text}
            )
        print_rows(f"audit of {study}", rows)
    return 1 if any(finding.status == "refused" for finding in conclusions.audit) else 0


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
    out.print(f"{size} freed" if yes else f"{size} can be freed with --yes")
    return 0
