"""Seeds and documents crossed, both random: the error of a mean from few seeds, its tails and quantiles."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from eval.metrics.base import Floats, Metric

CONFIDENCE = 0.95
ALPHA = 1 - CONFIDENCE
PANELS, NODES = 8, 16
"""Panels on each side of zero of the quadrature of a tail, and Gauss-Legendre nodes in each: to 1e-8."""
FARTHEST = -18.0
"""Where the quadrature starts, as asinh of a t value: t(1) has 1e-8 of its mass below."""


def influence(metric: Metric, statistics: Floats) -> Floats:
    """Return jackknife pseudo-values ``[S, N]`` of a metric from statistics ``[S, N, k]``.

    ``N f(all) - (N - 1) f(all but i)``: for a mean these are the documents' own values; for BLEU and other
    functions of sums, values whose variance is that of the metric (Efron and Stein, 1981).
    """
    n = statistics.shape[1]
    total = statistics.sum(axis=1)
    without = metric.aggregate(total[:, None, :] - statistics)
    values: Floats = n * metric.aggregate(total)[:, None] - (n - 1) * without
    return values


class SeedPrior(NamedTuple):
    """How large a comparison's seed variance may be, by the seeds of other methods.

    `components`: (weight, ratio, degrees of freedom): the expected mean square of seeds over that of the
    residuals, and how many degrees of freedom that knowledge is worth; weights add up to 1.
    """

    components: tuple[tuple[float, float, float], ...]


class SeedPart(NamedTuple):
    """One possible size of the seeds' part of an error: ``error * t(freedom)`` with probability `weight`."""

    weight: float
    error: float
    freedom: float


@dataclass(frozen=True, kw_only=True)
class Spread:
    """The error of the mean of ``[seeds, documents]`` values: a part from seeds and a part from documents.

    The mean's error is taken as ``by_seed * t(S - 1) + by_document * t(N - 1)``, the two independent, as in
    the problem of Behrens and Fisher. The seeds' part is never below what it is if seeds do not differ: three
    seeds lie close together by chance. One Student's t with Satterthwaite's degrees of freedom is too narrow
    here: they are estimated too, and large exactly when the few seeds happen to lie close together. Intervals
    and p-values come from this one distribution, so a 95 % interval excludes zero exactly if p < .05.
    """

    by_seed: float
    """Standard error from seeds, with what is left of documents at one seed; 0 with one seed."""
    by_document: float
    """Standard error from documents, the same at every seed."""
    rest: float
    """Variance of a document at a seed, besides both: the mean square of the residuals; 0 with one seed."""
    seeds: int
    documents: int
    parts: tuple[SeedPart, ...] = ()
    """The seeds' part as a mixture, if other methods' seeds inform it; empty: by_seed * t(S - 1) alone."""

    @property
    def error(self) -> float:
        """Standard error of the mean."""
        return float(np.hypot(self.by_seed, self.by_document))

    def p(self, mean: float) -> float:
        """Return the two-sided p-value of a mean, exact to nine digits however small; 1 without an error."""
        if self.error == 0:
            return 1.0
        weights, seeds, freedoms = self._mixture()
        tails = two_sided(abs(mean), seeds, self.by_document, freedoms, self.documents - 1)
        return float(min(1.0, (weights * tails).sum()))

    def quantile(self, confidence: float) -> float:
        """Return half the width of an interval of that confidence below 1; infinite without an error."""
        from scipy.optimize import brentq

        if self.error == 0:
            return float(np.inf)
        alpha = 1 - confidence
        weights, seeds, freedoms = self._mixture()
        documents = self.by_document * student(self.documents - 1, 1 - alpha / 2)
        if not seeds.any():
            return documents
        one = [s * student(f, 1 - alpha / 2) for s, f in zip(seeds, freedoms, strict=True)]
        # A sum of independent symmetric unimodal variables is less peaked than either (Birnbaum, 1948), and
        # exceeds x + y no more often than one exceeds x or the other y: a bracket that holds at any alpha.
        low = min(max(s, documents) for s in one)
        share = alpha / 2
        high = max(
            s * student(f, 1 - share / 2) + self.by_document * student(self.documents - 1, 1 - share / 2)
            for s, f in zip(seeds, freedoms, strict=True)
        )
        return float(brentq(lambda x: np.log(self.p(x) / alpha), 0.999 * low, 1.001 * high, rtol=1e-10))

    def moderated(self, prior: SeedPrior) -> Spread:
        """Inform the seeds' part by the seeds of other methods: Smyth's (2004) moderated variance.

        ``(d0 v0 + (S - 1) v) / (d0 + S - 1)`` with ``d0 + S - 1`` degrees of freedom, for every size that the
        prior holds possible; see `variance_components.seed_priors`. Without seeds or residuals: unchanged.
        """
        if self.seeds < 2 or self.rest == 0:
            return self
        own, least = self.by_seed**2, self.rest / (self.seeds * self.documents)
        freedom = self.seeds - 1
        parts = []
        for weight, ratio, strength in prior.components:
            pooled = (strength * max(1.0, ratio) * least + freedom * own) / (strength + freedom)
            parts.append(SeedPart(weight, float(np.sqrt(pooled)), strength + freedom))
        total = sum(part.weight * part.error**2 for part in parts)
        return replace(self, by_seed=float(np.sqrt(total)), parts=tuple(parts))

    def _mixture(self) -> tuple[Floats, Floats, Floats]:
        """Weights, errors and degrees of freedom of the seeds' part."""
        parts = self.parts or (SeedPart(1.0, self.by_seed, max(1.0, self.seeds - 1.0)),)
        weights, errors, freedoms = np.array(parts, dtype=np.float64).T
        return weights, errors, freedoms


