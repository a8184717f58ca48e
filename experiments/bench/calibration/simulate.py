"""`python -m experiments.bench.calibration`: do intervals, p-values and verdicts hold what they say?

Simulates studies whose truth is known and writes docs/calibration.md. Nothing in it needs a model.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from eval.metrics.base import Context, Floats, Metric, ratio
from eval.statistics.compare import compare, holm, verdict
from eval.statistics.crossed import CONFIDENCE, Spread, spread
from eval.statistics.proportions import with_discordant
from toolkit.records import Outcome
from toolkit.records.files import write_text

DOCUMENT, REST = 0.3, 0.2
"""Deviation of a difference between documents, and of a document at a seed besides."""
SEEDS = (3, 5)
DOCUMENTS = (50, 200, 500)
SEED_DEVIATIONS = (0.0, 0.02, 0.05, 0.1)


class Mean(Metric):
    """A mean of the documents' own values, `(x, 1)` a document."""

    name, label, unit, signature = "mean", "mean", "points", "mean"
    direction = "higher"
    of_generations = False

    def statistics(self, outcome: Outcome, context: Context) -> tuple[float, ...] | None:
        """Unused: the statistics are drawn."""
        return None

    def aggregate(self, sums: Floats) -> Floats:
        """Sum by count."""
        return ratio(sums[..., 0], sums[..., 1])


class Row(NamedTuple):
    """One simulated situation and how often things were right or wrong."""

    seeds: int
    documents: int
    deviation: float
    covered: float
    """Share of 95 % intervals that hold the truth."""
    equivalent: float
    """Share of verdicts `equivalent` when the truth lies exactly at the margin."""
    width: float
    """Median half width, by the half width if the deviations were known."""


def noise(draw: np.random.Generator, seeds: int, documents: int, deviation: float) -> Floats:
    """Differences ``[seeds, documents]`` of true mean zero."""
    return (
        deviation * draw.normal(size=(seeds, 1))
        + DOCUMENT * draw.normal(size=(1, documents))
        + REST * draw.normal(size=(seeds, documents))
    )


def crossed(repetitions: int, seed: int = 0) -> Iterator[Row]:
    """Several seeds: coverage, and false `equivalent` at a margin of four true standard errors."""
    draw = np.random.default_rng(seed)
    for seeds, documents, deviation in itertools.product(SEEDS, DOCUMENTS, SEED_DEVIATIONS):
        error = np.sqrt(deviation**2 / seeds + DOCUMENT**2 / documents + REST**2 / (seeds * documents))
        margin = 4 * error
        covered = equivalent = 0
        widths = []
        for number in range(repetitions):
            values = noise(draw, seeds, documents, deviation)
            found, mean = spread(values), float(values.mean())
            covered += found.p(mean) > 1 - CONFIDENCE
            equivalent += _inside(found, mean + margin, margin)
            if number < 100:
                widths.append(found.quantile(CONFIDENCE) / (1.96 * error))
        yield Row(
            seeds,
            documents,
            deviation,
            covered / repetitions,
            equivalent / repetitions,
            float(np.median(widths)),
        )


def _inside(found: Spread, mean: float, margin: float) -> bool:
    """Whether the 95 % interval lies inside the margin, without asking for its ends."""
    alpha = 1 - CONFIDENCE
    return abs(mean) < margin and found.p(margin - mean) < alpha and found.p(margin + mean) < alpha


def one_seed(repetitions: int, seed: int = 1) -> Iterator[tuple[str, int, float, float]]:
    """One seed: coverage of the bootstrap and false calls of randomisation, about two given checkpoints."""
    draw = np.random.default_rng(seed)
    metric = Mean()
    for shape, documents in itertools.product(("normal", "skewed"), DOCUMENTS):
        covered = called = 0
        for number in range(repetitions):
            values = (
                draw.normal(size=documents) if shape == "normal" else draw.exponential(size=documents) - 1
            )
            table = np.stack([values, np.ones(documents)], axis=-1)[None]
            flat = np.stack([np.zeros(documents), np.ones(documents)], axis=-1)[None]
            found = compare(metric, table, flat, margin=None, seed=number % 4, draws=2000)
            covered += found.low is not None and found.high is not None and found.low <= 0 <= found.high
            called += found.verdict != "undecided"
        yield shape, documents, covered / repetitions, called / repetitions


def shares(repetitions: int, seed: int = 2) -> Iterator[tuple[int, int, float, float]]:
    """Shares of documents: coverage where both sides pass with the same probability."""
    draw = np.random.default_rng(seed)
    for seeds, documents, share in itertools.product((1, 3, 5), DOCUMENTS, (0.02, 0.5, 0.95)):
        covered = 0
        for _ in range(repetitions):
            ours, theirs = (draw.random((seeds, documents)) < share for _ in range(2))
            values = with_discordant(ours.astype(float) - theirs)
            found = spread(values)
            covered += abs(float(values.mean())) <= found.quantile(CONFIDENCE)
        yield seeds, documents, share, covered / repetitions


