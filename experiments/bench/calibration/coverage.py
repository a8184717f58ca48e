"""One comparison, and families of them: coverage, false calls and power, through the public functions."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np

from eval.metrics.base import Floats
from eval.statistics.compare import compare, holm
from eval.statistics.crossed import SeedPrior, mean_squares, spread, two_sided, upper_tail
from eval.statistics.variance_components import seed_priors, uneven_methods
from experiments.bench.calibration.draws import DOCUMENT, KINDS, REST, SEED

ALPHA = 0.05
DRAWS = 2000
METHODS, METRICS = 4, 3
NOISIER = 5.0
"""How many times as much the noisier method's seeds vary."""


class Coverage(NamedTuple):
    """How often one kind of comparison is right."""

    covered: float
    """Share of 95 % intervals that hold the truth."""
    called: float | None
    """Share of verdicts better or worse, uncorrected, if there is no difference; None if there is one."""
    equivalent: float
    """Share of verdicts equivalent if the true difference lies at the margin (4 median errors)."""


def coverage(kind: str, seeds: int, documents: int, repetitions: int, seed: int = 0) -> Coverage:
    """Simulate comparisons of a kind and judge them through `compare`."""
    draw = np.random.default_rng([seed, seeds, documents])
    rows = []
    for number in range(repetitions):
        drawn = KINDS[kind](draw, seeds, documents)
        found = compare(
            drawn.metric,
            drawn.method,
            drawn.baseline,
            margin=None,
            clusters=drawn.clusters,
            predict=False,
            seed=number % 4,
            draws=DRAWS,
        )
        if found.low is not None and found.high is not None and found.p is not None:
            rows.append((found.low - drawn.truth, found.high - drawn.truth, found.p, drawn.truth))
    low, high, p, truth = np.array(rows).T
    covered = (low <= 0) & (high >= 0)
    called = ~covered & (p < ALPHA)
    margin = float(np.median(high - low))  # about four errors
    inside = (low + margin > -margin) & (high + margin < margin)
    return Coverage(
        float(covered.mean()), float(called.mean()) if not truth.any() else None, float(inside.mean())
    )


class Family(NamedTuple):
    """How a family of methods x metrics comes out."""

    covered: float
    noisier: float
    """Covered of the comparisons of the noisier method; of the last method if none is."""
    flagged: float
    """Share of studies in which the audit names the noisier method; any method if none is noisier."""
    false_calls: float
    """Share of studies with any better or worse after Holm's correction."""
    power: float
    """Share of comparisons at 4 true errors that are called as the first of the family."""


def family(
    seeds: int,
    documents: int,
    deviation: float,
    noisier: int | None,
    moderated: bool,
    repetitions: int,
    seed: int = 1,
) -> Family:
    """Simulate studies of 4 methods against a baseline on 3 metrics without a true difference.

    ``noisier``: the method whose seeds vary five times as much, 0 for the baseline; ``moderated``: whether
    the methods' seeds inform each other.
    """
    draw = np.random.default_rng([seed, seeds, documents, int(1000 * deviation)])
    tests = METHODS * METRICS
    error = np.sqrt(deviation**2 / seeds + DOCUMENT**2 / documents + REST**2 / (seeds * documents))
    covered, of_noisier, flagged, wrong, called = [], [], 0, 0, []
    for _ in range(repetitions):
        methods = _methods(draw, seeds, documents, deviation, noisier)  # [metric, method, S, N]
        named = uneven_methods(methods.mean(axis=-1).tolist())
        flagged += bool(named) if noisier is None else noisier in named
        pairs = list(itertools.combinations(range(METHODS + 1), 2))
        priors = priors_of(methods, pairs, seeds) if moderated else None
        p_values = []
        for m, c in itertools.product(range(METRICS), range(METHODS)):
            values = methods[m, c + 1] - methods[m, 0]
            found, mean = spread(values), float(values.mean())
            prior = priors[m][c] if priors else None
            found = found.moderated(prior) if prior else found
            p_values.append(found.p(mean))
            if noisier is None and m == 0:
                called.append(found.p(mean + 4 * error) < ALPHA / tests)
            if noisier in (None, 0, c + 1) and (noisier is not None or c == METHODS - 1):
                of_noisier.append(p_values[-1] >= ALPHA)
        covered += [p >= ALPHA for p in p_values]
        wrong += any(p is not None and p < ALPHA for p in holm(p_values))
    power = float(np.mean(called)) if called else float("nan")
    shares = float(np.mean(covered)), float(np.mean(of_noisier)), flagged / repetitions, wrong / repetitions
    return Family(*shares, power)