def spread(values: Floats) -> Spread:
    """Return the error of the mean of values ``[S, N]``, from the mean squares of seeds, documents and rest.

    Variances of a crossed design: Cornfield and Tukey (1956); Searle, Casella and McCulloch (1992).
    """
    seeds, documents = values.shape
    by_seed, by_document, rest = (float(square) for square in mean_squares(values))
    if seeds == 1:
        error = float(np.sqrt(by_document / documents))
        return Spread(by_seed=0.0, by_document=error, rest=0.0, seeds=1, documents=documents)
    return Spread(
        by_seed=float(np.sqrt(max(by_seed, rest) / (seeds * documents))),
        by_document=float(np.sqrt(max(0.0, by_document - rest) / (seeds * documents))),
        rest=rest,
        seeds=seeds,
        documents=documents,
    )


def mean_squares(values: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the mean squares of seeds, documents and residuals of values ``[..., S, N]``; each ``[...]``.

    With one seed, those of seeds and residuals are 0.
    """
    seeds, documents = values.shape[-2:]
    of_documents = values.mean(axis=-2)
    by_document = seeds * of_documents.var(axis=-1, ddof=1)
    if seeds == 1:
        return np.zeros_like(by_document), by_document, np.zeros_like(by_document)
    means = values.mean(axis=-1)
    residual = values - means[..., None] - of_documents[..., None, :] + means.mean(axis=-1)[..., None, None]
    rest = (residual**2).sum(axis=(-1, -2)) / ((seeds - 1) * (documents - 1))
    return documents * means.var(axis=-1, ddof=1), by_document, rest


def two_sided(
    x: float | Floats, a: float | Floats, b: float | Floats, df_a: float | Floats, df_b: float | Floats
) -> Floats:
    """Return P(|A + B| > x) for independent ``A = a t(df_a)`` and ``B = b t(df_b)``; arguments broadcast.

    ``P(A + B > x)`` is the integral of A's density times B's tail up to ``A = x / 2``, the same with A and B
    exchanged, and both beyond ``x / 2``: each integrand then has one bend only, at zero, and Gauss-Legendre
    panels in asinh of the t value reach nine digits at any ``x >= 0``. Infinite degrees of freedom: normal.
    """
    x, a, b, df_a, df_b = (
        np.asarray(each, dtype=np.float64) for each in np.broadcast_arrays(x, a, b, df_a, df_b)
    )
    safe_a, safe_b = np.where(a > 0, a, 1.0), np.where(b > 0, b, 1.0)
    both = 2 * (
        _half(x, safe_a, safe_b, df_a, df_b)
        + _half(x, safe_b, safe_a, df_b, df_a)
        + upper_tail(x / 2 / safe_a, df_a) * upper_tail(x / 2 / safe_b, df_b)
    )
    only_a, only_b = 2 * upper_tail(x / safe_a, df_a), 2 * upper_tail(x / safe_b, df_b)
    tails: Floats = np.where(b <= 0, only_a, np.where(a <= 0, only_b, both))
    return tails


def _half(x: Floats, a: Floats, b: Floats, df_a: Floats, df_b: Floats) -> Floats:
    """Integrate A's density times B's tail at ``x - A`` over ``A < x / 2``."""
    below, below_weights, within, within_weights = _nodes()
    top = np.arcsinh(x / (2 * a))[..., None]
    v = np.concatenate([np.broadcast_to(below, (*x.shape, len(below))), top * within], axis=-1)
    weights = np.concatenate(
        [np.broadcast_to(below_weights, (*x.shape, len(below))), top * within_weights], -1
    )
    t = np.sinh(v)
    heights = _density(t, df_a[..., None]) * np.cosh(v)
    heights = heights * upper_tail((x[..., None] - a[..., None] * t) / b[..., None], df_b[..., None])
    integral: Floats = (heights * weights).sum(axis=-1)
    return integral


def upper_tail(t: Floats, freedom: Floats) -> Floats:
    """Return P(T > t) of Student's t, to full relative accuracy for positive ``t``."""
    from scipy.special import betainc, erfc

    finite = np.where(np.isfinite(freedom), freedom, 1.0)
    student_tail = betainc(finite / 2, 0.5, finite / (finite + t * t)) / 2
    tail = np.where(np.isfinite(freedom), student_tail, erfc(np.abs(t) / np.sqrt(2)) / 2)
    result: Floats = np.where(t >= 0, tail, 1 - tail)
    return result


def _density(t: Floats, freedom: Floats) -> Floats:
    from scipy.special import gammaln

    finite = np.where(np.isfinite(freedom), freedom, 1.0)
    log = gammaln((finite + 1) / 2) - gammaln(finite / 2) - np.log(finite * np.pi) / 2
    log = log - (finite + 1) / 2 * np.log1p(t * t / finite)
    normal = -t * t / 2 - np.log(2 * np.pi) / 2
    heights: Floats = np.exp(np.where(np.isfinite(freedom), log, normal))
    return heights


@lru_cache(maxsize=1)
def _nodes() -> tuple[Floats, Floats, Floats, Floats]:
    """Nodes and weights from FARTHEST to 0, and from 0 to 1; panels are narrower near 0 and 1."""
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    starts = np.arange(PANELS) / PANELS
    u = (starts[:, None] + (nodes + 1) / 2 / PANELS).ravel()
    du = np.tile(weights / 2 / PANELS, PANELS)
    narrow = 0.05
    deepest = np.arcsinh(-FARTHEST / narrow)
    below, below_weights = -narrow * np.sinh(deepest * u), narrow * deepest * np.cosh(deepest * u) * du
    return below, below_weights, u * u * (3 - 2 * u), 6 * u * (1 - u) * du


def student(freedom: float, probability: float) -> float:
    """Return a quantile of Student's t."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, probability))
