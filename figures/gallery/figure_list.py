"""What figures a study gets: for each, the plot, the table that goes into it, and its caption."""

from __future__ import annotations

from collections.abc import Callable

from figures.gallery.base import Plan, headline
from figures.gallery.methods import differences, metrics, more_metrics
from figures.gallery.parts import decoding_or_method, decoding_values, failures, sections, structure
from figures.gallery.training import costs, learning, rates
from figures.tidy.load import StudyTables

__all__ = ["PLANS", "Plan", "headline"]

PLANS: tuple[Callable[[StudyTables], Plan | None], ...] = (
    differences,
    metrics,
    learning,
    structure,
    failures,
    decoding_values,
    decoding_or_method,
    costs,
    sections,
    rates,
    more_metrics,
)
"""Every figure, in the order of the report; None where a study has nothing to show in it."""