def _methods(
    draw: np.random.Generator, seeds: int, documents: int, deviation: float, noisier: int | None
) -> Floats:
    """Draw values ``[metric, method, S, N]`` whose differences have the deviations of `draws.noise`."""
    shape = (METRICS, METHODS + 1)
    by_seed = np.full(METHODS + 1, deviation)
    if noisier is not None:
        by_seed[noisier] *= NOISIER
    values: Floats = (
        by_seed[:, None, None] * draw.normal(size=(*shape, seeds, 1))
        + DOCUMENT * draw.normal(size=(*shape, 1, documents))
        + REST * draw.normal(size=(*shape, seeds, documents))
    ) / np.sqrt(2)
    return values


def priors_of(methods: Floats, pairs: list[tuple[int, int]], seeds: int) -> list[list[SeedPrior | None]]:
    """Return what the seeds of all methods together say about each pair with the baseline, by metric.

    ``methods``: values ``[metric, method, seed, document]``, the baseline first. None for a method whose
    seeds vary more than the others', and for all if the baseline's do, as in a study.
    """
    firsts, seconds = zip(*pairs, strict=True)
    by_seed, _, rest = mean_squares(methods[:, list(seconds)] - methods[:, list(firsts)])
    ratios = (by_seed / rest).tolist()
    own = [[row[place] for place, pair in enumerate(pairs) if pair[0] == 0] for row in ratios]
    uneven = uneven_methods(methods.mean(axis=-1).tolist())
    return [
        [None if 0 in uneven or place in uneven else prior for place, prior in enumerate(of_metric, start=1)]
        for of_metric in seed_priors(own, ratios, seeds)
    ]


def many(
    tests: int, seeds: int, documents: int, repetitions: int, deviation: float = SEED, seed: int = 2
) -> float:
    """Return the share of studies with any false call among independent comparisons, after Holm's correction.

    Only comparisons whose seeds' part alone is small enough get their exact p-value: the sum of both parts
    exceeds a bound more often than either part does.
    """
    draw = np.random.default_rng([seed, tests, seeds])
    wrong = 0
    cells = seeds * documents
    for _ in range(repetitions):
        expected = documents * deviation**2 + REST**2
        by_seed = expected * draw.chisquare(seeds - 1, size=tests) / (seeds - 1)
        of_document = seeds * DOCUMENT**2 + REST**2
        by_document = of_document * draw.chisquare(documents - 1, size=tests) / (documents - 1)
        rest = REST**2 * draw.chisquare((seeds - 1) * (documents - 1), size=tests)
        rest = rest / ((seeds - 1) * (documents - 1))
        mean = np.abs(draw.normal(size=tests)) * np.sqrt((expected + of_document - REST**2) / cells)
        a = np.sqrt(np.maximum(by_seed, rest) / cells)
        b = np.sqrt(np.maximum(0.0, by_document - rest) / cells)
        alone = 2 * upper_tail(mean / a, np.array(seeds - 1.0))
        few = alone < ALPHA / tests
        if few.any():
            exact = two_sided(mean[few], a[few], b[few], seeds - 1, documents - 1)
            wrong += bool((exact < ALPHA / tests).any())
    return wrong / repetitions