def families(repetitions: int, seed: int = 3) -> Iterator[tuple[int, int, float, float]]:
    """Studies of 4 methods x 3 metrics without a true difference: share with a false *better* or *worse*."""
    draw = np.random.default_rng(seed)
    for seeds, documents, deviation in itertools.product(SEEDS, DOCUMENTS, (0.0, 0.05, 0.1)):
        wrong = 0
        for _ in range(repetitions):
            base = [noise(draw, seeds, documents, deviation) for _ in range(3)]
            found = []
            for against in base * 4:
                values = noise(draw, seeds, documents, deviation) - against
                found.append((float(values.mean()), spread(values)))
            p_values = holm([each.p(mean) for mean, each in found])
            wrong += any(_called(mean, each, p) for (mean, each), p in zip(found, p_values, strict=True))
        yield seeds, documents, deviation, wrong / repetitions


def _called(mean: float, found: Spread, p: float | None) -> bool:
    """Whether a difference is called better or worse."""
    if p is None or p >= 1 - CONFIDENCE:  # spares the interval, which could not change it
        return False
    half = found.quantile(CONFIDENCE)
    return verdict(mean - half, mean + half, p, margin=None, direction="higher") != "undecided"


PAGE = """# Calibration

Whether the intervals and verdicts of `eval/statistics` hold what they say, by simulated studies whose truth
is known. Made by `python -m experiments.bench.calibration` ({repetitions} studies a row: a true 95 % shows as
{low:.1f} to {high:.1f} %); nothing here is written by hand.

## Several seeds

Differences between two methods vary by seed (`seed sd`), by document (sd {document}) and besides (sd {rest}).
*Covered* is how often the 95 % interval holds the true difference. *False equivalent* is how often a true
difference exactly at the margin (four true standard errors) is called equivalent: at most 5 % is wanted.
*Width* is the interval's median width by the width if the deviations were known: what few seeds cost.

{crossed}

Two seeds are possible and make very wide intervals; one seed says nothing about a method.

## No true difference anywhere

Studies of 4 methods on 3 metrics. *False calls* is the share of studies with any *better* or *worse* after
Holm's correction: at most 5 % is wanted. The p-values never take the seeds' part for zero, because three
seeds lie close together by chance too often for p-values as small as the correction asks for.

{families}

## Shares of documents

Structure compliance and other 0/1 outcomes, both sides passing with the same probability. The interval adds
one document in favour of each side, so that 0 of n on both sides is not taken for proof.

{shares}

## One seed

The interval is about two given checkpoints: documents are the only thing that varies. *Skewed* differences
are exponential. *Called* is how often *better* or *worse* comes out without any correction.

{one}
"""


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---:" for _ in head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def page(repetitions: int) -> str:
    """The whole page, simulated anew."""
    error = 1.96 * np.sqrt(0.95 * 0.05 / repetitions)
    return PAGE.format(
        repetitions=f"{repetitions:,}",
        low=100 * (0.95 - error),
        high=100 * (0.95 + error),
        document=DOCUMENT,
        rest=REST,
        crossed=_table(
            ("seeds", "documents", "seed sd", "covered", "false equivalent", "width"),
            [
                (
                    str(r.seeds),
                    str(r.documents),
                    f"{r.deviation:g}",
                    f"{r.covered:.1%}",
                    f"{r.equivalent:.1%}",
                )
                + (f"{r.width:.2f}",)
                for r in crossed(repetitions)
            ],
        ),
        families=_table(
            ("seeds", "documents", "seed sd", "false calls"),
            [
                (str(s), str(n), f"{d:g}", f"{wrong:.1%}")
                for s, n, d, wrong in families(max(1, repetitions // 4))
            ],
        ),
        shares=_table(
            ("seeds", "documents", "share", "covered"),
            [(str(s), str(n), f"{p:g}", f"{covered:.1%}") for s, n, p, covered in shares(repetitions // 2)],
        ),
        one=_table(
            ("differences", "documents", "covered", "called"),
            [(k, str(n), f"{c:.1%}", f"{w:.1%}") for k, n, c, w in one_seed(repetitions // 2)],
        ),
    )


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--repetitions", type=int, default=2000, help="simulated studies a row")
    parser.add_argument("--out", type=Path, default=Path("docs/calibration.md"), help="where the page goes")
    given = parser.parse_args()
    write_text(given.out, page(given.repetitions))


if __name__ == "__main__":
    main()
