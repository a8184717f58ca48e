"""docs/calibration.md, from the simulations beside it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection
from typing import NamedTuple

from experiments.bench.calibration import tables
from experiments.bench.calibration.draws import DOCUMENT, REST, SEED
from experiments.publishing.board.rule import LEVEL

PAGE = """# Calibration

Whether the intervals and verdicts of `eval/statistics` hold what they say, by simulated studies of known
truth. Made by `python -m experiments.bench.calibration`; no number is written by hand. {repetitions}
studies per row unless a row says otherwise: a true 95 % shows as {low:.1f} to {high:.1f} %, a true 5 % as
{few:.1f} to {most:.1f} %.
"""

COVERAGE = """## One comparison

Through `compare`. *Covered*: 95 % intervals that hold the truth. *Called*: better or worse without a
difference, before any correction; 5 % is wanted. *False equivalent*: called equivalent although the true
difference lies at the margin (as wide as a typical interval); 2.5 % is wanted, since an interval of 95 %
inside the margin is two one-sided tests at 2.5 % (Schuirmann, 1987). Deviations: seeds {seed}, documents
{document}, rest {rest}. One seed speaks about two checkpoints, so its rows have no seed effect.

{table}

What still misses, and what the audit flags: *lognormal lengths* at 48 documents (its check `heavy documents`:
few carry much of the weight, or lengths vary so that they may; intervals of several seeds are symmetrical,
the error is not, and it is worst in samples that happen to hold no long document); *one seed in six
worse* at five seeds (its check `odd seed`, which sees more the more methods there are: nothing that assumes
symmetry helps);
*BLEU against base* at one seed (a few hundred short texts). Three seeds without a seed effect, and shares at
several seeds, cover more than 95 %: three seeds cannot show that they do not differ, and a share gets one
document in favour of each side at every seed. Two seeds say nothing about a method, whatever they cover.
"""

FAMILIES = """## A family: 4 methods on 3 metrics, without a difference

*Own*: each comparison knows its own seeds alone. *Moderated*: the methods' seeds inform each other
(Smyth, 2004), as in a study's primary family, but for those that an F-test finds to vary more than the
others (the audit's check `uneven seeds`). *Noisier*: coverage of the comparisons of a method (or of the
baseline, and so of all) whose seeds vary five times as much; pooled without a test, it would be about 80 %.
*Flagged*: studies in which the test finds that method, or any if none is noisier. *False calls*: studies
with any better or worse after Holm's correction. *Power*: at four true errors, as the first of the twelve.

{table}

Moderation is right on average over methods, and nearly so for one that is noisier, since the test finds it in
most studies; two seeds, which say nothing about methods, show it too seldom.
"""

MANY = """## Many comparisons

Studies with any false call after Holm's correction, independent comparisons that each know their own seeds
alone, {many} studies per cell. At the larger deviation seeds decide everything and the tails are those of one
t, the hardest case.

{table}
"""

BOARDS = """## A board of names

One method under 20 names beside a baseline, through a study's own inference, and called better as
`docs/board.md` does it: a verdict of tuned methods with three seeds or more, and a corrected p below
{level:g}. *Crowned*: boards on which any name is called better although it is not. *Recognised*: boards that
call the first name better if it is so by as many errors of a difference. {boards:,} boards per row.

{table}
"""

PROMISES = """## What decides

*Followed*: of studies of the size that a pilot names (or of the difference that it promises to detect),
those that decide; 80 % is promised, averaged over what the pilot knows of its seeds. *Named*: pilots that
name a number: the others say that documents, or seeds, do not help. The prediction allows for a seed
effect that few seeds cannot exclude, so that without one more than 80 % decide. {pilots:,} pilots per row,
each followed by up to 40 studies. If few pilots name a number, they are those whose seeds happen to lie close
together, and they promise too much; a report prints the number with its range.

{table}
"""

SEARCH = """## The search for a learning rate

Two methods that are equally good at their best rates, tuned with one seed on a grid of half decades and
confirmed: called better or worse, before any correction. The parabola's rate is the one that studies
confirm at.

{table}
"""

LOOKS = """## Looking while a study grows

