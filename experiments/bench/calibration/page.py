"""docs/calibration.md, from the simulations beside it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Literal

import numpy as np

from experiments.bench.calibration import coverage as c
from experiments.bench.calibration import studies as s
from experiments.bench.calibration.boards import board
from experiments.bench.calibration.draws import DOCUMENT, KINDS, REST, SEED
from experiments.publishing.rule import LEVEL

Row = tuple[str, ...]
Table = tuple[Row, Iterable[Row]]

PAGE = """# Calibration

Whether the intervals and verdicts of `eval/statistics` hold what they say, by simulated studies of known
truth. Made by `python -m experiments.bench.calibration`; no number is written by hand. {repetitions}
studies per row unless a row says otherwise: a true 95 % shows as {low:.1f} to {high:.1f} %, a true 5 % as
{few:.1f} to {most:.1f} %.

## One comparison

Through `compare`. *Covered*: 95 % intervals that hold the truth. *Called*: better or worse without a
difference, before any correction; 5 % is wanted. *False equivalent*: called equivalent although the true
difference lies at the margin (as wide as a typical interval); 2.5 % is wanted, since an interval of 95 %
inside the margin is two one-sided tests at 2.5 % (Schuirmann, 1987). Deviations: seeds {seed}, documents
{document}, rest {rest}. One seed speaks about two checkpoints, so its rows have no seed effect.

{coverage}

What still misses, and what the audit flags: *lognormal lengths* at 48 documents (its check `heavy documents`:
few carry much of the weight; intervals of several seeds are symmetrical, the error is not); *one seed in six
worse* at five seeds (its check `odd seed`: nothing that assumes symmetry helps);
*BLEU against base* at one seed (a few hundred short texts). Three seeds without a seed effect, and shares at
several seeds, cover more than 95 %: three seeds cannot show that they do not differ, and a share gets one
document in favour of each side at every seed. Two seeds say nothing about a method, whatever they cover.

## A family: 4 methods on 3 metrics, without a difference

*Own*: each comparison knows its own seeds alone. *Moderated*: the methods' seeds inform each other
(Smyth, 2004), as in a study's primary family. *Noisier*: coverage of the comparisons of a method (or of
the baseline, and so of all) whose seeds vary five times as much; pooled without a test, it would be about
80 %. *False calls*: studies with any better or worse after Holm's correction. *Power*: at four true
errors, as the first of the twelve.

{families}

Moderation is right on average over methods, not for the one that is noisier: its coverage is the price of the
power. A noisier baseline is the worst case, since every comparison then has it.

## Many comparisons

Studies with any false call after Holm's correction, independent comparisons that each know their own seeds
alone, {many} studies per cell. At the larger deviation seeds decide everything and the tails are those of one
t, the hardest case.

{many_rows}

## A board of names

One method under 20 names beside a baseline, through a study's own inference, and called better as
`docs/board.md` does it: a verdict of tuned methods with three seeds or more, and a corrected p below
{level:g}. *Crowned*: boards on which any name is called better although it is not. *Recognised*: boards that
call the first name better if it is so by as many errors of a difference. {names} boards per row.

{boards}

## What decides

*Followed*: of studies of the size that a pilot names (or of the difference that it promises to detect),
those that decide; 80 % is promised, averaged over what the pilot knows of its seeds. *Named*: pilots that
name a number: the others say that documents, or seeds, do not help. The prediction allows for a seed
effect that few seeds cannot exclude, so that without one more than 80 % decide.

{promises}

## The search for a learning rate

Two methods that are equally good at their best rates, tuned with one seed on a grid of half decades and
confirmed: called better or worse, before any correction. The parabola's rate is the one that studies
confirm at.

{search}

## Looking while a study grows

After 3, 4, 5, 6 and 8 seeds, stopped when decided. *Spending*: Lan and DeMets' levels, in use.
*Sequence*: a normal-mixture confidence sequence. *Covered*, *power*, *seeds used*: at a difference of 3.5
errors of eight seeds; covered by the interval at the look at which it stopped.

