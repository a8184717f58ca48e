"""Components of variance: of a table of methods and decodings, and of seeds, informed by other methods."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from eval.metrics.base import Floats, Metric
from eval.statistics.crossed import ALPHA, SeedPrior, influence, mean_squares


class Shares(NamedTuple):
    """Shares of the sum of squares about the mean; they add up to 1."""

    rows: float
    columns: float
    both: float
    """The interaction: columns that do more for some rows."""
    noise: float


def shares(cells: Floats, covariance: Floats) -> Shares | None:
    """The two-way analysis of variance of ``cells`` [rows, columns], each part less what noise puts there.

    ``covariance`` [rows * columns, same] is that of the cells' errors. A part's sum of squares is a quadratic
    form y'Py and noise adds tr(P covariance) to its expectation (Searle, Casella and McCulloch, Variance
    Components, 1992); a part below that counts as 0. None where all cells are equal.
    """
    (rows, row_mean), (columns, column_mean) = (_projections(size) for size in cells.shape)
    values = cells.ravel()
    parts = (np.kron(rows, column_mean), np.kron(row_mean, columns), np.kron(rows, columns))
    squares = [float(values @ part @ values) for part in parts]
    total = sum(squares)
    if total <= 1e-12 * max(1.0, float(values @ values)):
        return None
    expected = [max(0.0, float(np.trace(part @ covariance))) for part in parts]
    real = [max(0.0, square - chance) / total for square, chance in zip(squares, expected, strict=True)]
    return Shares(real[0], real[1], real[2], max(0.0, 1 - sum(real)))


def error_covariance(metric: Metric, table: list[list[Floats]]) -> Floats:
    """Covariance of the errors of cells ``[rows][columns]`` of statistics ``[seeds, documents, k]``.

    Documents are shared by all cells, so their errors go together; seeds are shared along a row. What a
    document varies by at a seed, besides both, is in the spread of documents already, and is taken off that
    of seeds. With one seed a row's own error is unknown and counted as none. nan where the metric rests on
    one document.
    """
    influences = [np.stack([influence(metric, cell) for cell in row]) for row in table]
    values = np.concatenate([row.mean(axis=1) for row in influences])
    documents = values.shape[1]
    covariance: Floats = np.atleast_2d(np.cov(values)) / documents
    width = len(table[0])
    for place, (row, by_document) in enumerate(zip(table, influences, strict=True)):
        seeds = np.stack([metric.aggregate(cell.sum(axis=1)) for cell in row])
        number = seeds.shape[1]
        if number > 1:
            rest = by_document - by_document.mean(axis=1, keepdims=True)
            rest = rest - rest.mean(axis=2, keepdims=True)
            products = np.einsum("isn,jsn->ij", rest, rest) / ((number - 1) * (documents - 1))
            block = slice(place * width, (place + 1) * width)
            covariance[block, block] += (np.atleast_2d(np.cov(seeds)) - products / documents) / number
    return covariance


def _projections(size: int) -> tuple[Floats, Floats]:
    """Onto differences between ``size`` values, and onto their mean."""
    mean = np.full((size, size), 1 / size)
    return np.eye(size) - mean, mean


STRENGTHS = (1.0, 2.0, 4.0, 8.0)
"""Degrees of freedom that other methods' seeds may be worth; equally likely beforehand."""
NOISIER = ((1.0, 0.85), (3.0, 0.05), (10.0, 0.05), (30.0, 0.05))
"""Times by which a comparison's seed variance may exceed the others', and how likely beforehand."""
SHARED = 2 / 3
"""Power to which the likelihood over several metrics is raised: a bad seed is bad on all of them."""


def seed_ratio(values: Floats) -> float | None:
    """Return mean square of seeds over that of residuals, of differences ``[S, N]``; None if undefined."""
    by_seed, _, rest = mean_squares(values)
    return float(by_seed / rest) if rest > 0 and by_seed > 0 else None


def seed_priors(
    own: Sequence[Sequence[float | None]], pooled: Sequence[Sequence[float | None]], seeds: int
) -> list[list[SeedPrior | None]]:
    """Return the prior of each comparison on each metric, by empirical Bayes over a study.

    ``own[metric][comparison]``: the `seed_ratio` of each comparison; ``pooled[metric]``: that of all pairs of
    trained methods, from which the metric's usual ratio comes; ``seeds``: of every method. The mean square of
    a comparison is taken as F-distributed about the usual one, with degrees of freedom that are estimated
    (Smyth, 2004, *Linear models and empirical Bayes methods*, sections 3 and 6), by their likelihood over all
    comparisons. As in the robust form (Phipson et al., 2016), a comparison may be an exception: its variance
    is 3, 10 or 30 times the usual one with a probability that its ratios on all metrics decide together.
    None for a comparison without a ratio, and for a metric with fewer than three pairs.
    """
    freedom = seeds - 1
    usual = [_usual([r for r in ratios if r is not None], freedom) for ratios in pooled]
    known = [
        (m, c, ratio / usual_ratio)
        for m, (ratios, usual_ratio) in enumerate(zip(own, usual, strict=True))
        if usual_ratio is not None
        for c, ratio in enumerate(ratios)
        if ratio is not None
    ]
    comparisons = max((len(ratios) for ratios in own), default=0)
    metrics = len({m for m, _, _ in known})
    log = np.zeros((len(STRENGTHS), len(NOISIER), comparisons))
    for _, c, ratio in known:
        for i, strength in enumerate(STRENGTHS):
            for j, (times, _) in enumerate(NOISIER):
                log[i, j, c] += _log_f(ratio / times, freedom, strength) - np.log(times)
    log *= SHARED if metrics > 1 else 1.0
    log += np.log([chance for _, chance in NOISIER])[None, :, None]
    of_strength = np.logaddexp.reduce(log, axis=1)
    strengths = of_strength.sum(axis=1)
    strengths = np.exp(strengths - np.logaddexp.reduce(strengths))
    exceptions = np.exp(log - of_strength[:, None, :])
    priors: list[list[SeedPrior | None]] = [[None] * len(ratios) for ratios in own]
    for m, c, _ in known:
        priors[m][c] = SeedPrior(
            tuple(
                (float(strengths[i] * exceptions[i, j, c]), times * float(usual[m] or 1.0), strength)
                for i, strength in enumerate(STRENGTHS)
                for j, (times, _) in enumerate(NOISIER)
            )
        )
    return priors