After 3, 4, 5, 6 and 8 seeds, stopped when decided. *Spending*: Lan and DeMets' levels, in use.
*Sequence*: a normal-mixture confidence sequence. *Covered*, *power*, *seeds used*: at a difference of 3.5
errors of eight seeds; covered by the interval at the look at which it stopped.

{table}
"""

GROWING = """## `bakeoff run --until decided`

The stopping rule itself, on studies of bits per byte that are looked at with 3, 5 and 8 seeds (in the rows of
12 seeds, then with 12, and with 12 and twice the documents). *Difference* and *margin*: in standard errors of
a comparison at the largest size; a margin of 0.5 is out of reach, so that only better or worse decides.
*False*: studies with any false verdict when they stopped, also equivalent at a difference as large as the
margin; 5 % is allowed. *Covered*: intervals at the look at which it stopped. *Decided*, *futile*: why studies
stopped; the others ran to their largest size. *Runs*: how many of those of the largest size were trained.
{repetitions:,} studies per row, {few:,} of four methods. `bakeoff bench until STUDY` replays the rule on a
finished study.

{table}
"""


class Section(NamedTuple):
    """A part of the page."""

    text: str
    fields: Callable[[int], dict[str, object]]
    """What the text holds, simulated with so many studies per row."""


def _only(table: Callable[[int], tables.Table]) -> Callable[[int], dict[str, object]]:
    return lambda repetitions: {"table": _lines(table(repetitions))}


def _lines(table: tables.Table) -> str:
    head, rows = table
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, tuple("---" for _ in head), *rows])


def _deviations(repetitions: int) -> dict[str, object]:
    return {"seed": SEED, "document": DOCUMENT, "rest": REST, **_only(tables.coverage)(repetitions)}


def _many(repetitions: int) -> dict[str, object]:
    studies = 5 * repetitions
    return {"many": f"{studies:,}", **_only(tables.many)(studies)}


def _boards(repetitions: int) -> dict[str, object]:
    number = max(4, repetitions // 4)
    return {"level": LEVEL, "boards": number, **_only(tables.boards)(number)}


def _promises(repetitions: int) -> dict[str, object]:
    pilots = max(4, repetitions // 2)
    return {"pilots": pilots, **_only(tables.promises)(pilots)}


def _growing(repetitions: int) -> dict[str, object]:
    few = max(4, repetitions // 5)
    return {"repetitions": repetitions, "few": few, "table": _lines(tables.growing(repetitions, few))}


SECTIONS = {
    "coverage": Section(COVERAGE, _deviations),
    "families": Section(FAMILIES, lambda n: _only(tables.families)(max(4, n // 2))),
    "many": Section(MANY, _many),
    "boards": Section(BOARDS, _boards),
    "promises": Section(PROMISES, _promises),
    "search": Section(SEARCH, _only(tables.search)),
    "looks": Section(LOOKS, _only(tables.looks)),
    "growing": Section(GROWING, _growing),
}
"""In the page's order."""


def page(
    repetitions: int,
    progress: Callable[[str], None] = lambda name: None,
    *,
    only: Collection[str] = (),
    before: str = "",
) -> str:
    """Return the page, simulated anew.

    ``progress`` gets the name of each section as it starts. ``only``: sections that are simulated, if not
    all; the others, and the introduction, are those of the page ``before``.
    """
    stored = {part.partition("\n")[0]: part.strip() for part in re.split(r"\n(?=## )", before)}
    chance = 196 * math.sqrt(0.95 * 0.05 / repetitions)
    introduction = PAGE.format(
        repetitions=f"{repetitions:,}",
        low=95 - chance,
        high=min(100.0, 95 + chance),
        few=max(0.0, 5 - chance),
        most=5 + chance,
    )
    parts = [stored.get("# Calibration", introduction) if only else introduction]
    for name, section in SECTIONS.items():
        heading = section.text.partition("\n")[0]
        if only and name not in only and heading in stored:
            parts.append(stored[heading])
            continue
        progress(name)
        parts.append(section.text.format(**section.fields(repetitions)))
    return "\n\n".join(part.strip() for part in parts) + "\n"
