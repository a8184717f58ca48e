"""Metrics small enough to work by hand."""

from __future__ import annotations

import numpy as np
import pytest

from eval.metrics.base import Metric, ratio


class Mean(Metric):
    """Sum by count: `(x, 1)` a document."""

    name, title, unit, direction, signature = "mean", "Mean", "points", "higher", "mean"
    of_generations = False

    def statistics(self, outcome, context):
        """Unused: the tests give statistics."""
        return

    def aggregate(self, sums):
        """Mean."""
        return ratio(sums[..., 0], sums[..., 1])


class Lower(Mean):
    """The same, less being better, with a margin of 1 %."""

    name, direction, margin, margin_kind = "lower", "lower", 0.01, "relative"


class Share(Mean):
    """The same of zeros and ones."""

    name, binary = "share", True


@pytest.fixture
def mean():
    """A mean."""
    return Mean()


@pytest.fixture
def lower():
    """A mean, less being better."""
    return Lower()


@pytest.fixture
def share():
    """A share."""
    return Share()


@pytest.fixture
def table():
    """Values `[seeds, documents]` as statistics `[seeds, documents, 2]`."""

    def build(values):
        values = np.asarray(values, dtype=float)
        return np.stack([values, np.where(np.isnan(values), np.nan, 1.0)], axis=-1)

    return build
