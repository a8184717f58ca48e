"""The variances that a prediction rests on: of a study's finished runs, or of the shipped table."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from eval.metrics import Metric
from eval.metrics.base import Floats
from eval.statistics.crossed import SeedPrior, spread
from eval.statistics.observations import complete, differences, stack
from eval.statistics.power.assurance import Variances, detectable, typical
from experiments.analysis.statistics import Statistics, seed_priors_of, statistics_of
from experiments.design.study import StudySpec
from experiments.design.study_state import StudyState
from toolkit.errors import UserError
from toolkit.records import Conclusions, StudyRecords
from toolkit.specs import BASE


class Basis(NamedTuple):
    """Where a prediction comes from."""

    variances: Variances
    value: float | None
    """The metric's value, which a share such as `0.5%` refers to; None if it is not known."""
    source: str
    """`finished runs: …`, or what the shipped table measured."""
    per_cluster: float = 1.0
    """Documents per cluster, of which the variances then are; 1 if documents are independent, or if that is
    unknown, as with the shipped table."""


def bases_of(study_state: StudyState) -> dict[str, Basis]:
    """Return headline metric -> variances: of the study's finished runs, or else of the shipped table."""
    return bases_from(study_state.study, _finished(study_state))


def bases_from(study: StudySpec, statistics: Statistics) -> dict[str, Basis]:
    """Return headline metric -> variances: of these statistics, or else of the shipped table.

    Of several methods the one that varies most against the baseline counts. Finished runs of one seed say
    nothing about seeds, so that only the table counts if the study has several.
    """
    known = _measured(study, statistics)
    result: dict[str, Basis] = {}
    for item in study.headline_metrics():
        basis = known.get(item.name)
        one_seed = basis is not None and math.isinf(basis.variances.freedom)
        if basis is None or (one_seed and len(study.seeds) > 1):
            basis = _typical(item, study)
        if basis is not None:
            result[item.name] = basis
    return result


def _finished(study_state: StudyState) -> Statistics:
    """Statistics of the study's own concluded runs; empty if there are none."""
    path = study_state.root.results(study_state.study.name).conclusions
    if not path.is_file():
        return Statistics()
    try:
        conclusions = Conclusions.read(path)
        return statistics_of(StudyRecords.read(conclusions.cells, study_state.root))
    except UserError:
        return Statistics()  # of another version, or without their outcomes: as if there were none


def _measured(study: StudySpec, statistics: Statistics) -> dict[str, Basis]:
    """Metric -> variances of the method whose smallest detectable difference is the largest.

    As in the verdicts, seeds of other methods inform them, and what is converted is none of these.
    """
    result: dict[str, Basis] = {}
    metrics = study.headline_metrics()
    sides = [
        (condition, method)
        for condition, method in statistics
        if method not in (study.baseline, BASE, *study.converted)
        and (condition, study.baseline) in statistics
    ]
    priors = seed_priors_of(statistics, sides, study.baseline, metrics)
    for item in (item for item in metrics if not item.of_set):
        found: list[tuple[float, Basis]] = []
        for condition, method in sides:
            seeds, theirs = statistics[condition, method], statistics[condition, study.baseline]
            if seeds.keys() != theirs.keys():
                continue
            tables = [
                stack([rows[item.name] for _, rows in sorted(side.items())]) for side in (seeds, theirs)
            ]
            clusters = statistics.clusters.get(condition)
            (ours, against), _ = complete(item, *tables, clusters=clusters)
            if ours.shape[1] < 2:
                continue
            share = item.binary and clusters is None
            apart = differences(item, ours, against, share=share)
            if not np.isfinite(apart).all():  # it rests on a single document
                continue
            documents = complete(item, *tables)[0][0].shape[1]
            prior = priors.get((condition, method, item.name))
            basis = _basis(apart, item, against, method, documents / ours.shape[1], prior, share=share)
            found.append((detectable(basis.variances, len(study.seeds), ours.shape[1]), basis))
        if found:
            result[item.name] = max(found, key=lambda pair: pair[0])[1]
    return result


def _basis(
    apart: Floats,
    item: Metric,
    against: Floats,
    method: str,
    per_cluster: float,
    prior: SeedPrior | None,
    *,
    share: bool,
) -> Basis:
    """Variances of differences of a method ``[S, N]``, and the value of what it was compared with."""
    error = spread(apart)
    error = error.moderated(prior) if prior is not None else error
    noun = "documents" if per_cluster == 1 else f"clusters of {per_cluster:.3g} documents"
    size = f"{error.seeds} seeds × {against.shape[1]} {noun}" if error.seeds > 1 else "one seed"
    value = float(item.aggregate(against.sum(axis=1)).mean())
    variances = replace(Variances.of(error), share=share)
    return Basis(variances, value, f"finished runs: {method}, {size}", per_cluster)


def _typical(item: Metric, study: StudySpec) -> Basis | None:
    """The shipped table's line for a metric, which says what was measured and what is assumed."""
    row = typical(item.name)
    if row is None:
        return None
    alike = study.base_models[0].name == row.base_model and study.dataset[0].name == "wikibooks"
    about = "" if alike else f", of {row.base_model} on wikibooks"
    variances = replace(row.variances, share=item.binary)
    return Basis(variances, row.value, f"shipped table{about}: {row.measured}")
