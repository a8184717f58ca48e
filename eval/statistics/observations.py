"""Arrays of statistics ``[seeds, documents, k]``: stacked, complete, by cluster, and differences of two.

Shares get documents added, for what 0 of n hides.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from eval.metrics.base import Floats, Metric
from eval.statistics.crossed import Spread, influence
from toolkit.errors import UserError

Rows = Sequence[tuple[float, ...] | None]


def stack(seeds: Sequence[Rows]) -> Floats:
    """Return statistics of several seeds on the same documents, ``[seeds, documents, k]``; nan: undefined."""
    lengths = {len(rows) for rows in seeds}
    if len(lengths) > 1:
        raise UserError(
            f"seeds were evaluated on different numbers of documents: {sorted(lengths)}; give all seeds the "
            "same documents, and None for one on which the metric is not defined"
        )
    widths = {len(row) for rows in seeds for row in rows if row is not None}
    if len(widths) > 1:
        raise UserError(
            f"documents differ in their number of statistics: {sorted(widths)}; a metric gives each as many"
        )
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
    by_seed, defined = _defined(sides)
    whole = tuple(side[:, defined, : metric.value_columns] for side in sides)
    excluded = int((by_seed.any(axis=0) & ~defined).sum())
    if clusters is None:
        return whole, excluded
    if len(clusters) != len(defined):
        raise UserError(f"{len(clusters)} cluster labels for {len(defined)} documents; give one per document")
    labels = [label for label, there in zip(clusters, defined, strict=True) if there]
    return tuple(by_cluster(side, labels) for side in whole), excluded


def _defined(sides: Sequence[Floats]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return where each seed of each side is defined, ``[seeds, documents]``, and where all are."""
    by_seed: NDArray[np.bool_] = np.concatenate([np.isfinite(side).all(axis=2) for side in sides])
    return by_seed, np.asarray(by_seed.all(axis=0))


def repeated(clusters: Sequence[Hashable] | None, *sides: Floats) -> Sequence[Hashable] | None:
    """Return the labels if two documents on which all sides are defined share one; None if none do.

    Otherwise two equal general texts, on which a metric of the study's documents is not defined, would
    decide how that metric is judged.
    """
    if clusters is None:
        return None
    _, defined = _defined(sides)
    labels = [label for label, there in zip(clusters, defined.tolist(), strict=False) if there]
    return clusters if len(clusters) != len(defined) or len(set(labels)) < len(labels) else None


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


def with_discordant(differences: Floats) -> Floats:
    """Differences ``[S, N]`` with one document more in favour of each side.

    At one seed, the mean of the result is the centre of Bonett and Price's (2012) adjusted Wald interval of
    paired shares, which keeps its coverage where few or no documents differ. Variances with one degree of
    freedom less are (N + 2) / (N + 1) of theirs.
    """
    ones = np.ones((len(differences), 1))
    return np.hstack([differences, ones, -ones])


def with_both(values: Floats) -> Floats:
    """Outcomes ``[S, N]`` with two passed and two failed documents more (Agresti and Coull, 1998)."""
    ones = np.ones((len(values), 2))
    return np.hstack([values, ones, 0 * ones])


def without_error(error: Spread, values: Sequence[Floats]) -> bool:
    """Return whether an error is zero but for rounding of `values`, the metric by side and seed.

    Then no document or seed was seen to differ from another: an error of zero is not estimated, but unknown.
    """
    return error.error <= 1e-12 * max(float(np.abs(of).max()) for of in values)
