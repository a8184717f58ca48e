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

Do the intervals and verdicts of `eval/statistics` deliver what they promise? This page tests them on
simulated studies whose truth is known. Written by `python -m experiments.bench.calibration`; no number is
written by hand. Each row is {repetitions} studies unless stated otherwise, so a true 95 % shows as {low:.1f}
to {high:.1f} %, and a true 5 % as {few:.1f} to {most:.1f} %.
"""

COVERAGE = """## One comparison

Each comparison goes through `compare`.

- *Covered*: 95 % intervals that contain the true difference.
- *Called*: verdicts of better or worse without a difference, before any correction; the target is 5 %.
- *False equivalent*: verdicts of equivalent although the true difference lies at the margin, which is as
  wide as a typical interval. The target is 2.5 %, since a 95 % interval inside the margin amounts to two
  one-sided tests at 2.5 % (Schuirmann, 1987).

Standard deviations: {seed} between seeds, {document} between documents, {rest} for the rest. One seed
speaks about two checkpoints, so its rows have no seed effect.

{table}

What still misses:

- *lognormal lengths* at 48 documents, flagged by `heavy documents`: a few documents carry much of the
  weight, or lengths vary so much that they may. Intervals of several seeds are symmetric but the error is
  not. It is worst in samples that happen to contain no long document.
- *one seed in six worse* at five seeds, flagged by `odd seed`, which detects it more often the more methods
  there are. Nothing that assumes symmetry helps.
- *BLEU against base* at one seed, on these short texts.

Two kinds cover more than 95 %: three seeds without a seed effect, since three seeds cannot show that they
do not differ, and shares at several seeds, since a share gets one document in favour of each side at every
seed. Two seeds say nothing about a method, whatever they cover.
"""

FAMILIES = """## A family: 4 methods on 3 metrics, without a difference

- *Variance*: with *own*, each comparison uses its own seeds alone. With *moderated*, the methods' seeds
  inform each other (Smyth, 2004), as in a study's primary family; methods that an F-test finds to vary more
  than the others are left out (the audit's check `uneven seeds`).
- *Noisier*: a method, or the baseline, whose seeds vary five times as much. *Noisier covered*: coverage of
  its comparisons, which are all of them for the baseline; pooled without a test, it would be about 80 %.
- *Flagged*: studies in which the test finds that method, or any method if none is noisier.
- *False calls*: studies with any better or worse after Holm's correction.
- *Power*: at a true difference of four standard errors, tested as the first of the twelve comparisons.

{table}

Moderated intervals are right on average over methods, and nearly so for a noisier one, since the test finds
it in most studies. Two seeds, which say nothing about methods, show it too seldom.
"""

MANY = """## Many comparisons

Studies with any false call after Holm's correction, by the number of comparisons. These are independent,
and each uses its own seeds alone; {many} studies per cell. At the larger deviation between seeds (*seed
sd*), seeds decide everything and the tails are those of one t distribution, the hardest case.

{table}
"""

BOARDS = """## A board of names

One method is entered under 20 names beside a baseline and judged by a study's own inference. A name is
called better by the rule of `docs/board.md`: a verdict of tuned methods with three seeds or more, and a
corrected p below {level:g}. {boards:,} boards per row.

- *One better by*: by how many standard errors of a difference the first name is truly better.
- *Crowned*: boards on which any name is called better although it is not.
- *Recognised*: boards that call the first name better if it is.

{table}
"""

PROMISES = """## What decides

A pilot names the documents or seeds that would decide, or promises to detect a difference. Up to 40 studies
of that size, or of that difference, then follow it. {pilots:,} pilots per row.

- *Named*: pilots that name a number. The others report that more documents, or seeds, do not help.
- *Followed*: studies that decide, of those that followed. 80 % is promised, averaged over what the pilot
  knows of its seeds.

The prediction allows for a seed effect that few seeds cannot exclude, so without one more than 80 % decide.
If few pilots name a number, they are those whose seeds happen to lie close together, and they promise too
much; a report prints the number with its range.

{table}
"""

SEARCH = """## The search for a learning rate

Two methods that are equally good at their best rates are tuned with one seed, on a grid of half decades,
and then confirmed. The table shows how often they are called better or worse, before any correction.
Studies confirm at the parabola's rate.

{table}
"""

LOOKS = """## Looking while a study grows

Studies are looked at after 3, 4, 5, 6 and 8 seeds, and stop when decided.

- *None*: 5 % at every look. *Spending*: Lan and DeMets' levels, which studies use. *Sequence*: a
  normal-mixture confidence sequence.
- *Covered*, *power*, *seeds used*: at a difference of 3.5 standard errors of eight seeds; covered by the
  interval at the look at which the study stopped.

{table}
"""

GROWING = """## `bakeoff run --until decided`

The stopping rule itself, on studies of bits per byte that are looked at with 3, 5 and 8 seeds; in the rows
of 12 seeds, also with 12 seeds, and then with twice the documents. {repetitions:,} studies per row, {few:,}
for four methods. `bakeoff bench until STUDY` replays the rule on a finished study.

- *Difference* and *margin*: in standard errors of a comparison at the largest size. A margin of 0.5 is out
  of reach, so only better or worse decides.
- *False*: studies with any false verdict when they stopped, including equivalent at a difference as large
  as the margin; 5 % is allowed.
- *Covered*: intervals at the look at which the study stopped.
- *Decided*, *futile*: why studies stopped. The others ran to their largest size.
- *Runs*: share of the runs of the largest size that were trained.

{table}
"""


class Section(NamedTuple):
    """A part of the page."""

    text: str
    fields: Callable[[int], dict[str, object]]
    """Values for the text's placeholders, simulated with that many studies per row."""


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
