"""Arrays of statistics ``[seeds, documents, k]``: stacked, complete, by cluster, and what is odd in them."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eval.metrics.base import Floats, Metric
from eval.statistics.crossed import influence, mean_squares
from eval.statistics.proportions import with_discordant
from toolkit.errors import UserError

Rows = Sequence[tuple[float, ...] | None]
HEAVIEST = 0.05
"""Share of documents that `weights` calls the heaviest."""


def stack(seeds: Sequence[Rows]) -> Floats:
    """Return statistics of several seeds on the same documents, ``[seeds, documents, k]``; nan: undefined."""
    lengths = {len(rows) for rows in seeds}
    if len(lengths) > 1:
        raise UserError(f"seeds were evaluated on different numbers of documents: {sorted(lengths)}")
    widths = {len(row) for rows in seeds for row in rows if row is not None}
    if len(widths) > 1:
        raise UserError(f"documents differ in their number of statistics: {sorted(widths)}")
    width = widths.pop() if widths else 1
    undefined = (np.nan,) * width
    table = [[undefined if row is None else row for row in rows] for rows in seeds]
    return np.asarray(table, dtype=np.float64).reshape(len(seeds), -1, width)


def complete(
    metric: Metric, *sides: Floats, clusters: Sequence[Hashable] | None = None
) -> tuple[tuple[Floats, ...], int]:
    """Return the sides' leading statistics on the documents on which all are defined, and how many are not.

    With ``clusters``, one label per document, the statistics are summed within clusters: what is resampled,
    left out and counted is a cluster. A document on which no side is defined is not counted as excluded.
    """
    by_seed = np.concatenate([np.isfinite(side).all(axis=2) for side in sides])
    defined: NDArray[np.bool_] = np.asarray(by_seed.all(axis=0))
    whole = tuple(side[:, defined, : metric.value_columns] for side in sides)
    excluded = int((by_seed.any(axis=0) & ~defined).sum())
    if clusters is None:
        return whole, excluded
    if len(clusters) != len(defined):
        raise UserError(f"{len(clusters)} cluster labels for {len(defined)} documents; give one per document")
    labels = [label for label, there in zip(clusters, defined, strict=True) if there]
    return tuple(by_cluster(side, labels) for side in whole), excluded


def same_shape(metric: Metric, method: Floats, baseline: Floats) -> None:
    """Raise UserError if the sides differ in documents, or in seeds if neither has just one."""
    seeds = len(method), len(baseline)
    if method.shape[1] != baseline.shape[1]:
        raise UserError(
            f"metric '{metric.name}': the method was evaluated on {method.shape[1]} documents and the "
            f"baseline on {baseline.shape[1]}; compare evaluations of the same test part"
        )
    if 0 in seeds or (seeds[0] != seeds[1] and 1 not in seeds):
        raise UserError(
            f"metric '{metric.name}': {seeds[0]} seeds against {seeds[1]}; give both sides the same seeds"
        )


def by_cluster(statistics: Floats, labels: Sequence[Hashable]) -> Floats:
    """Sum statistics ``[S, N, k]`` within clusters, ``[S, clusters, k]`` in order of first appearance.

    Leaving out or resampling such a row leaves out or resamples the cluster (Cameron and Miller, 2015).
    """
    order = {label: place for place, label in enumerate(dict.fromkeys(labels))}
    summed = np.zeros((len(statistics), len(order), statistics.shape[2]))
    for document, label in enumerate(labels):
        summed[:, order[label]] += statistics[:, document]
    return summed


def differences(metric: Metric, ours: Floats, theirs: Floats, *, share: bool | None = None) -> Floats:
    """Return paired differences ``[S, N]`` whose mean is that of the metric, of complete statistics.

    ``share``: whether documents are 0 or 1; None: as the metric says. If they are, or were before they were
    summed by cluster, one document or cluster is added in favour of each side.
    """
    if metric.binary if share is None else share:
        return with_discordant(ours[:, :, 0] - theirs[:, :, 0])
    values = influence(metric, ours) - influence(metric, theirs)
    return with_discordant(values) if metric.binary else values


class Weights(NamedTuple):
    """How evenly a metric's error is spread over documents."""

    effective: float
    """Kish's (1965) effective number of the squared influences, scaled to all of them if these are normal."""
    heaviest: float
    """Share of the variance that the heaviest 5 % of documents, at least one, account for."""


def weights(metric: Metric, method: Floats, baseline: Floats | None = None) -> Weights | None:
    """Return how evenly documents carry a metric, or a difference, of statistics ``[S, N, k]``.

    Intervals cover too little (82 to 92 % instead of 95 %) if fewer than about 30 documents are effective.
    None with fewer than two documents, or if the metric rests on one.
    """
    if method.shape[1] < 2:
        return None
    values = influence(metric, method).mean(axis=0)
    if baseline is not None:
        values = values - influence(metric, baseline).mean(axis=0)
    squares = (values - values.mean()) ** 2
    if not np.isfinite(squares).all() or squares.sum() == 0:
        return None
    top = max(1, round(HEAVIEST * len(squares)))
    effective = 3 * float(squares.sum() ** 2 / (squares**2).sum())  # squares of normal values: a third of N
    heaviest = float(np.sort(squares)[-top:].sum() / squares.sum())
    return Weights(min(float(len(squares)), effective), heaviest)


class OddSeed(NamedTuple):
    """The seed that lies farthest from the others."""

    seed: int
    """Its place among the seeds."""
    ratio: float
    """Its distance from the median of the others, over the spread that they and the documents explain."""


def odd_seed(metric: Metric, method: Floats, baseline: Floats | None = None) -> OddSeed | None:
    """Return the seed farthest from the others if it lies apart: more than 5 times their spread; else None.

    With a seed in six that trains worse, intervals from 3 to 5 seeds cover 84 to 91 % and not 95 %; nothing
    that assumes symmetry corrects that. None with fewer than three seeds.
    """
    if len(method) < 3 or method.shape[1] < 2:
        return None
    values = influence(metric, method)
    if baseline is not None:
        values = values - influence(metric, baseline)
    if not np.isfinite(values).all():
        return None
    means = values.mean(axis=1)
    rest = float(mean_squares(values)[2]) / values.shape[1]
    farthest = None
    for place, mean in enumerate(means):
        others = np.delete(means, place)
        apart = abs(mean - float(np.median(others)))
        scale = np.sqrt(max(float(others.var(ddof=1)), rest, 1e-300))
        if farthest is None or apart / scale > farthest.ratio:
            farthest = OddSeed(place, float(apart / scale))
    return farthest if farthest is not None and farthest.ratio > 5 else None
