"""How much is rows, columns, both or noise: by hand, and right on average where the truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from eval.metrics import metric
from eval.statistics.variance_components import error_covariance, shares


def test_without_noise_the_parts_are_those_of_the_analysis_of_variance():
    """Cells 0 2 / 4 6: rows differ by 4, columns by 2, nothing else. Squares 16 and 4: 80 % and 20 %."""
    found = shares(np.array([[0.0, 2.0], [4.0, 6.0]]), np.zeros((4, 4)))
    assert found == pytest.approx((0.8, 0.2, 0.0, 0.0))


def test_an_interaction_is_neither_rows_nor_columns():
    """Cells 1 -1 / -1 1: every row and column has mean 0."""
    assert shares(np.array([[1.0, -1.0], [-1.0, 1.0]]), np.zeros((4, 4))) == pytest.approx((0, 0, 1, 0))


def test_noise_is_taken_off_what_it_is_expected_to_add():
    """Rows differ by 4 (square 16); independent errors of variance 1 add 1 to each part: 15/16."""
    found = shares(np.array([[0.0, 0.0], [4.0, 4.0]]), np.eye(4))
    assert found == pytest.approx((15 / 16, 0.0, 0.0, 1 / 16))


def test_an_error_that_all_cells_share_is_no_difference():
    """Hard documents lower every cell alike: covariance of one value everywhere adds nothing to any part."""
    found = shares(np.array([[0.0, 2.0], [4.0, 6.0]]), np.full((4, 4), 9.0))
    assert found == pytest.approx((0.8, 0.2, 0.0, 0.0))


def test_equal_cells_have_no_shares():
    """Nothing differs, so there is nothing to divide."""
    assert shares(np.full((2, 3), 7.0), np.zeros((6, 6))) is None


def test_where_nothing_differs_but_by_chance_most_is_called_noise():
    """Forty documents that pass with probability a half at all of 2 x 4 cells, 200 times."""
    item = metric("stop_rate")
    generator = np.random.default_rng(0)
    found = []
    for _ in range(200):
        passed = (generator.random((2, 4, 1, 40)) < 0.5).astype(float)
        table = [[np.stack([cell, np.ones_like(cell)], axis=-1) for cell in row] for row in passed]
        values = np.array([[item.aggregate(cell.sum(axis=1)).mean() for cell in row] for row in table])
        found.append(shares(values, error_covariance(item, table)))
    mean = np.mean(found, axis=0)
    assert mean[3] > 0.6
    assert max(mean[:3]) < 0.25


def test_noise_of_several_seeds_is_counted_once():
    """Two seeds, 40 documents, pass or fail by chance: the variance of a mean is .25 / 80, not twice that."""
    item = metric("stop_rate")
    generator = np.random.default_rng(2)
    found = []
    for _ in range(400):
        passed = (generator.random((2, 2, 2, 40)) < 0.5).astype(float)
        table = [[np.stack([cell, np.ones_like(cell)], axis=-1) for cell in row] for row in passed]
        found.append(np.diag(error_covariance(item, table)).mean())
    assert np.mean(found) == pytest.approx(0.25 / 80, rel=0.1)


def test_where_columns_differ_they_get_what_is_theirs():
    """Pass rates .1 .4 .6 .9 by column, rows alike: columns get nearly all of it."""
    item = metric("stop_rate")
    generator = np.random.default_rng(1)
    rate = np.array([0.1, 0.4, 0.6, 0.9])[None, :, None, None]
    passed = (generator.random((3, 4, 2, 200)) < rate).astype(float)
    table = [[np.stack([cell, np.ones_like(cell)], axis=-1) for cell in row] for row in passed]
    values = np.array([[item.aggregate(cell.sum(axis=1)).mean() for cell in row] for row in table])
    found = shares(values, error_covariance(item, table))
    assert found.columns > 0.95
    assert found.rows < 0.02
