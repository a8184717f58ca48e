"""Simulated studies of known truth: differences, texts, shares and clusters, as statistics of a metric."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, NamedTuple

import numpy as np

from eval.metrics import metric
from eval.metrics.base import Context, Floats, Metric, ratio
from toolkit.records import Direction, Outcome

DOCUMENT, REST = 0.3, 0.2
"""Deviation of a difference between documents, and of a document at a seed besides."""
SEED = 0.05
"""Deviation of a difference between seeds."""


class Mean(Metric):
    """A ratio of sums: (x, weight) per document."""

    name, label, unit = "mean", "mean", "points"
    direction: ClassVar[Direction] = "higher"
    of_generations = False

    @property
    def signature(self) -> str:
        """Constant: the formula does not change."""
        return "mean"

    def statistics(self, outcome: Outcome, context: Context) -> tuple[float, ...] | None:
        """Return None: the statistics are drawn."""
        return None

    def aggregate(self, sums: Floats) -> Floats:
        """Divide the sum by the weight."""
        return ratio(sums[..., 0], sums[..., 1])


class Share(Mean):
    """The same of zeros and ones."""

    name, binary = "share", True


class Drawn(NamedTuple):
    """One simulated comparison: statistics of both sides, and its true difference."""

    metric: Metric
    method: Floats
    baseline: Floats
    truth: float
    clusters: list[int] | None = None


Draw = Callable[[np.random.Generator, int, int], Drawn]


def noise(draw: np.random.Generator, seeds: int, documents: int, deviation: float = SEED) -> Floats:
    """Return differences ``[seeds, documents]`` of true mean zero, with normal errors."""
    return (
        deviation * (seeds > 1) * draw.normal(size=(seeds, 1))
        + DOCUMENT * draw.normal(size=(1, documents))
        + REST * draw.normal(size=(seeds, documents))
    )


def against_zero(values: Floats, weights: Floats | None = None, clusters: list[int] | None = None) -> Drawn:
    """Return differences as statistics against a baseline of zeros without seeds."""
    ones = np.ones(values.shape[1]) if weights is None else weights
    method = np.stack([values * ones, np.broadcast_to(ones, values.shape)], axis=-1)
    baseline = np.stack([np.zeros(values.shape[1]), ones], axis=-1)[None]
    return Drawn(Mean(), method, baseline, 0.0, clusters)


def normal(draw: np.random.Generator, seeds: int, documents: int) -> Drawn:
    """Normal errors of seeds, documents and the rest."""
    return against_zero(noise(draw, seeds, documents))


def no_seed_effect(draw: np.random.Generator, seeds: int, documents: int) -> Drawn:
    """Normal errors; seeds differ by what they do on each document alone."""
    return against_zero(noise(draw, seeds, documents, 0.0))


def heavy_errors(draw: np.random.Generator, seeds: int, documents: int) -> Drawn:
    """Student's t with 3 degrees of freedom for every part, of the same deviations."""
    scale = 3**-0.5
    parts = [(SEED * (seeds > 1), (seeds, 1)), (DOCUMENT, (1, documents)), (REST, (seeds, documents))]
    drawn = [d * scale * draw.standard_t(3, size=shape) for d, shape in parts]
    return against_zero(drawn[0] + drawn[1] + drawn[2])


def lengths(draw: np.random.Generator, seeds: int, documents: int) -> Drawn:
    """Lognormal document lengths (deviation 1 of their logarithm) to which the difference is linked."""
    logs = draw.normal(size=documents)
    values = 0.3 * (logs - 1.0) + noise(draw, seeds, documents)  # E[w (log w - 1)] = 0
    return against_zero(values, np.exp(logs))


def skewed_seeds(draw: np.random.Generator, seeds: int, documents: int) -> Drawn:
    """One seed of the method in six trains worse, by 4 of the seeds' deviations."""
    worse = -4 * SEED * (draw.random((seeds, 1)) < 1 / 6) + 4 * SEED / 6
    return against_zero(noise(draw, seeds, documents) + worse * (seeds > 1))


def shares(draw: np.random.Generator, seeds: int, documents: int) -> Drawn:
    """Both sides pass with the same chance, which moves with the seed by 0.3 on the logit scale."""
    logits = draw.normal(size=(1, documents)) + 0.3 * (seeds > 1) * draw.normal(size=(2, seeds, 1))
    passed = (draw.random((2, seeds, documents)) < 1 / (1 + np.exp(-logits))).astype(float)
    table = np.stack([passed, np.ones_like(passed)], axis=-1)
    return Drawn(Share(), table[0], table[1], 0.0)


def clustered(draw: np.random.Generator, seeds: int, documents: int) -> Drawn:
    """Clusters of one to five documents that share half of the documents' variance."""
    labels = np.repeat(np.arange(documents), draw.integers(1, 6, size=documents))[:documents]
    common = DOCUMENT * draw.normal(size=documents)[labels]
    values = noise(draw, seeds, documents) + common
    return against_zero(values, clusters=labels.tolist())


def bleu(draw: np.random.Generator, seeds: int, documents: int) -> Drawn:
    """BLEU of short texts, about 4 for the method and 1 for the untouched base; truth by 200,000 texts."""
    item = metric("bleu")
    method = _texts(draw, seeds, documents, METHOD_RATES)
    return Drawn(item, method, _texts(draw, 1, documents, BASE_RATES), _bleu_truth())


METHOD_RATES, BASE_RATES = (0.3, 0.35, 0.42, 0.5), (0.2, 0.2, 0.28, 0.35)
"""Chance that a unigram matches, and that an n-gram does if the one before it in order did."""


def _texts(draw: np.random.Generator, seeds: int, documents: int, rates: tuple[float, ...]) -> Floats:
    width = metric("bleu").value_columns or 10
    references = draw.integers(20, 90, size=(1, documents)) * np.ones((seeds, 1), dtype=int)
    lengths = np.maximum(5, (references * draw.uniform(0.7, 1.3, size=(seeds, documents))).astype(int))
    easier = np.exp(0.3 * draw.normal(size=(1, documents)))
    table = np.zeros((seeds, documents, width))
    table[..., 0], table[..., 1] = lengths, references
    matched = lengths
    for order, rate in enumerate(rates):
        total = np.maximum(0, lengths - order)
        chance = np.minimum(0.95, rate * easier) * np.ones((seeds, 1))
        matched = draw.binomial(np.minimum(matched, total), chance)
        table[..., 2 + order], table[..., 6 + order] = matched, total
    return table


_TRUTH: list[float] = []


def _bleu_truth() -> float:
    if not _TRUTH:
        draw = np.random.default_rng(99)
        sides = (_texts(draw, 1, 200_000, rates).sum(axis=1) for rates in (METHOD_RATES, BASE_RATES))
        values = [float(metric("bleu").aggregate(side)[0]) for side in sides]
        _TRUTH.append(values[0] - values[1])
    return _TRUTH[0]


KINDS: dict[str, Draw] = {
    "normal": normal,
    "no seed effect": no_seed_effect,
    "t(3) errors": heavy_errors,
    "lognormal lengths": lengths,
    "one seed in six worse": skewed_seeds,
    "shares, seeds differ": shares,
    "clusters": clustered,
    "BLEU against base": bleu,
}