def uneven_seeds(values: Sequence[Sequence[float]]) -> list[float | None]:
    """Return, for each method, the p-value that its seeds vary no more than the other methods' seeds.

    ``values``: one list per method, of a metric's value at each seed. The F-test, one-sided, of a method's
    variance over the pooled one of the others, before any correction; it takes seeds as normal. None if the
    method or the others have no variance to compare.
    """
    from scipy.special import fdtrc

    squares = [_squares(of) for of in values]
    freedoms = [max(0, len(of) - 1) for of in values]
    result: list[float | None] = []
    for square, freedom in zip(squares, freedoms, strict=True):
        others, theirs = sum(squares) - square, sum(freedoms) - freedom
        if freedom == 0 or theirs == 0 or others <= 0:
            result.append(None)
        else:
            result.append(float(fdtrc(freedom, theirs, square / freedom / (others / theirs))))
    return result


def _squares(values: Sequence[float] | Floats) -> float:
    """Return the sum of squares about the mean; 0, and not rounding, of values that are equal."""
    own = np.asarray(values, dtype=np.float64)
    square = float(own.var() * len(own)) if len(own) else 0.0
    return 0.0 if square <= 1e-24 * float(own @ own) else square


class Uneven(NamedTuple):
    """That a method's seeds vary more than those of the other methods, on the metric that shows it best."""

    metric: int
    p: float
    """Corrected for methods and metrics (Bonferroni)."""


def uneven_methods(values: Sequence[Sequence[Sequence[float]]]) -> dict[int, Uneven]:
    """Return the methods whose seeds vary more than the others', at 5 %: they do not inform each other.

    ``values[metric][method]``: the metric's value at each seed. Empty with fewer than three methods.
    """
    found: dict[int, Uneven] = {}
    for number, methods in enumerate(values):
        if len(methods) < 3:
            continue
        for method, p in enumerate(uneven_seeds(methods)):
            corrected = None if p is None else p * len(methods) * len(values)
            known = found.get(method)
            if corrected is not None and corrected < ALPHA and (known is None or corrected < known.p):
                found[method] = Uneven(number, corrected)
    return found


class OddSeed(NamedTuple):
    """The seed of a method that lies furthest from the method's other seeds."""

    place: int
    p: float
    """That it belongs to them, corrected for the seeds of all methods (Bonferroni); at most 1."""


def odd_seed(values: Sequence[Sequence[float]], method: int) -> OddSeed | None:
    """Test whether one seed of a method stands apart from its others.

    ``values``: one list per method, of a metric's value at each seed. The externally studentised residual of
    each seed, with the variance of the method's other seeds pooled with that of all other methods, since few
    seeds do not know theirs (Cook and Weisberg, 1982). None with fewer than three seeds. If all others
    are equal, whatever differs stands apart.
    """
    from scipy.special import stdtr

    own = np.array(values[method], dtype=np.float64)
    if len(own) < 3:
        return None
    elsewhere = [of for place, of in enumerate(values) if place != method and len(of) > 1]
    square = sum(map(_squares, elsewhere))
    freedom = sum(len(of) - 1 for of in elsewhere) + len(own) - 2
    distances = []
    for place in range(len(own)):
        others = np.delete(own, place)
        error = np.sqrt((square + _squares(others)) / freedom * (1 + 1 / len(others)))
        gap = abs(float(own[place] - others.mean()))
        distances.append(gap / error if error > 0 else np.inf if gap > 0 else 0.0)
    furthest = int(np.argmax(distances))
    tail = 2 * float(stdtr(freedom, -distances[furthest]))
    return OddSeed(furthest, min(1.0, tail * sum(len(of) for of in values)))


def _usual(ratios: list[float], freedom: int) -> float | None:
    """Return the usual ratio of a metric: the mean, or by the median if that is lower, and at least 1."""
    from scipy.special import chdtri

    if len(ratios) < 3:
        return None
    by_median = float(np.median(ratios)) * freedom / float(chdtri(freedom, 0.5))
    return max(1.0, min(float(np.mean(ratios)), by_median))


def _log_f(x: float, top: float, bottom: float) -> float:
    """Return the logarithm of the density of an F distribution."""
    from scipy.special import betaln

    log = top / 2 * np.log(top / bottom) + (top / 2 - 1) * np.log(x) - betaln(top / 2, bottom / 2)
    return float(log - (top + bottom) / 2 * np.log1p(top * x / bottom))
