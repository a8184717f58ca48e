"""A metric is compared on the data sets whose format it says anything about."""

from __future__ import annotations

from types import SimpleNamespace

from eval.metrics import metric
from experiments.analysis.comparisons import comparisons
from experiments.analysis.statistics import Statistics
from tests.factories import RECIPE
from toolkit.records import Condition
from toolkit.specs import Conversation


def test_structure_is_compared_on_documents_and_not_on_conversations():
    """Two data sets, two metrics: recipes are compared on both, conversations on bits per byte alone."""
    study = SimpleNamespace(
        baseline="full",
        dataset=[
            SimpleNamespace(name="recipes", format=RECIPE),
            SimpleNamespace(name="chat", format=Conversation(name="chat")),
        ],
        margins={},
        seeds=[0],
    )
    made = Statistics()
    for dataset, structure in (("recipes", (1.0, 1.0)), ("chat", None)):
        for method, nats in (("full", 50.0), ("lora", 60.0)):
            likelihood = [(nats + i, 40.0) for i in range(6)]
            rows = {"bits_per_byte": likelihood, "structure_compliance": [structure] * 6}
            made[Condition("base", dataset, 10, 1.0), method] = {0: rows}
    headline = [metric("bits_per_byte"), metric("structure_compliance")]
    compared = comparisons(study, made, headline, [])
    assert [(c.dataset, c.metric) for c in compared] == [
        ("recipes", "bits_per_byte"),
        ("recipes", "structure_compliance"),
        ("chat", "bits_per_byte"),
    ]
