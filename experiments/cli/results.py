"""The commands about a study's results: `bakeoff recommend` and `report`."""

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
    from experiments.analysis.recommend import choose, cost_of
    from experiments.design import study as studies
    from figures.wording.evidence import cost_text, recommendation_text

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
                    by: cost_text(cost_of(candidate, by), by),
                    "worse on": ", ".join(candidate.worse_on),
                }
                for candidate in one.candidates
            ]
            print_rows(recommendation_text(one, conclusions.conditions), rows)
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
