"""Seeds and documents crossed, both random: the standard error of a mean, and its degrees of freedom."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eval.metrics._base import Floats, Metric

CONFIDENCE = 0.95
POWER = 0.8


def influence(metric: Metric, statistics: Floats) -> Floats:
    """Jackknife pseudo-values ``[S, N]`` of a metric from statistics ``[S, N, k]``.

    ``N f(all) - (N - 1) f(all but i)``: for a mean these are the documents' own values; for BLEU and other
    functions of sums, values whose variance is that of the metric (Efron and Stein, 1981).
    """
    n = statistics.shape[1]
    total = statistics.sum(axis=1)
    without = metric.aggregate(total[:, None, :] - statistics)
    values: Floats = n * metric.aggregate(total)[:, None] - (n - 1) * without
    return values


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Variance components of ``[seeds, documents]`` values, and the standard error of their mean."""

    seed: float
    """Variance between seeds."""
    document: float
    """Variance between documents."""
    rest: float
    """Variance of a document at a seed, besides both."""
    seeds: int
    documents: int
    error: float
    """Standard error of the mean of all."""
    freedom: float
    """Degrees of freedom of the standard error, after Satterthwaite."""

    def projected(self, seeds: int, documents: int) -> tuple[float, float]:
        """Standard error and degrees of freedom of another number of seeds and documents."""
        squares = (
            documents * self.seed + self.rest,
            seeds * self.document + self.rest,
            self.rest,
        )
        return _combine(squares, seeds, documents)


def spread(values: Floats) -> Spread:
    """Components of ``values[s, i] = mean + seed s + document i + rest``, from the mean squares.

    The standard error's square is (MS seeds + MS documents - MS rest) / (S N), never below what either
    documents or seeds alone give. One seed has no seed component: the error is then about that seed only.
    """
    seeds, documents = values.shape
    if seeds == 1:
        variance = float(values[0].var(ddof=1))
        return Spread(
            seed=0.0,
            document=variance,
            rest=0.0,
            seeds=1,
            documents=documents,
            error=float(np.sqrt(variance / documents)),
            freedom=documents - 1.0,
        )
    by_seed = values.mean(axis=1)
    by_document = values.mean(axis=0)
    residual = values - by_seed[:, None] - by_document[None, :] + values.mean()
    ms_seed = documents * float(by_seed.var(ddof=1))
    ms_document = seeds * float(by_document.var(ddof=1))
    ms_rest = float((residual**2).sum()) / ((seeds - 1) * (documents - 1))
    error, freedom = _combine((ms_seed, ms_document, ms_rest), seeds, documents)
    return Spread(
        seed=max(0.0, (ms_seed - ms_rest) / documents),
        document=max(0.0, (ms_document - ms_rest) / seeds),
        rest=ms_rest,
        seeds=seeds,
        documents=documents,
        error=error,
        freedom=freedom,
    )


def _combine(squares: tuple[float, float, float], seeds: int, documents: int) -> tuple[float, float]:
    seed, document, rest = squares
    if seeds == 1:
        return float(np.sqrt(document / documents)), documents - 1.0
    total = max(seed + document - rest, seed, document)
    if total <= 0:
        return 0.0, float(documents - 1)
    weight = seed**2 / (seeds - 1) + document**2 / (documents - 1) + rest**2 / ((seeds - 1) * (documents - 1))
    return float(np.sqrt(total / (seeds * documents))), total**2 / weight


def quantile(freedom: float, probability: float) -> float:
    """Quantile of Student's t."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, probability))


def two_sided(ratio: float, freedom: float) -> float:
    """Two-sided p-value of a difference by its standard error."""
    from scipy.special import stdtr

    return float(2 * stdtr(freedom, -abs(ratio)))
