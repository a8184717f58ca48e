"""Documents that share a prompt are one observation in a study's estimates and comparisons."""

from __future__ import annotations

import pytest

from eval.metrics import metric
from experiments.analysis.comparisons import Statistics, compare, estimates
from toolkit.records import Condition

CONDITION = Condition("base", "recipes", 10, 1.0)


def statistics(clusters):
    """Two methods, one seed, six documents of bits per byte: nats and bytes, one method lower throughout."""
    made = Statistics()
    for method, shift in (("full", 0.0), ("lora", 0.1)):
        rows = [(50.0 + 10 * i + shift * (1 + i % 3), 40.0) for i in range(6)]
        made[CONDITION, method] = {0: {"bits_per_byte": rows}}
    if clusters:
        made.clusters[CONDITION] = clusters
    return made


def compared(clusters):
    """The one comparison of the two methods."""
    item = metric("bits_per_byte")
    return compare(statistics(clusters), [], CONDITION, "lora", "full", item, 0.01, seeds=[0], tests=1)


def test_six_documents_of_three_prompts_are_three():
    """Three prompts of two documents: n is 3 in comparison and estimate, and the value is the same."""
    labels = ["a", "a", "b", "b", "c", "c"]
    alone, together = compared(None), compared(labels)
    assert (alone.documents, together.documents) == (6, 3)
    assert together.difference == pytest.approx(alone.difference)
    made = statistics(labels)
    for side in made.values():
        for name in _others():
            side[0][name] = [None] * 6
    values = {(e.method, e.metric): e for e in estimates(made)}
    assert values["lora", "bits_per_byte"].documents == 3


def _others():
    from eval.metrics import all_metrics

    return [name for name in all_metrics() if name != "bits_per_byte"]
