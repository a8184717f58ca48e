"""The metrics, one file each: a module that binds ``METRIC`` is in the registry; a folder per kind.

`base` is what a metric is, and a folder holds the metrics of one kind. `measure` computes one over outcomes;
`texts` and `words` prepare texts for those that compare them.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import math
import pkgutil
from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np

from eval.metrics.base import Context, Metric, number
from eval.metrics.own import own_metrics
from toolkit.catalog import BUILT_IN
from toolkit.errors import UserError, unknown_name
from toolkit.records import MetricValue, Outcome

__all__ = [
    "Context",
    "Metric",
    "all_metrics",
    "held_out",
    "measure",
    "metric",
    "origin",
    "signature",
    "unavailable",
]


@cache
def _built_in() -> dict[str, Metric]:
    metrics: dict[str, Metric] = {}
    for file in pkgutil.walk_packages(__path__, f"{__name__}."):
        item: Metric | None = getattr(importlib.import_module(file.name), "METRIC", None)
        if item is None:  # code that several metrics share
            continue
        if item.name in metrics:
            raise ValueError(f"two metrics are named '{item.name}'")
        metrics[item.name] = item
    return metrics


def _registry() -> dict[str, Metric]:
    metrics = dict(_built_in())
    for own in own_metrics():
        if own.metric.name in metrics:
            raise UserError(f"{own.origin}: the metric name '{own.metric.name}' is taken. Choose another")
        metrics[own.metric.name] = own.metric
    return dict(sorted(metrics.items(), key=lambda pair: (not pair[1].headline, pair[0])))


def all_metrics() -> dict[str, Metric]:
    """Return every available metric by name: those that get a verdict first, then by name.

    The user's own are among them, see `eval.metrics.own`.
    """
    lacking = unavailable()
    return {name: item for name, item in _registry().items() if name not in lacking}


def origin(name: str) -> str:
    """Return where a metric comes from: `built in`, `package NAME`, or the path of the user's file."""
    return next((own.origin for own in own_metrics() if own.metric.name == name), BUILT_IN)


def held_out(values: Mapping[str, MetricValue]) -> dict[str, MetricValue]:
    """The values that are about held-out documents, without those about general texts."""
    general = {name for name, item in _registry().items() if item.of_general}
    return {name: value for name, value in values.items() if name not in general}


def unavailable() -> dict[str, str]:
    """Return the metrics whose package is not installed: name -> how to install what it needs."""
    messages = {}
    for name, item in _registry().items():
        package, _, version = (item.needs or "").partition("==")
        installed = _version(package) if package else None
        if package and (installed is None or version not in ("", installed)):
            messages[name] = f"metric '{name}' is not measured; for it: pip install --no-deps {item.needs}"
    return messages


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def metric(name: str) -> Metric:
    """Return the metric of that name; UserError with the nearest match if there is none."""
    metrics = _registry()
    if name not in metrics:
        raise unknown_name("metric", name, metrics)
    if metrics[name].needs and (message := unavailable().get(name)):
        raise UserError(message)
    return metrics[name]


def signature(metric: Metric, context: Context) -> str:
    """Return the metric's signature, with prompt mode and decoding if it looks at generations.

    That of a user's own metric ends in the hash of its source.
    """
    source = next((own.source for own in own_metrics() if own.metric is metric), None)
    parts = [metric.signature, *([metric.settings(context)] if metric.settings(context) else [])]
    if metric.of_generations:
        parts += [f"prompt:{context.prompt_mode or 'first'}", f"decoding:{context.decoding or 'first'}"]
    return "|".join([*parts, *([f"source:{source}"] if source else [])])


def measure(
    metric: Metric, outcomes: Sequence[Outcome], context: Context
) -> tuple[MetricValue, list[tuple[float, ...] | None]]:
    """The metric over all outcomes, and its statistics on each of them in the same order.

    Documents on which it is not defined are left out, and so are general texts, unless the metric is about
    these; `documents` counts those that are in. A metric that fails on a document is a UserError that names
    both.
    """
    context = context.among([o for o in outcomes if o.general == metric.of_general])
    rows = [
        _statistics(metric, outcome, context) if outcome.general == metric.of_general else None
        for outcome in outcomes
    ]
    defined = [row for row in rows if row is not None]
    if len({len(row) for row in defined}) > 1:
        raise UserError(f"metric '{metric.name}': documents differ in their number of statistics")
    value: float | None = None
    details: dict[str, float | None] = {}
    if defined:
        sums = np.asarray(defined, dtype=np.float64).sum(axis=0)
        try:
            value = number(metric.aggregate(sums))
            of_three = np.asarray(metric.aggregate(np.stack([sums] * 3)), dtype=np.float64)
            further = metric.details(sums, context).items()
            details = {key: None if part is None else number(part) for key, part in further}
        except Exception as error:  # a metric may raise anything: the user needs its name
            what = f"metric '{metric.name}' failed on {len(defined)} documents' sums"
            raise UserError(f"{what}: {type(error).__name__}: {error}") from error
        alike = [np.nan if value is None else value] * 3
        finite = np.where(np.isfinite(of_three), of_three, np.nan)
        if of_three.shape != (3,) or not np.allclose(finite, alike, equal_nan=True):
            raise UserError(
                f"metric '{metric.name}': aggregate takes sums of shape [..., k] and returns [...], but of "
                "the same sums three times it did not return its value three times. Index the last axis: "
                "`sums[..., 0]`"
            )
    measured = MetricValue(
        value=value,
        documents=len(defined),
        label=metric.label,
        unit=metric.unit,
        direction=metric.direction,
        signature=signature(metric, context),
        details=details,
    )
    return measured, rows


def _statistics(metric: Metric, outcome: Outcome, context: Context) -> tuple[float, ...] | None:
    where = f"metric '{metric.name}' failed on document {outcome.document_id} ('{outcome.title[:60]}')"
    try:
        row = metric.statistics(outcome, context)
        finite = row is None or all(math.isfinite(x) for x in row)
    except Exception as error:  # a metric may raise anything: the user needs its name and the document's
        raise UserError(f"{where}: {type(error).__name__}: {error}") from error
    if not finite:
        raise UserError(f"{where}: its statistics are not finite: {row}")
    return row
