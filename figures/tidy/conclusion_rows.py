"""Rows of what a study concludes: one plain dictionary per fact."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from typing import Any

from figures.tidy.records import Records
from figures.wording.names import anchor_label
from figures.wording.pairs import shown_name
from toolkit.records import Condition, FailedGeneration, read_lines

FAILURES = ["method", "seed", "prompt_mode", "decoding"]


def settings(records: Records) -> Iterator[dict[str, Any]]:
    """Yield estimates by prompt mode and decoding; `order` is the place of the decoding."""
    record = next(iter(records.evaluations.values()), None)
    decodings = record.spec.decodings if record else ()
    # From what never surprises to what does: beams, greedy, then by temperature.
    mild_first = sorted(decodings, key=lambda d: (d.temperature, -d.num_beams, d.top_k or inf, d.top_p))
    order = {decoding.name: index for index, decoding in enumerate(mild_first)}
    for estimate in records.conclusions.settings:
        yield {
            **estimate.model_dump(),
            "metric_label": records.metric_label(estimate.metric, estimate.label),
            "direction": records.direction(estimate.metric),
            "test": records.tests.get(estimate.condition),
            **records.shown(estimate.condition, estimate.method),
            "order": order.get(estimate.decoding),
        }


def effects(records: Records) -> Iterator[dict[str, Any]]:
    """Yield how much is decoding and how much is method."""
    for effect in records.conclusions.decoding:
        yield {
            **effect.model_dump(exclude={"label"}),
            "metric_label": records.metric_label(effect.metric, effect.label),
            "test": records.tests.get(effect.condition),
        }


def failures(records: Records) -> Iterator[dict[str, Any]]:
    """Yield counts of failing texts by class."""
    for count in records.conclusions.failures:
        about = count.model_dump(include={*FAILURES, *Condition._fields, "failing"})
        by_people = count.decoding is None
        shown = {"label": anchor_label(count.method)}
        if not by_people:
            shown = records.shown(count.condition, count.method)
        shared = {"test": records.tests.get(count.condition), **shown, "documents": count.generations}
        for name, value in count.classes.items():
            yield {**about, **shared, "metric": "failures", "part": name, "value": value}


def failing(records: Records) -> Iterator[dict[str, Any]]:
    """Yield the failing texts."""
    path = records.source.root.results(records.conclusions.study).failures
    for failure in read_lines(path, FailedGeneration) if path.is_file() else ():
        shown = records.shown(failure.condition, failure.method)
        yield {**failure.model_dump(), "test": records.tests.get(failure.condition), **shown}


def estimates(records: Records) -> Iterator[dict[str, Any]]:
    """Yield each method's value of each metric, with its interval."""
    for estimate in records.conclusions.estimates:
        yield {
            **estimate.model_dump(),
            "metric_label": records.metric_label(estimate.metric, estimate.label),
            "direction": records.direction(estimate.metric),
            "test": records.tests.get(estimate.condition),
            **records.shown(estimate.condition, estimate.method),
        }


def comparisons(records: Records) -> Iterator[dict[str, Any]]:
    """Yield the differences between two methods."""
    for pair in records.conclusions.comparisons:
        yield {
            **pair.model_dump(),
            "metric_label": records.metric_label(pair.metric, pair.label),
            "test": records.tests.get(pair.condition),
            **records.shown(pair.condition, pair.method),
            "baseline_label": shown_name(records.conclusions, pair.baseline),
            "baseline_untuned": records.shown(pair.condition, pair.baseline)["untuned"],
        }