{looks}
"""


def page(repetitions: int, progress: Callable[[str], None] = lambda name: None) -> str:
    """Return the whole page, simulated anew; ``progress`` gets the name of each section as it starts."""

    def section(name: str, table: Table) -> str:
        progress(name)
        head, rows = table
        lines = [head, tuple("---" for _ in head), *rows]
        return "\n".join("| " + " | ".join(line) + " |" for line in lines)

    true, false = (196 * math.sqrt(0.95 * 0.05 / repetitions) for _ in range(2))
    many = 5 * repetitions
    return PAGE.format(
        repetitions=f"{repetitions:,}",
        low=95 - true,
        high=min(100.0, 95 + true),
        few=max(0.0, 5 - false),
        most=5 + false,
        seed=SEED,
        document=DOCUMENT,
        rest=REST,
        many=f"{many:,}",
        looks=section("looks", _looks(repetitions)),
        search=section("search", _search(repetitions)),
        many_rows=section("many comparisons", _many(many)),
        level=LEVEL,
        names=f"{max(4, repetitions // 4):,}",
        boards=section("a board of names", _boards(max(4, repetitions // 4))),
        promises=section("promises", _promises(max(4, repetitions // 10))),
        families=section("families", _families(max(4, repetitions // 2))),
        coverage=section("one comparison", _coverage(repetitions)),
    )


def _coverage(repetitions: int) -> Table:
    def rows() -> Iterator[Row]:
        for kind, seeds, documents in itertools.product(KINDS, (1, 2, 3, 5), (48, 200)):
            if seeds == 1 and kind == "one seed in six worse":
                continue
            row = c.coverage(kind, seeds, documents, repetitions)
            called = "–" if row.called is None else f"{row.called:.1%}"
            yield (
                kind,
                str(seeds),
                str(documents),
                f"{row.covered:.1%}",
                called,
                f"{row.equivalent:.1%}",
            )

    return ("errors", "seeds", "documents", "covered", "called", "false equivalent"), rows()


def _families(repetitions: int) -> Table:
    def rows() -> Iterator[Row]:
        sizes = ((2, 200, 0.05), (3, 48, 0.0), (3, 48, 0.05), (3, 200, 0.1), (5, 200, 0.05))
        for (seeds, documents, deviation), noisier in itertools.product(sizes, (None, c.METHODS, 0)):
            if deviation == 0 and noisier is not None:
                continue
            for moderated in (False, True):
                row = c.family(seeds, documents, deviation, noisier, moderated, repetitions)
                who = "none" if noisier is None else "baseline" if noisier == 0 else "a method"
                yield (
                    *(str(seeds), str(documents), f"{deviation:g}", who, "moderated" if moderated else "own"),
                    f"{row.covered:.1%}",
                    f"{row.noisier:.1%}" if noisier is not None else "–",
                    f"{row.false_calls:.1%}",
                    "–" if np.isnan(row.power) else f"{row.power:.0%}",
                )

    head = ("seeds", "documents", "seed sd", "noisier", "variance", "covered", "noisier covered")
    return (*head, "false calls", "power"), rows()


def _many(repetitions: int) -> Table:
    counts = (1, 12, 60, 150, 500, 1000)

    def rows() -> Iterator[Row]:
        for seeds, deviation in itertools.product((2, 3, 5, 8), (SEED, 10 * SEED)):
            shares = (c.many(count, seeds, 200, repetitions, deviation) for count in counts)
            yield (str(seeds), f"{deviation:g}", *(f"{share:.1%}" for share in shares))

    return ("seeds", "seed sd", *(f"{count:,}" for count in counts)), rows()


def _boards(repetitions: int) -> Table:
    def rows() -> Iterator[Row]:
        for (seeds, documents), deviation, better in itertools.product(
            ((3, 48), (3, 150), (5, 150)), (SEED, 10 * SEED), (0.0, 12.0)
        ):
            row = board(20, seeds, documents, repetitions, deviation=deviation, better=better)
            recognised = "–" if np.isnan(row.recognised) else f"{row.recognised:.0%}"
            numbers = str(seeds), str(documents), f"{deviation:g}", f"{better:g}"
            yield (*numbers, f"{row.crowned:.1%}", recognised)

    return ("seeds", "documents", "seed sd", "one better by", "crowned", "recognised"), rows()


def _promises(pilots: int) -> Table:
    cases: tuple[tuple[Literal["documents", "seeds", "detectable"], int, int, float, int, float], ...] = (
        ("documents", 1, 48, 0.0, 1, 1.5),
        ("documents", 1, 48, 0.0, 12, 2.0),
        ("documents", 5, 48, 0.0, 1, 1.5),
        ("documents", 3, 48, 0.05, 12, 2.5),
        ("seeds", 3, 200, 0.05, 1, 2.2),
        ("seeds", 3, 500, 0.1, 1, 2.2),
        ("seeds", 3, 500, 0.05, 12, 2.5),
        ("seeds", 5, 200, 0.05, 12, 2.5),
        ("detectable", 1, 48, 0.0, 12, 0.0),
        ("detectable", 3, 200, 0.05, 1, 0.0),
        ("detectable", 3, 200, 0.05, 12, 0.0),
        ("detectable", 5, 200, 0.05, 12, 0.0),
    )

    def rows() -> Iterator[Row]:
        for case in cases:
            row = s.promise(*case, pilots)
            what, seeds, documents, deviation, tests, _ = case
            middle = "–" if np.isnan(row.median) else f"{row.median:.3g}"
            followed = "–" if np.isnan(row.decided) else f"{row.decided:.0%}"
            numbers = (str(seeds), str(documents), f"{deviation:g}", str(tests))
            yield (what, *numbers, f"{row.named:.0%}", middle, followed)

    head = ("promise", "seeds", "documents", "seed sd", "comparisons")
    return (*head, "named", "median", "followed"), rows()


def _search(repetitions: int) -> Table:
    def rows() -> Iterator[Row]:
        for seeds in (1, 3, 5):
            grid, parabola = (s.search(rule, seeds, 200, repetitions) for rule in ("grid", "parabola"))
            yield str(seeds), "200", f"{grid:.1%}", f"{parabola:.1%}"

    return ("confirming seeds", "documents", "grid's best rate", "parabola's rate"), rows()


def _looks(repetitions: int) -> Table:
    def rows() -> Iterator[Row]:
        rules: tuple[Literal["none", "spending", "sequence"], ...] = ("none", "spending", "sequence")
        for rule, documents in itertools.product(rules, (48, 200)):
            row = s.looks(rule, documents, repetitions)
            numbers = f"{row.false_calls:.1%}", f"{row.covered:.1%}", f"{row.power:.0%}", f"{row.seeds:.1f}"
            yield (rule, str(documents), *numbers)

    return ("rule", "documents", "false calls", "covered", "power", "seeds used"), rows()
