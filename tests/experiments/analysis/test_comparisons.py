"""What is compared: metrics on the data sets they say anything about, and seeds that inform each other."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from eval.metrics import metric
from experiments.analysis.comparisons import comparisons
from experiments.analysis.statistics import Statistics, seed_priors_of
from tests.factories import RECIPE
from toolkit.records import Condition, Finding
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
        converted={},
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


@pytest.mark.parametrize(
    ("noisy", "informed"), [(None, {"a", "b"}), ("b", {"a"}), ("full", set())], ids=["none", "b", "full"]
)
def test_a_method_whose_seeds_vary_more_is_not_informed_by_the_others(noisy, informed):
    """Seeds at -1, 0 and 1 nat, of one method at -40, 0 and 40: F(2, 4) = 1,600, and p 2e-6 of three methods.

    A noisy baseline is part of every comparison: none is informed.
    """
    place, draw = Condition("base", "recipes", 10, 1.0), np.random.default_rng(0)
    made = Statistics()
    for method in ("full", "a", "b"):
        step = 40 if method == noisy else 1
        made[place, method] = {
            seed: {"bits_per_byte": [(nats + step * (seed - 1), 40.0) for nats in 90 + draw.normal(size=12)]}
            for seed in range(3)
        }
    pairs = [(place, "a"), (place, "b")]
    priors = seed_priors_of(made, pairs, "full", [metric("bits_per_byte")])
    assert {method for _, method, _ in priors} == informed


def test_one_set_of_weights_is_compared_with_every_seed_and_a_lost_seed_is_refused():
    """Three seeds of `full`; `theirs` has one run because it is one adapter, `lora` because two failed.

    How `theirs` varies with the seed is not known: the verdict is about these checkpoints.
    """
    study = SimpleNamespace(
        baseline="full",
        dataset=[SimpleNamespace(name="recipes", format=RECIPE)],
        margins={},
        converted={},
        seeds=[0, 1, 2],
    )
    made, condition = Statistics(), Condition("base", "recipes", 10, 1.0)
    for method, seeds in (("full", (0, 1, 2)), ("theirs", (0,)), ("lora", (0,))):
        made[condition, method] = {
            seed: {"bits_per_byte": [(50.0 + i + seed, 40.0) for i in range(6)]} for seed in seeds
        }
    made.unseeded.add("theirs")
    theirs, lora = comparisons(study, made, [metric("bits_per_byte")], [])
    assert (theirs.method, theirs.unseeded, theirs.seeds, theirs.reason) == ("theirs", "method", 3, None)
    assert theirs.speaks_about == "checkpoints"
    assert theirs.difference is not None
    assert (lora.verdict, lora.reason) == ("refused", "lora has no evaluated run of seed 1, 2")


def test_a_conversion_is_compared_with_what_it_converts_and_changes_no_other_verdict():
    """`full`, `lora` and `lora` merged: one primary comparison with or without it, and p-values as before."""
    condition, made = Condition("base", "recipes", 10, 1.0), Statistics()
    for method, nats in (("full", 50.0), ("lora", 52.0), ("merged", 52.5), ("base", 70.0)):
        made[condition, method] = {0: {"bits_per_byte": [(nats + i % 5, 40.0) for i in range(12)]}}
    study = SimpleNamespace(
        baseline="full",
        dataset=[SimpleNamespace(name="recipes", format=RECIPE)],
        margins={},
        converted={"merged": "lora"},
        seeds=[0],
    )
    every = comparisons(study, made, [metric("bits_per_byte")], [])
    assert [(c.method, c.baseline, c.family) for c in every] == [
        ("lora", "full", "primary"),
        ("full", "base", "base"),
        ("lora", "base", "base"),
        ("merged", "lora", "conversions"),
    ]
    del made[condition, "merged"]
    study.converted = {}
    assert comparisons(study, made, [metric("bits_per_byte")], []) == every[:3]


def test_what_is_converted_says_nothing_of_how_much_seeds_vary():
    """Three seeds of full, a and b; a rounded to bf16, and a floor far off: verdicts are as without them."""
    place, draw = Condition("base", "recipes", 10, 1.0), np.random.default_rng(1)
    study = SimpleNamespace(
        baseline="full",
        dataset=[SimpleNamespace(name="recipes", format=RECIPE)],
        margins={},
        converted={},
        seeds=[0, 1, 2],
    )
    made, documents = Statistics(), 90 + draw.normal(size=12)
    for method in ("full", "a", "b"):
        made[place, method] = {
            seed: {"bits_per_byte": [(float(x), 40.0) for x in documents + step + draw.normal(0, 0.1, 12)]}
            for seed, step in enumerate(draw.normal(0, 0.5, 3))
        }
    alone = comparisons(study, made, [metric("bits_per_byte")], [])
    made[place, "rounded"] = made[place, "a"]
    made[place, "floor"] = {
        seed: {"bits_per_byte": [(float(x), 40.0) for x in 200 + draw.normal(0, 30) + documents]}
        for seed in range(3)
    }
    study.converted = {"rounded": "a", "floor": "a"}
    made.converted = {"rounded", "floor"}
    every = comparisons(study, made, [metric("bits_per_byte")], [])
    assert [one for one in every if one.family == "primary"] == alone
    assert len(every) == len(alone) + 2


def test_what_the_audit_refuses_has_no_difference_and_the_rest_is_judged():
    """`lora` was refused under this condition: no number of it; `dora` is compared as if nothing were."""
    study = SimpleNamespace(
        baseline="full", dataset=[SimpleNamespace(name="recipes", format=RECIPE)], margins={}, converted={},
        seeds=[0],
    )  # fmt: skip
    made, condition = Statistics(), Condition("base", "recipes", 10, 1.0)
    for method, step in (("full", 1), ("lora", 2), ("dora", 2)):
        made[condition, method] = {0: {"bits_per_byte": [(50.0 + step * i, 40.0) for i in range(6)]}}
    finding = Finding(
        **condition._asdict(), check="test split", status="refused", text="differs", methods=("lora",)
    )
    elsewhere = finding.model_copy(update={"dataset": "others", "methods": ()})
    lora, dora = comparisons(study, made, [metric("bits_per_byte")], [elsewhere, finding])
    assert (lora.verdict, lora.reason) == ("refused", "test split: differs")
    assert (lora.difference, lora.p, lora.low) == (None, None, None)
    assert (dora.reason, dora.difference is None) == (None, False)
