"""Whether the seeds of a method agree with each other, and with how much those of other methods vary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from types import MappingProxyType

from eval.metrics import Metric
from eval.statistics.variance_components import odd_seed, uneven_methods
from eval.statistics.verdicts import margin_of_values, own_margin_kind
from toolkit.records import Cell, EvaluationRecord, Finding


def odd_seeds(
    trained: Sequence[Cell],
    evaluations: Mapping[str, EvaluationRecord],
    metrics: Sequence[Metric],
    untouched: Sequence[Cell] = (),
    margins: Mapping[str, float] = MappingProxyType({}),
) -> list[Finding]:
    """Flag a seed that stands apart from the others of its method, and by more than the metric's margin.

    ``untouched``: cells of the untouched base model, over which a margin of kind "gain" is a share of what
    the method's other seeds gained; without one that is evaluated there is no such margin, and any gap
    counts. ``margins``: the study's own, by metric.
    """
    findings = []
    before = _by_metric(untouched, evaluations, metrics)
    for metric, values in _by_metric(trained, evaluations, metrics).items():
        for number, (method, by_seed) in enumerate(values.items()):
            odd = odd_seed([list(of.values()) for of in values.values()], number)
            if odd is None or odd.p >= 0.05:
                continue
            seed = list(by_seed)[odd.place]
            others = fmean(value for other, value in by_seed.items() if other != seed)
            base = [value for of in before[metric].values() for value in of.values()]
            own = margins.get(metric.name)
            margin = margin_of_values(
                metric,
                metric.margin if own is None else own,
                others,
                fmean(base) if base else None,
                None if own is None else own_margin_kind(metric),
            )
            if abs(by_seed[seed] - others) > (margin or 0.0):
                text = f"seed {seed} of {method} stands apart in {metric.label}: {by_seed[seed]:.4g}"
                findings.append(Finding(check="odd seed", status="flagged", text=text, methods=(method,)))
    return findings


def uneven(
    trained: Sequence[Cell], evaluations: Mapping[str, EvaluationRecord], metrics: Sequence[Metric]
) -> list[Finding]:
    """Flag a method whose seeds vary more than the others', which then do not inform its intervals."""
    measured = _by_metric(trained, evaluations, metrics)
    methods = sorted({cell.method for cell in trained})
    values = [[list(of.get(method, {}).values()) for method in methods] for of in measured.values()]
    return [
        Finding(
            check="uneven seeds",
            status="flagged",
            text=f"the seeds of {methods[number]} vary more than those of the other methods in "
            f"{list(measured)[found.metric].label} (p {found.p:.1g}): comparisons with it know its own alone",
            methods=(methods[number],),
        )
        for number, found in sorted(uneven_methods(values).items())
    ]


def _by_metric(
    trained: Sequence[Cell], evaluations: Mapping[str, EvaluationRecord], metrics: Sequence[Metric]
) -> dict[Metric, dict[str, dict[int, float]]]:
    """Return metric -> method -> seed -> value; methods by name, seeds in ascending order."""
    cells = sorted(trained, key=lambda cell: (cell.method, cell.seed))
    result: dict[Metric, dict[str, dict[int, float]]] = {}
    for metric in metrics:
        of_metric = result.setdefault(metric, {})
        for cell in cells:
            record = evaluations.get(cell.run_id)
            measured = record.metrics.get(metric.name) if record else None
            if measured is not None and measured.value is not None:
                of_metric.setdefault(cell.method, {})[cell.seed] = measured.value
    return result
