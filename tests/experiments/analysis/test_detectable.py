"""What a study will detect: smallest differences and cheapest changes from variances given by hand."""

from __future__ import annotations

import numpy as np
import pytest

from eval.metrics import metric
from eval.statistics.power.assurance import Variances, detectable, reachable_margin, typical
from experiments.analysis.comparisons import comparisons
from experiments.analysis.detectable import Basis, bases_from, detectables, in_words, wanted
from experiments.analysis.statistics import Statistics
from experiments.design import study
from toolkit.errors import UserError
from toolkit.records import Condition

BASIS = {"bits_per_byte": Basis(Variances(seed=0.0, document=1e-4, rest=1e-4), 0.8, "by hand")}
ONE = study.load("quickstart", ["metrics=[bits_per_byte]", "seeds=[0, 1, 2]", "data.test=100"])


def test_a_row_names_size_difference_margin_and_source():
    """One metric, two methods: one comparison, so it is what `assurance.detectable` gives for one test."""
    (row,) = detectables(ONE, BASIS)
    assert (row.seeds, row.documents, row.source) == (3, 100, "by hand")
    assert row.smallest_difference == pytest.approx(detectable(BASIS["bits_per_byte"].variances, 3, 100, 1))
    assert 0 < row.reachable_margin < 4 * row.smallest_difference


def test_a_metric_without_variances_has_none():
    """Nothing finished, nothing shipped: no number stands in for it."""
    (row,) = detectables(ONE, {})
    assert (row.smallest_difference, row.reachable_margin) == (None, None)
    assert "no variances known" in row.source


def test_the_cheapest_change_reaches_the_wanted_difference():
    """0.1 % of 0.8 bits per byte is 0.0008: documents are added until the study sees that."""
    target = wanted(ONE, BASIS, "bits_per_byte=0.1%")
    assert target.difference == pytest.approx(0.0008)
    change = target.change
    assert change.documents > 100
    assert detectable(BASIS["bits_per_byte"].variances, change.seeds, change.documents, 1) <= 0.0008
    assert f"data.further_test={change.documents - 100}" in in_words(target)
    large = wanted(ONE, BASIS, "bits_per_byte=0.1")
    assert "large enough" in in_words(large)


def test_more_documents_are_more_generations_where_these_are_limited():
    """`data.further_test` alone changes nothing for BLEU; beyond the test documents both have to grow."""
    limited = study.load(
        "quickstart", ["metrics=[bleu]", "seeds=[0, 1, 2]", "data.test=200", "evaluate.generations=20"]
    )
    bases = {"bleu": Basis(Variances(seed=0.0, document=100.0, rest=1.0), 10.0, "by hand")}
    some, many = (wanted(limited, bases, f"bleu={size}") for size in (4, 1))
    assert some.settings == (f"evaluate.generations={some.change.documents}",)
    assert some.change.documents < 200 < many.change.documents
    assert many.settings == (
        f"evaluate.generations={many.change.documents}",
        f"data.further_test={many.change.documents - 200}",
    )
    assert " and ".join(many.settings) in in_words(many)


def test_what_is_added_is_on_top_of_what_was_added_before():
    """20 of 120 documents are further ones already: 150 are 50 of them, and no run is trained again."""
    grown = study.load(
        "quickstart", ["metrics=[bits_per_byte]", "seeds=[0, 1, 2]", "data.test=100", "data.further_test=20"]
    )
    target = wanted(grown, BASIS, "bits_per_byte=0.1%")
    assert target.change.documents > 120
    assert target.settings == (f"data.further_test={target.change.documents - 100}",)


def test_general_text_is_not_made_of_test_documents():
    """300 test documents, 100 general texts: the metric of these has 100, and more of them are texts."""
    asked = study.load(
        "quickstart",
        ["metrics=[general_bits_per_byte]", "seeds=[0, 1, 2]", "data.test=300",
         "evaluate.general={dataset: wikibooks, texts: 100}"],
    )  # fmt: skip
    bases = {"general_bits_per_byte": BASIS["bits_per_byte"]}
    (row,) = detectables(asked, bases)
    assert row.documents == 100
    target = wanted(asked, bases, "general_bits_per_byte=0.1%")
    assert target.change.documents > 100
    assert target.settings == (f"evaluate.general.texts={target.change.documents}",)


@pytest.mark.parametrize(
    "target", [f"bits_per_byte={size}" for size in ("much", "-1", "nan", "inf")] + ["bleu=1", "blue=1"]
)
def test_a_wrong_target_is_one_line(target):
    """No number, not above zero, no variances, no such metric."""
    with pytest.raises(UserError) as raised:
        wanted(ONE, BASIS, target)
    assert "\n" not in str(raised.value)


def test_a_target_in_another_unit_is_refused():
    """2 points of a share are 0.02, and no share differs by 2."""
    bases = {
        "structure_compliance": Basis(
            Variances(seed=0.0, document=0.05, rest=0.15, share=True), 0.9, "made up"
        )
    }
    with pytest.raises(UserError, match="has values from 0 to 1; one point is 0.01"):
        wanted(ONE, bases, "structure_compliance=2")
    assert wanted(ONE, bases, "structure_compliance=0.02").difference == 0.02


