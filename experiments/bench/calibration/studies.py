"""Whole studies: a search for rates, looks while it grows, and promises about what would decide."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from eval.statistics.compare import judge
from eval.statistics.crossed import spread
from eval.statistics.power.assurance import Variances, detectable
from eval.statistics.power.changes import needed
from eval.statistics.sequential import levels, mixture_width
from experiments.bench.calibration.draws import DOCUMENT, REST, SEED, noise
from experiments.design.learning_rates import confirming_rate

ALPHA = 0.05
GRID = [10.0 ** (k / 2) for k in range(-3, 4)]
"""Seven learning rates half a decade apart."""
STEEPNESS = 0.026 / 0.5**2
"""Loss per squared decade from the optimum, in bits per byte: .026 at half a decade, as measured."""
RUN, TUNING, TEXT, TEXT_RUN = 0.003, 0.001, 0.02, 0.01
"""Deviations in bits per byte: of a seed, of a validation score besides, of a difference by document, and of
a document at a seed."""
LOOKS = (3, 4, 5, 6, 8)
"""Seeds at which a growing study is looked at."""


def search(rule: Literal["grid", "interpolated"], seeds: int, documents: int, repetitions: int) -> float:
    """Return how often two methods, equally good at their best rates, are called different, uncorrected.

    Each is tuned with one seed on the grid, whose place relative to its optimum is random, and confirmed with
    ``seeds`` at the grid's best rate or at the parabola's.
    """
    draw = np.random.default_rng([4, seeds, documents])
    called = 0
    for _ in range(repetitions):
        regret = []
        for _ in range(2):
            optimum = draw.uniform(-0.25, 0.25)
            scores = {rate: _loss(rate, optimum) + np.hypot(RUN, TUNING) * draw.normal() for rate in GRID}
            chosen = confirming_rate(scores, rule)
            assert chosen is not None  # noqa: S101 - every simulated loss is finite
            regret.append(_loss(chosen.rate, optimum))
        values = (
            regret[0]
            - regret[1]
            + np.sqrt(2) * RUN * draw.normal(size=(seeds, 1))
            + TEXT * draw.normal(size=(1, documents))
            + TEXT_RUN * draw.normal(size=(seeds, documents))
        )
        called += spread(values).p(float(values.mean())) < ALPHA
    return called / repetitions


def _loss(rate: float, optimum: float) -> float:
    away = np.log10(rate) - optimum
    return float(STEEPNESS * away**2 * (2.0 if away > 0 else 1.0))


class Looks(NamedTuple):
    """How a rule for looking at a growing study comes out."""

    false_calls: float
    covered: float
    """Of the interval at the look at which it stopped."""
    power: float
    """At a difference of 3.5 errors of the largest size."""
    seeds: float
    """Mean number used at that difference."""


def looks(rule: Literal["none", "spending", "sequence"], documents: int, repetitions: int) -> Looks:
    """Simulate studies looked at after 3, 4, 5, 6 and 8 seeds, stopped when decided.

    ``none``: 5 % at every look; ``spending``: `sequential.levels`; ``sequence``: the bound of the
    normal-mixture confidence sequence, with the tail of the error that is used everywhere.
    """
    from scipy.special import ndtr

    informations = [size / LOOKS[-1] for size in LOOKS]
    bounds = [ALPHA] * len(LOOKS)
    if rule == "spending":
        bounds = levels(informations)
    elif rule == "sequence":
        bounds = [float(2 * ndtr(-mixture_width(t))) for t in informations]
    draw = np.random.default_rng([5, documents])
    most = LOOKS[-1]
    error = np.sqrt(SEED**2 / most + DOCUMENT**2 / documents + REST**2 / (most * documents))
    called, covered, found, used = 0, 0, 0, 0
    for _ in range(repetitions):
        values = noise(draw, most, documents)
        errors = [(spread(values[:size]), float(values[:size].mean())) for size in LOOKS]
        p_values = [one.p(mean) for one, mean in errors]
        stop = next((k for k, p in enumerate(p_values) if p < bounds[k]), len(LOOKS) - 1)
        called += p_values[stop] < bounds[stop]
        shifted = [one.p(mean + 3.5 * error) for one, mean in errors]
        stop = next((k for k, p in enumerate(shifted) if p < bounds[k]), len(LOOKS) - 1)
        found += shifted[stop] < bounds[stop]
        used += LOOKS[stop]
        covered += p_values[stop] >= bounds[stop]
    total = repetitions
    return Looks(called / total, covered / total, found / total, used / total)


class Promise(NamedTuple):
    """What followed from a promise of 80 % power."""

    decided: float
    """Share of followed studies that decided, over the pilots that named a number."""
    named: float
    """Share of pilots that named a number."""
    median: float
    """Median number named."""


def promise(
    what: Literal["documents", "seeds", "detectable"],
    seeds: int,
    documents: int,
    deviation: float,
    tests: int,
    difference: float,
    pilots: int,
    studies: int = 40,
) -> Promise:
    """Follow pilots: run studies of the size each names, with the true difference, and count decisions.

    ``difference``: in errors of the pilot. With "detectable", the studies have the pilot's size and the
    difference that it promises to detect.
    """
    draw = np.random.default_rng([6, seeds, documents, tests, int(1000 * deviation)])
    deviation = deviation if seeds > 1 else 0.0
    error = np.sqrt(deviation**2 / seeds + DOCUMENT**2 / documents + REST**2 / (seeds * documents))
    decided, numbers = [], []
    for _ in range(pilots):
        pilot = spread(noise(draw, seeds, documents, deviation))
        size = (seeds, documents)
        true = difference * error
        if what == "detectable":
            number: float | None = detectable(Variances.of(pilot), seeds, documents, tests)
            true = number or 0.0
        else:
            ways = needed(pilot, true, None, tests)
            number = ways.documents if what == "documents" else ways.seeds
            if number is not None:
                size = (seeds, int(number)) if what == "documents" else (int(number), documents)
        if number is None:
            continue
        numbers.append(number)
        for _ in range(studies if size[0] * size[1] < 20_000 else 5):
            values = noise(draw, *size, deviation) + true
            found, mean = spread(values), float(values.mean())
            decided.append(judge(mean, mean, found.p(mean) * tests, margin=None, direction="higher").verdict)
    share = float(np.mean([verdict != "undecided" for verdict in decided])) if decided else float("nan")
    middle = float(np.median(numbers)) if numbers else float("nan")
    return Promise(share, len(numbers) / pilots, middle)
