"""The tables of docs/calibration.md: which studies are simulated, and one row for each."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Literal

import numpy as np

from experiments.bench.calibration import coverage as c
from experiments.bench.calibration import growing as g
from experiments.bench.calibration import studies as s
from experiments.bench.calibration.boards import board
from experiments.bench.calibration.draws import KINDS, SEED
from experiments.design.planning.looks import Size

Row = tuple[str, ...]
Table = tuple[Row, Iterable[Row]]


def coverage(repetitions: int) -> Table:
    """One comparison: every kind of error, seeds and documents."""

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


def families(repetitions: int) -> Table:
    """A family of comparisons, each on its own or moderated, with and without a noisier method."""

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
                    f"{row.flagged:.0%}",
                    f"{row.false_calls:.1%}",
                    "–" if np.isnan(row.power) else f"{row.power:.0%}",
                )

    head = ("seeds", "documents", "seed sd", "noisier", "variance", "covered", "noisier covered")
    return (*head, "flagged", "false calls", "power"), rows()


def many(repetitions: int) -> Table:
    """Families of up to 1,000 independent comparisons."""
    counts = (1, 12, 60, 150, 500, 1000)

    def rows() -> Iterator[Row]:
        for seeds, deviation in itertools.product((2, 3, 5, 8), (SEED, 10 * SEED)):
            shares = (c.many(count, seeds, 200, repetitions, deviation) for count in counts)
            yield (str(seeds), f"{deviation:g}", *(f"{share:.1%}" for share in shares))

    return ("seeds", "seed sd", *(f"{count:,}" for count in counts)), rows()


def boards(repetitions: int) -> Table:
    """One method under 20 names: none better, or the first of them."""

    def rows() -> Iterator[Row]:
        for (seeds, documents), deviation, better in itertools.product(
            ((3, 48), (3, 150), (5, 150)), (SEED, 10 * SEED), (0.0, 12.0)
        ):
            row = board(20, seeds, documents, repetitions, deviation=deviation, better=better)
            recognised = "–" if np.isnan(row.recognised) else f"{row.recognised:.0%}"
            numbers = str(seeds), str(documents), f"{deviation:g}", f"{better:g}"
            yield (*numbers, f"{row.crowned:.1%}", recognised)

    return ("seeds", "documents", "seed sd", "one better by", "crowned", "recognised"), rows()


def promises(pilots: int) -> Table:
    """What pilots name, and what followed; ``pilots`` per row."""
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


def search(repetitions: int) -> Table:
    """Two equal methods, each at the rate that its search chose."""

    def rows() -> Iterator[Row]:
        for seeds in (1, 3, 5):
            grid, parabola = (s.search(rule, seeds, 200, repetitions) for rule in ("grid", "interpolated"))
            yield str(seeds), "200", f"{grid:.1%}", f"{parabola:.1%}"

    return ("confirming seeds", "documents", "grid's best rate", "parabola's rate"), rows()


def looks(repetitions: int) -> Table:
    """Rules for looking at a growing study."""

    def rows() -> Iterator[Row]:
        rules: tuple[Literal["none", "spending", "sequence"], ...] = ("none", "spending", "sequence")
        for rule, documents in itertools.product(rules, (48, 200)):
            row = s.looks(rule, documents, repetitions)
            numbers = f"{row.false_calls:.1%}", f"{row.covered:.1%}", f"{row.power:.0%}", f"{row.seeds:.1f}"
            yield (rule, str(documents), *numbers)

    return ("rule", "documents", "false calls", "covered", "power", "seeds used"), rows()


def growing(repetitions: int, few: int) -> Table:
    """`bakeoff run --until decided`, with ``few`` studies per row of four methods."""
    small = [Size(3, 48), Size(5, 48), Size(8, 48)]
    large = [*small, Size(12, 48), Size(12, 96)]
    usual = [Size(seeds, 200) for seeds, _ in small]
    cases = (
        *((1, small, *case) for case in ((0.0, 0.5), (0.0, 4.0), (4.0, 4.0), (3.5, 0.5))),
        *((1, usual, *case) for case in ((0.0, 0.5), (0.0, 4.0), (4.0, 4.0), (3.5, 0.5))),
        *((1, large, *case) for case in ((0.0, 0.5), (3.5, 0.5))),
        *((4, small, *case) for case in ((0.0, 0.5), (0.0, 4.0), (3.5, 0.5))),
    )

    def rows() -> Iterator[Row]:
        for methods, sizes, difference, margin in cases:
            row = g.growing(methods, sizes, difference, margin, repetitions if methods == 1 else few)
            most = sizes[-1]
            numbers = (str(methods), f"{most.seeds}", f"{most.documents}", f"{difference:g}", f"{margin:g}")
            shares = f"{row.wrong:.1%}", f"{row.covered:.1%}", f"{row.decided:.0%}", f"{row.futile:.0%}"
            yield (*numbers, *shares, f"{row.runs:.0%}")

    head = ("methods", "seeds", "documents", "difference", "margin")
    return (*head, "false", "covered", "decided", "futile", "runs"), rows()
