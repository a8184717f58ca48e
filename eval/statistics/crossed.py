"""Seeds and documents crossed, both random: the error of a mean from few seeds, and its quantiles."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from eval.metrics.base import Floats, Metric

CONFIDENCE = 0.95
POWER = 0.8
GRID = 1000
"""Points at which the distribution of the seeds' part is taken."""


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
    """The error of the mean of ``[seeds, documents]`` values: a part from seeds and a part from documents.

    The mean's error is distributed as ``by_seed * t(S - 1) + by_document * t(N - 1)``, the two independent
    (Behrens and Fisher). One Student's t with Satterthwaite's degrees of freedom is too narrow here: they are
    estimated too, and large exactly when the few seeds happen to lie close together.
    """

    by_seed: float
    """Standard error from seeds, in excess of what documents explain; 0 with one seed."""
    by_document: float
    """Standard error from documents."""
    rest: float
    """Variance of a document at a seed, besides both."""
    seeds: int
    documents: int

    @property
    def error(self) -> float:
        """Standard error of the mean."""
        return float(np.hypot(self.by_seed, self.by_document))

    def quantile(self, confidence: float) -> float:
        """Half the width of the interval of that (two-sided) confidence."""
        from scipy.optimize import brentq

        if self.error == 0:
            return 0.0
        tail = (1 + confidence) / 2
        documents = self.by_document * student(self.documents - 1, tail)
        if self.by_seed == 0:
            return documents
        seeds = self.by_seed * student(self.seeds - 1, tail)
        if self.by_document == 0:
            return seeds
        return float(
            brentq(
                lambda x: self.p(x) - (1 - confidence), 0.5 * max(seeds, documents), 2 * (seeds + documents)
            )
        )

    def p(self, mean: float) -> float:
        """Two-sided p-value of a mean."""
        from scipy.special import stdtr

        if self.error == 0:
            return 1.0 if mean == 0 else 0.0
        if self.by_seed == 0:
            return float(2 * stdtr(self.documents - 1, -abs(mean) / self.by_document))
        if self.by_document == 0:
            return float(2 * stdtr(self.seeds - 1, -abs(mean) / self.by_seed))
        seeds = self.by_seed * _grid(self.seeds - 1)
        return float(min(1.0, 2 * stdtr(self.documents - 1, (seeds - abs(mean)) / self.by_document).mean()))

    def guarded(self) -> Spread:
        """For p-values: with the seeds' part never below what it is when seeds do not differ at all.

        Few seeds can lie close together by chance; taking their part for zero then does an interval of 95 %
        little harm, but makes p-values near 0.004, which Holm's correction asks for, twice too frequent.
        """
        rest = self.rest / (self.seeds * self.documents)
        return replace(
            self,
            by_seed=float(np.sqrt(self.by_seed**2 + rest)) if self.seeds > 1 else 0.0,
            by_document=float(np.sqrt(max(0.0, self.by_document**2 - rest))),
        )

    def smallest_detectable(self, tests: int = 1) -> float:
        """The smallest true mean told from zero with 80 % power, as the first of so many tests under Holm."""
        return self.quantile(1 - (1 - CONFIDENCE) / tests) + self.quantile(2 * POWER - 1)

    def projected(self, seeds: int, documents: int) -> Spread:
        """What other numbers of seeds and documents would give, the variances being what they are."""
        by_document = self.by_document**2 * self.seeds * self.documents  # S var(documents) + rest
        component = max(0.0, (by_document - self.rest) / self.seeds)
        return Spread(
            by_seed=self.by_seed * float(np.sqrt(self.seeds / seeds)),
            by_document=float(np.sqrt((component + self.rest / seeds) / documents)),
            rest=self.rest,
            seeds=seeds,
            documents=documents,
        )


def spread(values: Floats) -> Spread:
    """The error of the mean of values ``[S, N]``, from the mean squares of seeds, documents and the rest."""
    seeds, documents = values.shape
    by_document = seeds * float(values.mean(axis=0).var(ddof=1))
    if seeds == 1:
        error = float(np.sqrt(by_document / documents))
        return Spread(by_seed=0.0, by_document=error, rest=0.0, seeds=1, documents=documents)
    means = values.mean(axis=1)
    by_seed = documents * float(means.var(ddof=1))
    residual = values - means[:, None] - values.mean(axis=0)[None, :] + values.mean()
    rest = float((residual**2).sum()) / ((seeds - 1) * (documents - 1))
    return Spread(
        by_seed=float(np.sqrt(max(0.0, by_seed - rest) / (seeds * documents))),
        by_document=float(np.sqrt(by_document / (seeds * documents))),
        rest=rest,
        seeds=seeds,
        documents=documents,
    )


def student(freedom: float, probability: float) -> float:
    """Quantile of Student's t."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, probability))


@lru_cache(maxsize=64)
def _grid(freedom: int) -> Floats:
    """Student's t at equally likely points."""
    from scipy.special import stdtrit

    points: Floats = stdtrit(freedom, (np.arange(GRID) + 0.5) / GRID)
    return points
