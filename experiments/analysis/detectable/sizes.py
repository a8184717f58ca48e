"""What a study of given sizes detects, and the cheapest study that detects a wanted difference."""

from __future__ import annotations

import math
from typing import NamedTuple

from eval.metrics import Metric, metric
from eval.statistics.power.assurance import detectable, reachable_margin
from eval.statistics.power.changes import Change, cheapest_change
from experiments.analysis.detectable.bases import Basis
from experiments.design.study import StudySpec
from toolkit.errors import UserError


class Detectable(NamedTuple):
    """What a study of these sizes detects on a metric, as its clearest comparison."""

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
    low, high = item.bounds
    if number >= high - low:
        hint = "; one point is 0.01" if (low, high) == (0, 1) else ""
        raise UserError(f"--detect {target}: {name} has values from {low:g} to {high:g}{hint}")
    seeds, independent, each = len(study.seeds), independent_of(study, item, basis), basis.per_cluster
    tests = tests_of(study)
    change = cheapest_change(basis.variances, seeds, independent, number, tests=tests, document_cost=each)
    if change is not None:
        more = change.documents > independent
        documents = math.ceil(change.documents * each) if more else documents_of(study, item)
        change = change._replace(documents=documents)
    return Wanted(name, number, change, _settings(study, item, change))


def _settings(study: StudySpec, item: Metric, change: Change | None) -> tuple[str, ...]:
    """What to change: texts are written for `evaluate.generations` of the test documents, if that is set.

    Further test documents, and not `data.test`, which moves validation documents and so trains all runs anew.
    """
    if change is None or change.kind in ("enough", "seeds"):
        return ()
    if item.of_general:
        return (f"evaluate.general.texts={change.documents}",)
    written = item.of_generations and study.evaluate.generations is not None
    settings = [f"evaluate.generations={change.documents}"] if written else []
    if change.documents > study.data.test + study.data.further_test or not written:
        settings.append(f"data.further_test={change.documents - study.data.test}")
    return tuple(settings)


def documents_of(study: StudySpec, item: Metric) -> int:
    """Return the test documents, or the general texts, that a metric of the study is measured on."""
    if item.of_general and study.evaluate.general:
        return study.evaluate.general.texts
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
