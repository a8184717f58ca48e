"""Documents that share a prompt are one observation in a study's estimates and comparisons."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from eval.metrics import metric
from experiments.analysis.comparisons import Margin, compare, estimates
from experiments.analysis.decodings import of_generations
from experiments.analysis.statistics import Statistics, seed_priors_of
from experiments.design import study
from toolkit.records import Cell, Condition, DocumentStatistics, SettingStatistics

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
    item, margin = metric("bits_per_byte"), Margin(0.01)
    return compare(statistics(clusters), [], CONDITION, "lora", "full", item, margin, seeds=[0], tests=1)


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


def test_every_document_twice_as_one_prompt_tells_seeds_no_more_apart():
    """Three methods, three seeds, 8 documents; each twice, in clusters of two: the same priors."""
    rng = np.random.default_rng(0)
    nats = {name: rng.normal(100, 3, (3, 8)) + rng.normal(0, 2, (3, 1)) for name in ("full", "a", "b", "c")}

    def priors(times):
        made = Statistics()
        for name, table in nats.items():
            rows = [[(float(x), 40.0) for x in seed for _ in range(times)] for seed in table]
            made[CONDITION, name] = {seed: {"bits_per_byte": r} for seed, r in enumerate(rows)}
        if times > 1:
            made.clusters[CONDITION] = [str(i // times) for i in range(8 * times)]
        pairs = [side for side in made if side[1] != "full"]
        return seed_priors_of(made, pairs, "full", [metric("bits_per_byte")])

    once, twice = priors(1), priors(2)
    assert len(once) == 3
    assert once.keys() == twice.keys()
    for key, prior in once.items():
        assert np.array(twice[key].components) == pytest.approx(np.array(prior.components))


def test_settings_and_decodings_count_clusters_too():
    """Six documents of three prompts at two decodings: n is 3 in estimates and effects."""
    two = "evaluate={decodings: [{temperature: 0.5}, {temperature: 1}]}"
    named = study.load(
        "quickstart", ["methods={full: 1e-4, lora: {peft: {peft_type: LORA}, learning_rates: 1e-3}}", two]
    )
    decodings = [decoding.name for decoding in named.evaluate.decodings]
    cells = [
        Cell(
            **CONDITION._asdict(), method=method, learning_rate=1e-3, seed=0, tuned=False, phase="confirm",
            run_id=method, eval_digest="e", status="finished",
        ).model_copy(update={"dataset": named.dataset[0].name})
        for method in ("full", "lora")
    ]  # fmt: skip

    def found(labels):
        rows = [
            DocumentStatistics(
                document_id=str(i), cluster=label,
                settings=tuple(
                    SettingStatistics(
                        prompt_mode="title", decoding=name,
                        metrics={"structure_compliance": (float(i % (2 + k) == 0), 1.0)},
                    )
                    for k, name in enumerate(decodings)
                ),
            )
            for i, label in enumerate(labels)
        ]  # fmt: skip
        records = SimpleNamespace(evaluated=cells, outcomes=lambda _: [], statistics=lambda _: rows)
        return of_generations(named, records)

    alone, together = found("abcdef"), found("aabbcc")
    for one, other, n in ((alone, together, 3), (together, alone, 6)):
        of = [e for e in other.settings if e.metric == "structure_compliance"]
        effects = [e for e in other.decoding if e.metric == "structure_compliance"]
        assert {e.documents for e in (*of, *effects)} == {n}
        assert len(of) == 4
        assert [e.value for e in of] == [e.value for e in one.settings if e.metric == "structure_compliance"]
        assert len(effects) == 1


def _others():
    from eval.metrics import all_metrics

    return [name for name in all_metrics() if name != "bits_per_byte"]
