"""The commands that read what a finished study left: `bakeoff recommend`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from experiments.cli.options import Json, Root
from experiments.cli.output import out, print_json, print_rows
from toolkit.errors import UserError


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
