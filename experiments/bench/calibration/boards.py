"""A board of many names: is any called better than the baseline although none is, and one that is?"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np

from eval.metrics.base import Floats
from eval.statistics.compare import holm, judge
from eval.statistics.crossed import Spread, spread
from experiments.bench.calibration.coverage import ALPHA, priors_of
from experiments.bench.calibration.draws import DOCUMENT, REST, SEED
from experiments.publishing.board.rule import may_be_called_better


class Board(NamedTuple):
    """How a board of many names comes out."""

    crowned: float
    """Share of boards on which any name that is no better than the baseline is called better."""
    recognised: float
    """Share on which the better name is called better; nan if there is none."""


def board(
    names: int,
    seeds: int,
    documents: int,
    repetitions: int,
    *,
    deviation: float = SEED,
    better: float = 0.0,
    seed: int = 3,
) -> Board:
    """Simulate boards: one method under many names, judged as a study and called better by the board's rule.

    ``better``: by how many true errors of a difference the first name is better; 0 for a null board.
    """
    draw = np.random.default_rng([seed, names])
    error = np.sqrt(deviation**2 / seeds + DOCUMENT**2 / documents + REST**2 / (seeds * documents))
    crowned, recognised = 0, 0
    for _ in range(repetitions):
        values = np.stack([noise_of_one(draw, seeds, documents, deviation) for _ in range(names + 1)])
        values[1] += better * error
        pairs = list(itertools.combinations(range(names + 1), 2))
        priors = priors_of(values[None], pairs, seeds)[0]
        errors: list[tuple[float, Spread]] = []
        for place, prior in enumerate(priors, start=1):
            apart = values[place] - values[0]
            found = spread(apart)
            errors.append((float(apart.mean()), found.moderated(prior) if prior else found))
        corrected = holm([found.p(mean) for mean, found in errors])
        called = []
        for (mean, found), p in zip(errors, corrected, strict=True):
            if p is None or p >= ALPHA:  # no verdict, and an interval takes long to find
                called.append(False)
                continue
            half = found.quantile(1 - ALPHA)
            verdict = judge(mean - half, mean + half, p, margin=None, direction="higher").verdict
            called.append(may_be_called_better(verdict, p, seeds=seeds, tuned=True))
        recognised += called[0] and better > 0
        crowned += any(called[1:] if better > 0 else called)
    return Board(crowned / repetitions, recognised / repetitions if better > 0 else float("nan"))


def noise_of_one(draw: np.random.Generator, seeds: int, documents: int, deviation: float = SEED) -> Floats:
    """Draw one method's values, whose differences have the deviations of `draws.noise`."""
    values: Floats = (
        deviation * draw.normal(size=(seeds, 1))
        + DOCUMENT * draw.normal(size=(1, documents))
        + REST * draw.normal(size=(seeds, documents))
    ) / np.sqrt(2)
    return values
