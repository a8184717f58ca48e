"""`bakeoff taste`: a blind taste test of what the methods wrote, and what its votes say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from experiments.cli.options import Json, Root
from experiments.cli.output import out, print_json, print_rows
from toolkit.errors import UserError

if TYPE_CHECKING:
    from experiments.playground.taste.preferences import Preferences
    from experiments.playground.taste.votes import Counted


def taste(
    study: str,
    *,
    votes: Annotated[list[Path] | None, Parameter(negative="", consume_multiple=True)] = None,
    methods: Annotated[list[str] | None, Parameter(negative="", consume_multiple=True)] = None,
    baseline: str | None = None,
    pairs: int | None = None,
    question: str | None = None,
    seed: int | None = None,
    root: Root = Path(),
    as_json: Json = False,
) -> int:
    """Write a blind taste test of a study's generations, or read its votes with --votes.

    The page is one file without a server: pairs of texts for the same prompt, sides and order drawn, no
    method named. Raters save their votes as a file and send it back.

    Parameters
    ----------
    study
        A study that has results.
    votes
        Files that raters saved: who is preferred, with intervals.
    methods
        Only these methods; all of the study when not given.
    baseline
        The method that the others are compared with; the study's baseline when not given. With --votes, the
        one that the test was written with.
    pairs
        How many pairs a rater judges at most; 60 when not given. With fewer than there are couples of
        methods, every pair shows the baseline.
    question
        What raters are asked; "Which text is better?" when not given.
    seed
        Seed of sides and order; 0 when not given.
    """
    from experiments.analysis.conclude import read
    from experiments.design.study import name_of
    from experiments.playground.taste import page
    from experiments.playground.taste import votes as ballots
    from experiments.playground.taste.preferences import preferences

    conclusions = read(root, name_of(study))
    if not votes:
        written = page.write_page(
            conclusions,
            root,
            question=question or "Which text is better?",
            seed=seed or 0,
            most=60 if pairs is None else pairs,
            methods=methods or (),
            baseline=baseline,
        )
        if as_json:
            print_json({"page": str(written.page), **written.test.model_dump(mode="json")})
        else:
            out.print(f"Page: {written.page} ({written.test.pairs} pairs)")
            out.print("Send it to raters; read their files with --votes.")
        return 0
    asked = {"--methods": methods, "--pairs": pairs, "--question": question, "--seed": seed}
    if given := [option for option, value in asked.items() if value is not None]:
        raise UserError(
            f"taste: {', '.join(given)} belong to a page that is written; --votes reads those of one that was"
        )
    test, key = page.read_key(root, name_of(study), ballots.taste_test_of(votes[0]))
    counted = ballots.read(votes, key, test.taste_test)
    compared_with = baseline or test.baseline or conclusions.baseline
    result = preferences(counted.votes, compared_with)
    if as_json:
        print_json(_as_json(result, counted))
    else:
        _show(result, counted, compared_with)
    return 0


def _as_json(result: Preferences, counted: Counted) -> dict[str, object]:
    table = [preference._asdict() for preference in result.against_baseline]
    return {
        **result._asdict(), "against_baseline": table,
        "repeated": counted.repeated, "foreign": counted.foreign,
    }  # fmt: skip


def _show(result: Preferences, counted: Counted, baseline: str) -> None:
    rows = [
        {
            "method": one.method,
            f"preferred to {baseline}": f"{100 * one.share:.0f} %",
            "95 % interval": ""
            if one.low is None or one.high is None
            else f"{100 * one.low:.0f} to {100 * one.high:.0f} %",
            "p (Holm)": "" if one.p_holm is None else f"{one.p_holm:.3g}",
            "verdict": one.verdict,
        }
        for one in result.against_baseline
    ]
    print_rows(f"preferences, without ties ({result.about})", rows)
    lines = [
        f"{result.votes} votes ({result.ties} ties) of {result.raters} raters on {result.prompts} prompts"
    ]
    if counted.repeated or counted.foreign:
        lines.append(f"not counted: {counted.repeated} given twice, {counted.foreign} on unknown pairs")
    if result.alpha is not None:
        lines.append(f"agreement between raters: Krippendorff's alpha {result.alpha:.2f}")
    if result.left_share is not None and result.left_p is not None:
        lines.append(f"position: left chosen in {100 * result.left_share:.0f} % (p = {result.left_p:.2g})")
    for line in lines:
        out.print(line)
