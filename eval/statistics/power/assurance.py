"""What a number of seeds and documents decides: smallest differences, reachable margins, and what is missing.

Every prediction uses the distribution that intervals and p-values come from (`crossed.Spread`), averaged over
how large the error will be estimated and over how well the seeds' variance is known. "80 %" is therefore the
share of studies that decide, over studies like this one (assurance: O'Hagan, Stevens and Campbell, 2005),
and not power at a variance taken as known, which few seeds do not support (Hoenig and Heisey, 2001).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from eval.metrics.base import Floats
from eval.statistics.crossed import ALPHA, Spread, student, two_sided
from eval.statistics.power import shares
from toolkit.specs.reading import read_yaml

POWER = 0.8
STEPS = (np.arange(15) + 0.5) / 15
"""Equally likely quantiles at which an estimated variance is taken."""
RATIOS = np.linspace(-4.0, 6.0, 31)
"""Natural logarithms of seeds' error over documents' error at which quantiles are tabulated."""


@dataclass(frozen=True, kw_only=True)
class Variances:
    """Variances of a paired difference, in the metric's unit squared."""

    seed: float
    """Between seeds: what more documents do not average out."""
    document: float
    """Between documents, the same at every seed."""
    rest: float
    """Of a document at a seed, besides both."""
    freedom: float = np.inf
    """Degrees of freedom with which `seed` is known; infinite: taken as known."""
    documents: int = 1
    """Documents at which it was estimated."""
    borrowed: float = 0.0
    """Degrees of freedom that other methods' seeds add to any study of these methods."""
    share: bool = False
    """Whether documents are 0 or 1 and independent: one seed is then judged by McNemar's exact test."""

    @classmethod
    def of(cls, spread: Spread) -> Variances:
        """Read the variances off an error of several seeds, or of one (then without seeds)."""
        cells = spread.seeds * spread.documents
        square = spread.by_seed**2 * cells
        borrowed = sum(part.weight * (part.freedom - spread.seeds + 1) for part in spread.parts)
        return cls(
            seed=max(0.0, square - spread.rest) / spread.documents,
            document=spread.by_document**2 * spread.documents,
            rest=spread.rest,
            freedom=np.inf if spread.seeds == 1 else spread.seeds - 1 + borrowed,
            documents=spread.documents,
            borrowed=float(borrowed),
        )

    def at(self, quantile: float) -> Variances:
        """Return the same with the seeds' variance at a quantile of what it may be, as if known."""
        return Variances(
            seed=float(self._seeds(np.array([quantile]))[0]),
            document=self.document,
            rest=self.rest,
            borrowed=self.borrowed,
            share=self.share,
        )

    def _seeds(self, quantiles: Floats) -> Floats:
        """Variances of seeds at quantiles of the fiducial distribution of their mean square."""
        if not np.isfinite(self.freedom):
            return np.full(len(quantiles), self.seed)
        from scipy.special import chdtri

        square = (self.seed * self.documents + self.rest) * self.freedom / chdtri(self.freedom, quantiles)
        seeds: Floats = np.maximum(0.0, square - self.rest) / self.documents
        return seeds


def decided(
    variances: Variances,
    seeds: int,
    documents: int,
    difference: float,
    margin: float | None,
    tests: int = 1,
    *,
    level: float = ALPHA,
    directed: bool = True,
) -> float:
    """Return the chance that a study calls a true difference better, worse or equivalent.

    ``tests``: comparisons of the family; the call is its clearest one. The equivalence is not corrected.
    ``level``: of the look, as in `compare`. ``directed``: whether one way is better; if not, only an
    equivalence can be called. nan if a variance is not known, as with one document.
    """
    from scipy.special import ndtr

    if min(seeds, documents - 1) < 1:
        return float("nan")
    discordant = variances.document + variances.rest + difference**2
    if variances.share and seeds == 1 and discordant * documents <= shares.EXACT:
        return shares.decided(
            discordant, documents, difference, margin, tests, level=level, directed=directed
        )
    error, call, inside = _errors(variances, seeds, documents, tests, margin is not None, level)
    beyond: Floats = ndtr((-call - difference) / error) + ndtr((difference - call) / error)
    if not directed:
        beyond, call = np.zeros_like(beyond), np.full_like(call, np.inf)
    if margin is not None:
        room = np.minimum(margin - inside, call)
        within = ndtr((room - difference) / error) - ndtr((-room - difference) / error)
        beyond = beyond + np.where(room > 0, within, 0.0)
    return float(np.mean(beyond))


def detectable(
    variances: Variances, seeds: int, documents: int, tests: int = 1, *, level: float = ALPHA
) -> float:
    """Return the smallest true difference that a study of this size calls with 80 % power.

    ``level``: of the look, as in `compare`. nan if a variance is not known, as with one document.
    """
    return _smallest(lambda size: decided(variances, seeds, documents, size, None, tests, level=level))


