"""A figure before it is drawn, and the tables that several figures share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes

from figures.tidy.load import StudyTables

BITS = "bits_per_byte"
GENERAL = "general_bits_per_byte"
Plot = Callable[[pd.DataFrame, Axes], Axes]


@dataclass(frozen=True, kw_only=True)
class FigureSpec:
    """A figure to be drawn: its panels, each a plot and its table, in rows of ``columns``."""

    name: str
    title: str
    caption: str
    panels: Sequence[tuple[Plot, pd.DataFrame]]
    columns: int = 1
    heights: Sequence[float]
    """Inches, a row of panels each."""
    share_y: bool = False
    right: float = 0.0
    """Inches kept free on the right, for words that a plot writes beside its Axes.

    In a narrow figure they stand above each row instead."""


def headline(part: StudyTables) -> list[str]:
    """The metrics that get a verdict, in the study's order."""
    return [metric for metric in part.conclusions.headline if metric in set(part.estimates["metric"])]


def quality(part: StudyTables) -> str | None:
    """The metric of a study's documents that is shown against costs and forgetting; None without any.

    The first of the headline in bits per byte, or bits per byte if it has none, or the headline's first.
    """
    names = headline(part)
    known = set(part.estimates["metric"]) - {GENERAL}
    wanted = [*(name for name in names if name.endswith(BITS)), BITS, *names]
    return next((name for name in wanted if name in known), None)


def with_seeds(part: StudyTables, metric: str) -> pd.DataFrame:
    """Estimates, single seeds and anchors of one metric in one table, told apart by `kind`."""
    estimates = part.estimates[part.estimates["metric"] == metric].assign(kind="estimate")
    seeds = part.scores[part.scores["metric"] == metric].assign(kind="seed")
    anchors = part.anchors[part.anchors["metric"] == metric].assign(kind="anchor")
    anchors = anchors.assign(label=anchors["anchor"], method=anchors["anchor"])
    columns = list(dict.fromkeys(["kind", *estimates.columns, "seed"]))
    frames = [f.reindex(columns=columns).astype(object) for f in (estimates, seeds, anchors) if len(f)]
    return pd.concat(frames, ignore_index=True).infer_objects() if frames else estimates
