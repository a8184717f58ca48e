"""What a study will see: the smallest difference it detects, and the margin it can call equivalent."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from eval.metrics import Metric, metric
from eval.metrics.base import Floats
from eval.statistics.crossed import SeedPrior, spread
from eval.statistics.observations import complete, differences, stack
from eval.statistics.power.assurance import Variances, detectable, reachable_margin, typical
from eval.statistics.power.changes import Change, cheapest_change
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


class Detectable(NamedTuple):
    """What a study of these sizes sees on a metric, as its clearest comparison."""

    metric: str
    unit: str
    seeds: int
    documents: int
    smallest_difference: float | None
    """The smallest true difference that is called with 80 % power; None if no variances are known."""
    reachable_margin: float | None
    """The smallest margin inside which two equal methods are called equivalent with 80 % power."""
    source: str


class Wanted(NamedTuple):
    """The cheapest study that detects a wanted difference."""

    metric: str
    difference: float
    """In the metric's unit."""
    change: Change | None
    """None if 100 seeds do not suffice."""
    settings: tuple[str, ...] = ()
    """The keys of the study that have to change, with their new values."""


def bases_of(grid: StudyState) -> dict[str, Basis]:
    """Return headline metric -> variances: of the study's finished runs, or else of the shipped table."""
    return bases_from(grid.study, _finished(grid))


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


def detectables(study: StudySpec, bases: dict[str, Basis]) -> list[Detectable]:
    """Return a row for each headline metric."""
    rows = []
    for item in study.headline_metrics():
        basis, documents, seeds = bases.get(item.name), documents_of(study, item), len(study.seeds)
        smallest = margin = None
        if basis is not None:
            independent = independent_of(study, item, basis)
            smallest = detectable(basis.variances, seeds, independent, tests_of(study))
            margin = reachable_margin(basis.variances, seeds, independent)
        runs = "finished runs of several seeds" if seeds > 1 else "finished runs"
        source = basis.source if basis else f"no variances known: no {runs}, and not in the table"
        rows.append(Detectable(item.name, item.unit, seeds, documents, smallest, margin, source))
    return rows


def wanted(study: StudySpec, bases: dict[str, Basis], target: str) -> Wanted:
    """Return the cheapest study that detects ``target``: `bits_per_byte=0.5%` or `bleu=1`.

    Raises UserError if it cannot be read or its metric's variances are not known.
    """
    name, _, size = target.partition("=")
    item = metric(name)
    basis = bases.get(name)
    if basis is None:
        known = ", ".join(bases) or "none"
        raise UserError(f"--detect {target}: the variances of {name} are not known; known are: {known}")
    try:
        number = float(size.removesuffix("%"))
    except ValueError:
        raise UserError(f"--detect {target}: expected a number or a share, e.g. {name}=0.5%") from None
    if not 0 < number < math.inf:
        raise UserError(f"--detect {target}: expected a finite number above 0")
    if size.endswith("%"):
        if basis.value is None:
            raise UserError(
                f"--detect {target}: the value of {name} is not known; give a difference in {item.unit}"
            )
        number *= abs(basis.value) / 100
    seeds, independent, each = len(study.seeds), independent_of(study, item, basis), basis.per_cluster
    tests = tests_of(study)
    change = cheapest_change(basis.variances, seeds, independent, number, tests=tests, document_cost=each)
    if change is not None:
        more = change.documents > independent
        documents = math.ceil(change.documents * each) if more else documents_of(study, item)
        change = change._replace(documents=documents)
    return Wanted(name, number, change, _settings(study, item, change))


def _settings(study: StudySpec, item: Metric, change: Change | None) -> tuple[str, ...]:
    """What to change: texts are written for `evaluate.generations` of the test documents, if that is set."""
    if change is None or change.kind in ("enough", "seeds"):
        return ()
    written = item.of_generations and study.evaluate.generations is not None
    settings = [f"evaluate.generations={change.documents}"] if written else []
    if change.documents > study.data.test + study.data.further_test or not written:
        settings.append(f"data.test={change.documents}")
    return tuple(settings)


def documents_of(study: StudySpec, item: Metric) -> int:
    """Return the test documents that a metric of the study is measured on."""
    documents = study.data.test + study.data.further_test
    written = study.evaluate.generations if item.of_generations else None
    return min(written or documents, documents)


def independent_of(study: StudySpec, item: Metric, basis: Basis | None) -> int:
    """Return how many of a metric's test documents are independent: clusters, if finished runs have them."""
    return max(2, round(documents_of(study, item) / (basis.per_cluster if basis else 1.0)))


def tests_of(study: StudySpec) -> int:
    """Return the number of comparisons of the primary family."""
    conditions = len(study.base_models) * len(study.dataset) * len(study.data.train) * len(study.train.epochs)
    compared = len(study.methods) - len(study.converted) - 1
    return max(1, compared * conditions * len(study.headline_metrics()))


def _finished(grid: StudyState) -> Statistics:
    """Statistics of the study's own concluded runs; empty if there are none."""
    path = grid.root.results(grid.study.name) / "comparisons.json"
    if not path.is_file():
        return Statistics()
    try:
        conclusions = Conclusions.read(path)
        return statistics_of(StudyRecords.read(conclusions.cells, grid.root))
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
    row = typical(item.name, study.base_models[0].name)
    if row is None:
        return None
    about = "" if row.base_model == study.base_models[0].name else f", of {row.base_model}"
    variances = replace(row.variances, share=item.binary)
    return Basis(variances, row.value, f"shipped table{about}: {row.measured}")


def as_rows(found: Sequence[Detectable]) -> list[dict[str, object]]:
    """The rows as a terminal shows them, three significant digits."""
    return [
        {
            "metric": row.metric,
            "seeds × documents": f"{row.seeds} × {row.documents}",
            "smallest difference seen": _number(row.smallest_difference),
            "equivalent inside": _number(row.reachable_margin),
            "unit": row.unit,
            "variances from": row.source,
        }
        for row in found
    ]


def in_words(target: Wanted) -> str:
    """One line: what reaches the wanted difference."""
    what = f"{target.metric} {target.difference:.3g}"
    change = target.change
    if change is None:
        return f"to see {what}: no study of up to 100 seeds and a million documents suffices"
    if change.kind == "enough":
        return f"to see {what}: the study is large enough"
    parts = [f"{change.seeds} seeds"] if change.kind in ("seeds", "both") else []
    cheapest = " and ".join([*parts, *target.settings])
    return f"to see {what}: {cheapest} is the cheapest change that reaches 80 % power"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"