def reachable_margin(variances: Variances, seeds: int, documents: int) -> float:
    """Return the smallest margin inside which two equal methods are called equivalent with 80 % power.

    Both ends have to lie inside, each at 2.5 % (Schuirmann, 1987; Chow, Shao and Wang, 2008). nan if a
    variance is not known, as with one document.
    """
    from scipy.special import ndtr

    if min(seeds, documents - 1) < 1:
        return float("nan")
    discordant = variances.document + variances.rest
    if variances.share and seeds == 1 and discordant * documents <= shares.EXACT:
        return _smallest(lambda m: shares.decided(discordant, documents, 0.0, m, directed=False))
    error, _, inside = _errors(variances, seeds, documents, 1, True, ALPHA)
    return _smallest(lambda m: float(np.maximum(0.0, 2 * ndtr((m - inside) / error) - 1).mean()))


def _errors(
    variances: Variances, seeds: int, documents: int, tests: int, equivalence: bool, level: float
) -> tuple[Floats, Floats, Floats]:
    """True errors, and half widths for a call and for an interval, over variances and their estimates."""
    from scipy.special import chdtri

    own = float(np.sqrt(variances.document / documents))
    if seeds == 1:
        one = float(np.hypot(own, np.sqrt(variances.rest / documents)))
        widths = [one * student(documents - 1, 1 - alpha / 2) for alpha in (level / tests, level)]
        return np.array([max(one, 1e-300)]), np.array(widths[:1]), np.array(widths[1:])
    true = variances._seeds(STEPS)[:, None] * documents + variances.rest  # expected mean square of seeds
    freedom = seeds - 1
    drawn = true * chdtri(freedom, STEPS)[None, :] / freedom
    pooled = (variances.borrowed * true + freedom * drawn) / (variances.borrowed + freedom)
    by_seed = np.sqrt(np.maximum(pooled, variances.rest) / (seeds * documents)).ravel()
    error = np.sqrt(np.repeat(true, len(STEPS), axis=1).ravel() / (seeds * documents) + own**2)
    total = variances.borrowed + freedom
    call = half_widths(by_seed, own, level / tests, total, documents - 1)
    inside = half_widths(by_seed, own, level, total, documents - 1) if equivalence else call
    return np.maximum(error, 1e-300), call, inside


def half_widths(
    by_seed: Floats, by_document: float, alpha: float, df_seed: float, df_document: float
) -> Floats:
    """Return quantiles of the sum of two t's for many sizes of the seeds' part, interpolated to 1e-3."""
    if by_document <= 0:
        return by_seed * student(df_seed, 1 - alpha / 2)
    df_document = float(two_digits(int(df_document))) if df_document < 1000 else np.inf
    table = _table(alpha, round(df_seed, 2), df_document)
    ratio = np.log(np.maximum(by_seed, 1e-300) / by_document)
    inside = by_document * np.exp(np.interp(ratio, RATIOS, table))
    beyond = by_seed * student(df_seed, 1 - alpha / 2)  # beyond the table the documents' part is negligible
    widths: Floats = np.where(ratio > RATIOS[-1], beyond, inside)
    return widths


@lru_cache(maxsize=4096)
def _table(alpha: float, df_seed: float, df_document: float) -> Floats:
    """Logarithms of quantiles of ``r t(df_seed) + t(df_document)`` over log r, by bisection of log x."""
    ratio = np.exp(RATIOS)
    low = np.log(np.maximum(ratio * student(df_seed, 1 - alpha / 2), student(df_document, 1 - alpha / 2)))
    high = np.log(ratio * student(df_seed, 1 - alpha / 4) + student(df_document, 1 - alpha / 4))
    for _ in range(14):
        middle = (low + high) / 2
        more = two_sided(np.exp(middle), ratio, 1.0, df_seed, df_document) > alpha
        low, high = np.where(more, middle, low), np.where(more, high, middle)
    return (low + high) / 2


def _smallest(power: Callable[[float], float]) -> float:
    """Return the smallest size with 80 % power, by doubling and bisection, to 1e-4; nan if power is."""
    low, high = 0.0, 1e-12
    if np.isnan(power(high)):
        return float("nan")
    while power(high) < POWER and high < 1e300:
        low, high = high, 2 * high
    while high - low > 1e-4 * high:
        middle = (low + high) / 2
        low, high = (low, middle) if power(middle) >= POWER else (middle, high)
    return high


def two_digits(number: int) -> int:
    """Round up to two significant digits."""
    step: int = 10 ** max(0, len(str(number)) - 2)
    return -(-number // step) * step


@cache
def _shipped() -> dict[str, Any]:
    return read_yaml(Path(__file__).parent / "typical.yaml")


class Typical(NamedTuple):
    """What is usual for a metric: variances of a difference, the value of the baseline, and its gain."""

    variances: Variances
    value: float
    gain: float
    measured: str
    """What was measured, and so what is assumed."""
    base_model: str


def typical(metric: str) -> Typical | None:
    """Return the shipped variances of a metric, measured on one base model; None for other metrics.

    They stand in for a study's own finished runs; label them as such wherever they are printed.
    """
    row = _shipped().get(metric)
    if row is None:
        return None
    variances = Variances(seed=float(row["seed"]), document=float(row["document"]), rest=float(row["rest"]))
    return Typical(variances, row["value"], row["gain"], row["measured"], row["base_model"])
