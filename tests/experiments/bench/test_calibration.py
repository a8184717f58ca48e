"""Intervals and verdicts hold what they say, in simulated studies whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from eval.statistics.crossed import spread
from experiments.bench.calibration import simulate


@pytest.mark.parametrize(("seeds", "documents", "deviation"), [(3, 200, 0.05), (5, 50, 0.1), (3, 50, 0.0)])
def test_intervals_over_seeds_cover_the_truth(seeds, documents, deviation):
    """600 studies: 95 % of intervals hold 0, give or take two or three standard errors of 0.9 points."""
    draw = np.random.default_rng(11)
    covered = 0
    for _ in range(600):
        values = simulate.noise(draw, seeds, documents, deviation)
        covered += spread(values).p(values.mean()) > 0.05
    assert (
        0.93 <= covered / 600 <= 0.995
    )  # above 0.98 without a seed effect: three seeds cannot show it is none


def test_documents_alone_would_not_cover():
    """What the crossed interval is for: at 3 seeds of deviation 0.1, one over documents covers about half."""
    draw = np.random.default_rng(12)
    covered = 0
    for _ in range(300):
        values = simulate.noise(draw, 3, 200, 0.1).mean(axis=0, keepdims=True)
        covered += spread(values).p(float(values.mean())) > 0.05
    assert covered / 300 < 0.7


@pytest.mark.slow
def test_the_whole_table_holds():
    """1,000 studies a row: coverage 93 % or more, false equivalent and false calls 5 % or less."""
    slack = 2 * np.sqrt(0.05 * 0.95 / 1000)
    rows = list(simulate.crossed(1000))
    assert len(rows) == 24
    for row in rows:
        assert 0.93 <= row.covered <= 0.995, row
        assert row.equivalent <= 0.05 + slack, row
    for *where, wrong in simulate.families(500):
        assert wrong <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 500), where
    for *where, covered in simulate.shares(500):
        assert covered >= 0.92, where
    for *where, covered, called in simulate.one_seed(500):
        assert covered >= 0.91, where
        assert called <= 0.09, where


def test_the_page_is_written_from_the_simulations(tmp_path, monkeypatch):
    """Every table has its rows: 8 crossed, 6 families, 9 shares, 2 of one seed."""
    monkeypatch.setattr(simulate, "DOCUMENTS", (20,))
    page = simulate.page(2)
    assert page.count("\n| ") == (2 + 8) + (2 + 6) + (2 + 9) + (2 + 2)
    assert "2 studies a row" in page
