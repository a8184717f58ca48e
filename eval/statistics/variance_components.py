"""How much of a table's differences follows its rows, its columns, both together, or chance."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from eval.metrics.base import Floats, Metric
from eval.statistics.crossed import influence


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
    expected = [float(np.trace(part @ covariance)) for part in parts]
    real = [max(0.0, square - chance) / total for square, chance in zip(squares, expected, strict=True)]
    return Shares(real[0], real[1], real[2], max(0.0, 1 - sum(real)))


def error_covariance(metric: Metric, table: list[list[Floats]]) -> Floats:
    """Covariance of the errors of cells ``[rows][columns]`` of statistics ``[seeds, documents, k]``.

    Documents are shared by all cells, so their errors go together; seeds are shared along a row. With one
    seed a row's own error is unknown and counted as none. nan where the metric rests on one document.
    """
    values = np.stack([influence(metric, cell).mean(axis=0) for row in table for cell in row])
    covariance: Floats = np.atleast_2d(np.cov(values)) / values.shape[1]
    width = len(table[0])
    for place, row in enumerate(table):
        seeds = np.stack([metric.aggregate(cell.sum(axis=1)) for cell in row])
        if seeds.shape[1] > 1:
            block = slice(place * width, (place + 1) * width)
            covariance[block, block] += np.atleast_2d(np.cov(seeds)) / seeds.shape[1]
    return covariance


def _projections(size: int) -> tuple[Floats, Floats]:
    """Onto differences between ``size`` values, and onto their mean."""
    mean = np.full((size, size), 1 / size)
    return np.eye(size) - mean, mean