def test_planning_counts_clusters_as_verdicts_do():
    """Each of 20 documents of finished runs four times over, as one cluster of four: the study sees no more.

    100 test documents are then 25 clusters, and what is added comes in fours.
    """
    draw = np.random.default_rng(0)
    nats = {name: draw.normal(100, 3, 20) + draw.normal(0, 0.1, (3, 20)) for name in ("full", "lora-r16")}
    where = Condition("base", "recipes", 10, 1.0)

    def bases(times: int, labels: list[str] | None) -> dict[str, Basis]:
        made = Statistics()
        for name, table in nats.items():
            rows = [[(float(x), 40.0) for x in seed for _ in range(times)] for seed in table]
            made[where, name] = {seed: {"bits_per_byte": r} for seed, r in enumerate(rows)}
        if labels:
            made.clusters[where] = labels
        return bases_from(ONE, made)

    once, four = bases(1, None), bases(4, [str(i // 4) for i in range(80)])
    assert four["bits_per_byte"].per_cluster == 4
    assert "3 seeds × 20 clusters of 4 documents" in four["bits_per_byte"].source
    of_25 = study.load("quickstart", ["metrics=[bits_per_byte]", "seeds=[0, 1, 2]", "data.test=25"])
    (clustered,), (independent,) = detectables(ONE, four), detectables(of_25, once)
    assert clustered.smallest_difference == pytest.approx(independent.smallest_difference)
    assert clustered.reachable_margin == pytest.approx(independent.reachable_margin)
    target = f"bits_per_byte={0.7 * clustered.smallest_difference}"
    ours, theirs = wanted(ONE, four, target).change, wanted(of_25, once, target).change
    assert (ours.kind, ours.seeds) == (theirs.kind, theirs.seeds) != ("enough", 3)
    assert ours.documents == 4 * theirs.documents or ours.kind == "seeds"
    (naive,) = detectables(ONE, bases(4, None))
    assert naive.smallest_difference < 0.7 * clustered.smallest_difference


def test_the_quickstart_claims_what_its_plan_prints():
    """The header's three differences, margins reached and sizes are those of the shipped variances.

    The margins: 1 % of .837 is .0084, 10 % of a gain of 3.03 is 0.3, and 5 % of .873 is .044.
    """
    quickstart = study.load("quickstart")
    rows = {row.metric: row for row in detectables(quickstart, bases_from(quickstart, Statistics()))}
    text = " ".join((study.STUDIES / "quickstart.yaml").read_text().replace("#", " ").split())
    bits, bleu, structure = rows["bits_per_byte"], rows["bleu"], rows["structure_compliance"]
    for claim in (
        f"difference of {bits.smallest_difference:.4f}, or equivalent inside {bits.reachable_margin:.4f}",
        f"difference of {bleu.smallest_difference:.1f}, or equivalent inside {bleu.reachable_margin:.1f}",
        f"structure compliance: {structure.smallest_difference:.2f} and {structure.reachable_margin:.2f}",
        "margin of 0.0084",
        "the margin is 0.3, which takes about 1,500",
        "the margin is 0.044, which takes about 1,100",
    ):
        assert claim in text, claim
    margins = {"bits_per_byte": 0.01 * 0.837, "bleu": 0.1 * 3.03, "structure_compliance": 0.05 * 0.873}
    reached = {name: rows[name].reachable_margin < margin for name, margin in margins.items()}
    assert reached == {"bits_per_byte": True, "bleu": False, "structure_compliance": False}
    for name, documents in (("bleu", 1500), ("structure_compliance", 1100)):
        known = typical(name).variances
        assert (
            reachable_margin(known, 1, documents)
            <= margins[name]
            < reachable_margin(known, 1, documents // 2)
        )


def test_a_plan_on_finished_runs_counts_on_what_verdicts_count_on():
    """Four methods of three seeds: the plan's smallest difference is the largest of the comparisons'.

    Other methods' seeds inform each of them in both. A floor that was added is none of them.
    """
    usual = ["metrics=[bits_per_byte]", "seeds=[0, 1, 2]"]
    methods = "full: 1e-4, lora-r16: 1e-3, dora: 1e-3, ia3: 1e-3"
    four = study.load("quickstart", [*usual, f"methods={{{methods}}}"])
    condition, draw = Condition("base", "wikibooks", 10, 1.0), np.random.default_rng(3)
    made, documents = Statistics(), draw.normal(100, 3, 48)
    for method in four.methods:
        made[condition, method] = {
            seed: {"bits_per_byte": [(float(x), 40.0) for x in documents + step + draw.normal(0, 1, 48)]}
            for seed, step in enumerate(draw.normal(0, 0.2, 3))
        }
    compared = comparisons(four, made, [metric("bits_per_byte")], [])
    seen = max(one.smallest_detectable for one in compared)
    (planned,) = detectables(four, bases_from(four, made))
    assert planned.smallest_difference == pytest.approx(seen, rel=0.02)
    floor = "floor: {convert: lora-r16, to: random}"
    with_floor = study.load("quickstart", [*usual, f"methods={{{methods}, {floor}}}"])
    made.converted = {"floor"}
    made[condition, "floor"] = {
        seed: {"bits_per_byte": [(float(x), 40.0) for x in 100 * draw.random() + documents]}
        for seed in range(3)
    }
    assert detectables(with_floor, bases_from(with_floor, made))[0] == planned
