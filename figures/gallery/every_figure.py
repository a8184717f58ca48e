"""Every figure of a study: each function picks the tables of one figure and its caption."""

from __future__ import annotations

from collections.abc import Callable

from figures.gallery.breakdown import decoding_or_method, decoding_values, failures, sections, structure
from figures.gallery.figure import FigureSpec
from figures.gallery.methods import conversions, differences, metrics, more_metrics
from figures.gallery.sweeps import capacity
from figures.gallery.training import costs, forgetting, learning, rates
from figures.tidy.load import StudyTables

FIGURES: tuple[Callable[[StudyTables], FigureSpec | None], ...] = (
    differences,
    conversions,
    metrics,
    learning,
    structure,
    failures,
    decoding_values,
    decoding_or_method,
    costs,
    forgetting,
    sections,
    rates,
    more_metrics,
    capacity,
)
"""Figures of one condition, in the order of the report; each returns None if the study has no data for it."""
