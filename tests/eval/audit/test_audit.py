"""Every check of the audit: what it refuses, what it flags, and what it leaves alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eval.audit import audit, refused, under_the_floor, with_edges_untuned
from eval.audit.evidence import heavy
from eval.audit.search import widths
from eval.metrics import metric
from eval.statistics.variance_components import uneven_methods
from tests.figures.made_up import evaluation, run_record
from toolkit.records import (
    Cell,
    Comparison,
    Condition,
    DocumentStatistics,
    EvaluationRecord,
    Finding,
    RunRecord,
    SettingStatistics,
    StudyRecords,
)
from toolkit.records.folders import Root

PLACE = Condition("base", "data")
RATES = {"base": None, "full": 1e-4, "lora-r16": 1e-3, "dora-r16": 1e-3}
METHODS = ("full", "lora-r16", "dora-r16")


class Study:
    """A study in memory: the untouched base and three methods alike in everything, three seeds each."""

    def __init__(self) -> None:
        self.cells: list[Cell] = []
        self.runs: dict[str, RunRecord] = {}
        self.evaluations: dict[str, EvaluationRecord] = {}
        self.lengths = [100.0] * 60
        self.clusters = [str(i) for i in range(60)]
        self.add("base", 0, "base")
        for method in METHODS:
            for rate in (0.1, 1, 10):
                self.add(method, 1000, "tune", rate * RATES[method])
            for seed in range(3):
                self.add(method, seed, "confirm", RATES[method])

    def add(self, method: str, seed: int, phase: str, rate: float | None = None) -> None:
        """Add a cell with its run and, unless it is a tuning run, its evaluation."""
        kind = "base" if method == "base" else "full" if method == "full" else "lora-r16"
        made = run_record(kind, seed, rate, "CPU")
        run_id = f"{method}.{seed}.{rate}"
        digest = None if phase == "tune" else "d1"
        place = {
            "base_model": "base",
            "dataset": "data",
            "method": method,
            "learning_rate": rate,
            "seed": seed,
        }
        self.cells.append(
            Cell(**place, tuned=True, phase=phase, run_id=run_id, eval_digest=digest, status="finished")
        )
        known = {**made.environment, "base_revision": "abc"}
        counts = made.data and made.data.model_copy(update={"left_out_too_long": 0})
        self.runs[run_id] = made.model_copy(update={"environment": known, "data": counts})
        if digest:
            self.evaluations[run_id] = evaluation(made, kind, 0, "test-1")

    def lose(self, rate: float, status: str) -> None:
        """End LoRA's tuning run at a rate in another way."""
        lost = ("lora-r16", "tune", rate)
        self.cells = [
            c.model_copy(update={"status": status}) if (c.method, c.phase, c.learning_rate) == lost else c
            for c in self.cells
        ]

    def records(self) -> StudyRecords:
        """The records as the reader would hand them on."""
        records = StudyRecords(self.cells, Root(Path("nowhere")))
        rows = [
            DocumentStatistics(
                document_id=str(i),
                cluster=self.clusters[i],
                settings=(
                    SettingStatistics(prompt_mode="title", decoding="d", metrics={"bits_per_byte": (1.0, n)}),
                ),
            )
            for i, n in enumerate(self.lengths)
        ]
        evaluations = {
            (c.run_id, c.eval_digest): self.evaluations[c.run_id] for c in self.cells if c.eval_digest
        }
        records.__dict__.update(runs=self.runs, evaluations=evaluations)
        records._statistics = {(c.run_id, str(c.eval_digest)): rows for c in self.cells}
        return records

    def change(self, which: str, records: dict[str, Any], **update: Any) -> None:
        """Change the records of a method, or of one run."""
        for run_id, record in records.items():
            if run_id == which or run_id.split(".")[0] == which:
                records[run_id] = record.model_copy(update=update)

    def findings(self, **options: bool) -> dict[str, Finding]:
        """The audit's findings that are not ok, by check."""
        return {f.check: f for f in audit(self.records(), **options) if f.status != "ok"}

    def allowed(self, one: str, other: str) -> bool:
        """Whether the two methods may be compared."""
        return refused(audit(self.records()), PLACE, {one, other}) is None


@pytest.fixture
def study() -> Study:
    """A study with nothing to object to."""
    return Study()


def test_a_study_alike_in_everything_has_nothing_flagged_and_all_is_compared(study: Study) -> None:
    """Nothing but ok, and checks there are."""
    assert study.findings() == {}
    assert len(audit(study.records())) >= 10
    assert all(study.allowed(one, "full") for one in ("base", "lora-r16", "dora-r16"))


def test_an_odd_number_of_rates_refuses_the_odd_method_alone(study: Study) -> None:
    """DoRA tried two of three: full against LoRA, and everything against the base, are judged."""
    study.cells = [
        c for c in study.cells if (c.method, c.phase, c.learning_rate) != ("dora-r16", "tune", 1e-2)
    ]
    finding = study.findings()["learning rates tried"]
    assert (finding.status, finding.methods) == ("refused", ("dora-r16",))
    assert "dora-r16: 2" in finding.text
    assert not study.allowed("dora-r16", "full")
    assert not study.allowed("dora-r16", "lora-r16")
    assert study.allowed("full", "lora-r16")
    assert all(study.allowed(method, "base") for method in METHODS)


def test_a_tie_names_both_sides(study: Study) -> None:
    """Two methods, three rates and two: neither is the usual one, whatever the order of the cells."""
    study.cells = [c for c in study.cells if c.method != "dora-r16"]
    study.cells = [
        c for c in study.cells if (c.method, c.phase, c.learning_rate) != ("lora-r16", "tune", 1e-2)
    ]
    for cells in (study.cells, study.cells[::-1]):
        study.cells = cells
        assert study.findings()["learning rates tried"].methods == ("full", "lora-r16")
        assert not study.allowed("full", "lora-r16")
        assert study.allowed("full", "base")


def test_one_rate_each_is_flagged_as_untuned(study: Study) -> None:
    """No search at all: comparable, and flagged."""
    study.cells = [c for c in study.cells if c.phase != "tune"]
    assert study.findings()["learning rates tried"].status == "flagged"
    assert study.allowed("full", "lora-r16")


def test_unequal_tuning_seeds_and_grid_widths_are_refused(study: Study) -> None:
    """LoRA's search with a second seed; then full's over four decades instead of two."""
    study.add("lora-r16", 1001, "tune", 1e-3)
    finding = study.findings()["tuning seeds"]
    assert (finding.status, finding.methods) == ("refused", ("lora-r16",))
    assert not study.allowed("lora-r16", "full")
    assert study.allowed("full", "dora-r16")
    wide = Study()
    wide.cells = [
        c.model_copy(update={"learning_rate": 1e-7}) if (c.method, c.learning_rate) == ("full", 1e-5) else c
        for c in wide.cells
    ]
    finding = wide.findings()["width of the grid"]
    assert (finding.status, finding.methods) == ("refused", ("full",))
    assert "4.0 decades" in finding.text
    assert not wide.allowed("full", "lora-r16")


def test_searches_as_wide_but_for_rounding_are_alike() -> None:
    """1.6e-5 to 5.8e-4 are 1.559 decades, 9.6e-5 to 3.5e-3 are 1.562: the same."""
    assert widths({"full": [1.6e-5, 9.6e-5, 5.8e-4], "lora": [9.6e-5, 5.8e-4, 3.5e-3]}) == {
        "full": "1.6 decades",
        "lora": "1.6 decades",
    }
    # 1.549 and 1.557 have other words when rounded; a decade more is another width.
    some = widths({"a": [1e-5, 3.54e-4], "b": [1e-5, 3.61e-4], "c": [1e-5, 3.54e-3], "d": []})
    assert some == {"a": "1.5 decades", "b": "1.5 decades", "c": "2.5 decades", "d": "none"}


def test_a_rate_beside_one_that_diverged_is_flagged(study: Study) -> None:
    """LoRA confirms at 1e-3; its 1e-2 diverged. The others' do not concern it, and it stays tuned."""
    study.lose(1e-2, "diverged")
    finding = study.findings()["beside a diverged rate"]
    assert (finding.status, finding.methods) == ("flagged", ("lora-r16",))
    assert "lora-r16 at 0.001 lies beside 0.01" in finding.text
    assert study.allowed("lora-r16", "full")
    assert all(c.tuned for c in with_edges_untuned(study.cells) if c.phase == "confirm")


def test_a_rate_at_which_a_run_failed_was_not_tried(study: Study) -> None:
    """LoRA's 1e-2 failed, as of a full disk: it tried two rates of three, and 1e-3 is the last of them."""
    study.lose(1e-2, "failed")
    finding = study.findings()["learning rates tried"]
    assert (finding.status, finding.methods) == ("refused", ("lora-r16",))
    assert not study.allowed("lora-r16", "full")
    assert study.allowed("full", "dora-r16")
    untuned = {c.method for c in with_edges_untuned(study.cells) if c.phase == "confirm" and not c.tuned}
    assert untuned == {"lora-r16"}


def test_a_best_rate_at_the_edge_is_flagged_and_not_tuned(study: Study) -> None:
    """LoRA confirms at 1e-2, the last of three: its cells lose `tuned`, no other's do."""
    study.cells = [
        c.model_copy(update={"learning_rate": 1e-2}) if (c.method, c.phase) == ("lora-r16", "confirm") else c
        for c in study.cells
    ]
    finding = study.findings()["grid edge"]
    assert (finding.status, finding.methods) == ("flagged", ("lora-r16",))
    assert "lora-r16 is not tuned" in finding.text
    assert {c.method for c in with_edges_untuned(study.cells) if not c.tuned} == {"lora-r16"}


@pytest.mark.parametrize(
    ("check", "spoil"),
    [
        ("base weights", lambda s: s.change("lora-r16", s.runs, environment={"base_revision": "other"})),
        ("test part", lambda s: s.change("lora-r16", s.evaluations, test="test-2")),
        ("precision", lambda s: s.change("lora-r16", s.runs, precision="fp32")),
    ],
)
def test_what_must_be_the_same_refuses_the_odd_method(
    check: str, spoil: Callable[[Study], None], study: Study
) -> None:
    """LoRA differs: refused against every other, and full against DoRA and the base is not."""
    spoil(study)
    finding = study.findings()[check]
    assert (finding.status, finding.methods) == ("refused", ("lora-r16",))
    assert not study.allowed("lora-r16", "full")
    assert not study.allowed("lora-r16", "dora-r16")
    assert study.allowed("full", "dora-r16")
    assert study.allowed("full", "base")


def test_other_training_tokens_at_one_seed_are_refused(study: Study) -> None:
    """Seed 1 of LoRA saw another stream."""
    run = study.runs["lora-r16.1.0.001"]
    assert run.data is not None
    study.change("lora-r16.1.0.001", study.runs, data=run.data.model_copy(update={"stream_hash": "other"}))
    assert study.findings()["training tokens, seed 1"].status == "refused"
    assert not study.allowed("lora-r16", "full")
    assert study.allowed("full", "dora-r16")


def test_special_tokens_written_in_training_documents_are_counted(study: Study) -> None:
    """Three documents of LoRA's runs have `</s>` in their text; older records have no count."""
    assert "special tokens" not in study.findings()
    data = study.runs["lora-r16.1.0.001"].data
    assert data is not None
    assert data.special_tokens is None
    study.change("lora-r16", study.runs, data=data.model_copy(update={"special_tokens": 3}))
    finding = study.findings()["special tokens"]
    assert (finding.status, ": 3. It is read" in finding.text) == ("flagged", True)


def test_other_epochs_and_other_evaluation_settings_are_refused(study: Study) -> None:
    """Full trained twice as long; DoRA was generated for with a limit of its own."""
    spec = study.runs["full.0.0.0001"].spec
    longer = spec.model_copy(update={"train": spec.train.model_copy(update={"epochs": 99.0})})
    study.change("full", study.runs, spec=longer)
    asked = study.evaluations["dora-r16.0.0.001"].spec
    study.change("dora-r16", study.evaluations, spec=asked.model_copy(update={"max_new_tokens": 7}))
    found = study.findings()
    assert (found["epochs"].status, found["epochs"].methods) == ("refused", ("full",))
    assert (found["decoding"].status, found["decoding"].methods) == ("refused", ("dora-r16",))
    assert not study.allowed("full", "lora-r16")
    assert not study.allowed("dora-r16", "base")
    assert study.allowed("lora-r16", "base")


def test_another_attention_than_the_others_is_flagged(study: Study) -> None:
    """Whatever was requested: eager for LoRA, blocks for the rest. Without a record there is no finding."""
    assert "attention" not in study.findings()
    study.change("full", study.runs, environment={"attention": "blocks"})
    assert study.findings()["attention"].text.startswith("unknown for dora-r16, lora-r16")
    for method in METHODS:
        environment = {"attention": "eager" if method == "lora-r16" else "blocks"}
        study.change(method, study.runs, environment=environment)
    finding = study.findings()["attention"]
    assert (finding.status, finding.methods) == ("flagged", ("lora-r16",))
    assert study.allowed("lora-r16", "full")


def test_an_unknown_base_revision_is_flagged_and_not_called_the_same(study: Study) -> None:
    """Unknown for all; then known for all but one."""
    for known in (("full",), METHODS):
        for method in known:
            study.change(method, study.runs, environment={})
        finding = study.findings()["base weights"]
        assert finding.status == "flagged"
        assert "unknown for" in finding.text
    assert study.allowed("full", "lora-r16")


def test_another_device_other_versions_and_other_training_settings_are_flagged(study: Study) -> None:
    """Costs may not be compared; values may, with the difference shown."""
    spec = study.runs["full.0.0.0001"].spec
    other = spec.model_copy(update={"train": spec.train.model_copy(update={"warmup": 0.5})})
    changed = {"base_revision": "abc", "device": "GPU", "versions": {"torch": "1.0"}}
    study.change("full", study.runs, environment=changed, spec=other)
    found = study.findings()
    assert {found[check].status for check in ("device", "versions", "train.warmup")} == {"flagged"}
    assert "full: 0.5" in found["train.warmup"].text
    assert study.allowed("full", "lora-r16")


@pytest.mark.parametrize(
    ("others", "threads", "more", "flagged"),
    [
        (0.1, 2, {}, False),  # within a tenth of its two threads
        (0.5, 2, {}, True),
        (1.0, 1, {}, False),  # a run of one thread on the other core, as with --jobs 2
        (1.3, 1, {}, True),
        (1.9, 2, {"cuda": "13.0"}, False),  # a GPU does the work
        (None, 2, {}, False),  # unknown
    ],
)
def test_times_beside_other_work_are_flagged(
    others: float | None, threads: int, more: dict[str, str], flagged: bool, study: Study
) -> None:
    """Two cores; what others took of them is measured for full fine-tuning, and nothing for the rest."""
    for run_id, run in study.runs.items():
        known = {**run.environment, "cores": 2, "threads": threads, **more}
        study.runs[run_id] = run.model_copy(update={"environment": known})
        if run_id.startswith("full.1."):
            costs = run.costs.model_copy(update={"cores_of_others": others})
            study.change(run_id, study.runs, costs=costs)
    found = study.findings()
    assert list(found) == (["busy machine"] if flagged else [])
    if flagged:
        assert found["busy machine"].methods == ("full",)
        assert f"(full: {others} to {others})" in found["busy machine"].text


@pytest.mark.parametrize(("count", "words"), [(1, "one seed: "), (2, "2 seeds: ")])
def test_one_or_two_seeds_are_flagged(count: int, words: str, study: Study) -> None:
    """Three are not."""
    study.cells = [c for c in study.cells if c.phase != "confirm" or c.seed < count]
    finding = study.findings()["seeds"]
    assert finding.status == "flagged"
    assert finding.text.startswith(words)


def test_few_heavy_documents_are_flagged(study: Study) -> None:
    """60 documents, of which three have 1,000 bytes and the others 100: 3,000 of 8,700, 34 %."""
    study.lengths[:3] = [1000.0] * 3
    finding = study.findings()["heavy documents"]
    assert finding.status == "flagged"
    assert (
        finding.text == "the 3 longest of 60 documents carry 34% of the weight: intervals may be too narrow"
    )


def test_a_heavy_tail_is_flagged_even_without_a_heavy_document(study: Study) -> None:
    """Half have 100 bytes and half 600: logarithms 1.79 apart, deviation .90; the heaviest 5 % carry 9 %.

    In 200 draws of 48 lognormal lengths it is flagged in nearly all of deviation 1 and in few of .5.
    """
    study.lengths[:] = [100.0, 600.0] * 30
    finding = study.findings()["heavy documents"]
    assert "carry 9% of the weight, and lengths have a heavy tail (deviation of their" in finding.text
    assert "logarithm 0.90)" in finding.text
    draw = np.random.default_rng(0)
    flagged = {0.5: 0, 1.0: 0}
    for deviation in flagged:
        for _ in range(200):
            flagged[deviation] += bool(heavy(np.exp(deviation * draw.normal(size=48)).tolist()))
    assert flagged[0.5] <= 4
    assert flagged[1.0] >= 190


@pytest.mark.parametrize(("spread", "flagged"), [(0.005, True), (0.0007, False)])
def test_a_method_with_noisier_seeds_is_flagged(spread: float, flagged: bool, study: Study) -> None:
    """Bits per byte of DoRA .9 and .9 +- spread, of the others .9 and .9 +- .0005: F(2, 4) = 100, or 1.96.

    p is .0004 of three methods and three metrics; 1.96 is p .25. Two methods do not inform each other.
    """
    for method, size in (("full", 0.0005), ("lora-r16", 0.0005), ("dora-r16", spread)):
        for cell in study.cells:
            if cell.method == method and cell.phase == "confirm":
                metrics = dict(study.evaluations[cell.run_id].metrics)
                value = metrics["bits_per_byte"].model_copy(update={"value": 0.9 + size * (cell.seed - 1)})
                study.change(cell.run_id, study.evaluations, metrics={**metrics, "bits_per_byte": value})
    found = [finding for name, finding in study.findings().items() if name == "uneven seeds"]
    assert [finding.methods for finding in found] == [("dora-r16",)] * flagged
    assert all("vary more than those of the other methods in bits per byte (p 0.0" in f.text for f in found)
    study.cells = [cell for cell in study.cells if cell.method != "lora-r16"]
    assert "uneven seeds" not in study.findings()


def test_a_seed_apart_from_the_others_is_flagged(study: Study) -> None:
    """Bits per byte of full: .90, .901 and .99. .99 is .0895 from the others: over 1 % of .9."""
    for seed, value in enumerate((0.9, 0.901, 0.99)):
        run_id = f"full.{seed}.0.0001"
        metrics = dict(study.evaluations[run_id].metrics)
        metrics["bits_per_byte"] = metrics["bits_per_byte"].model_copy(update={"value": value})
        study.change(run_id, study.evaluations, metrics=metrics)
    finding = study.findings()["odd seed"]
    assert (finding.status, finding.methods) == ("flagged", ("full",))
    assert "seed 2 of full stands apart in bits per byte" in finding.text


def _measure(study: Study, name: str, base: float | None, full: tuple[float, float, float]) -> None:
    """Set a metric of the untouched base, if any, and of full fine-tuning's seeds; the others are equal."""
    for run_id, record in study.evaluations.items():
        method, seed = run_id.split(".")[:2]
        value = {"base": base, "full": full[int(seed)]}.get(method, full[0])
        bleu = record.metrics["bleu"].model_copy(update={"value": value})
        study.change(run_id, study.evaluations, metrics={**record.metrics, name: bleu})


@pytest.mark.parametrize(
    ("base", "margins", "flagged"),
    [
        (0.0, {}, True),  # the gain of .095 gives a margin of .0095, below the gap of .03
        (None, {}, True),  # unknown: any gap counts
        (-0.4, {}, False),  # a gain of .495 gives .0495
        (0.0, {"rouge_l": 0.02}, True),  # the study's own, in ROUGE-L
        (0.0, {"rouge_l": 0.04}, False),
    ],
)
def test_an_odd_seed_counts_by_the_margin_in_the_metrics_unit(
    base: float | None, margins: dict[str, float], flagged: bool, study: Study
) -> None:
    """ROUGE-L of full .095, .0951 and .125: .03 apart, where a share of 10 % taken as .1 would hide it."""
    _measure(study, "rouge_l", base, (0.095, 0.0951, 0.125))
    found = audit(study.records(), metrics=[metric("rouge_l")], margins=margins)
    assert ["odd seed"] * flagged == [f.check for f in found if f.check == "odd seed"]


def test_claimed_matched_parameters_are_checked(study: Study) -> None:
    """DoRA with 10 % more weights than LoRA: flagged if claimed. Full fine-tuning is not among them."""
    assert "matched parameters" not in study.findings(matched_parameters=True)
    run = study.runs["dora-r16.0.0.001"]
    more = {"trainable_parameters": int(1.1 * (run.costs.trainable_parameters or 0))}
    study.change("dora-r16", study.runs, costs=run.costs.model_copy(update=more))
    finding = study.findings(matched_parameters=True)["matched parameters"]
    assert (finding.status, finding.methods) == ("flagged", ("dora-r16", "lora-r16"))
    assert "apart by 10%" in finding.text
    assert "matched parameters" not in study.findings()


def test_few_documents_are_flagged(study: Study) -> None:
    """Generated for 10 of them only."""
    for run_id, record in study.evaluations.items():
        study.evaluations[run_id] = record.model_copy(
            update={"spec": record.spec.model_copy(update={"generations": 10})}
        )
    finding = study.findings()["held-out documents"]
    assert finding.status == "flagged"
    assert "10 generated for: too few" in finding.text


def test_documents_of_few_clusters_are_few(study: Study) -> None:
    """Forty documents of four questions are four; one of them with three long texts outweighs the others."""
    study.clusters = [str(i // 10) for i in range(60)]
    finding = study.findings()["held-out documents"]
    assert finding.status == "flagged"
    assert "40 generated for, in 4 clusters of documents that are not independent: too few" in finding.text
    study.lengths[:3] = [3000.0] * 3
    assert "the 1 longest of 6 documents carry 66%" in study.findings()["heavy documents"].text


def test_a_lost_run_and_documents_left_out_are_flagged(study: Study) -> None:
    """A diverged run with its reason; labels that were cut; seven documents that were too long."""
    study.cells[-1] = study.cells[-1].model_copy(update={"status": "diverged", "error": "loss of 99"})
    run = study.runs["full.0.0.0001"]
    assert run.data is not None
    study.change(
        "full", study.runs, data=run.data.model_copy(update={"end_labels": 0.9, "left_out_too_long": 7})
    )
    found = study.findings()
    assert "loss of 99" in found["diverged"].text
    assert found["end labels"].methods == ("full",)
    assert found["left out"].text.startswith("7 training documents")


@pytest.mark.parametrize(("value", "flagged"), [(1.9, True), (2.6, False)])
def test_equivalent_under_the_floor_says_so(value: float, flagged: bool, study: Study) -> None:
    """Unrelated text has BLEU 2.5: two methods at 1.9 are equivalent and worth nothing; at 2.6 they are."""
    for run_id, record in study.evaluations.items():
        bleu = record.metrics["bleu"]
        study.evaluations[run_id] = record.model_copy(
            update={
                "metrics": {**record.metrics, "bleu": bleu.model_copy(update={"value": value})},
                "anchors": {"unrelated": {"bleu": bleu.model_copy(update={"value": 2.5})}},
            }
        )
    pair = Comparison.model_construct(
        base_model="base", dataset="data", train_size=None, epochs=None, method="lora-r16", baseline="full",
        metric="bleu", label="BLEU", direction="higher", verdict="equivalent",
    )  # fmt: skip
    findings = under_the_floor([pair], study.records())
    assert [f.status for f in findings] == ["flagged"] * flagged
    assert all("no better than unrelated text (2.5)" in f.text for f in findings)
    other = pair.model_copy(update={"verdict": "undecided"})
    assert under_the_floor([other], study.records()) == []


@pytest.mark.parametrize(("right", "flagged"), [(1.0, False), (1.2, True)])
def test_unrelated_text_of_perfect_form_is_no_floor(right: float, flagged: bool, study: Study) -> None:
    """Another recipe has all markers, as the right one: 0.99 is not worthless because that has 1."""
    for run_id, record in study.evaluations.items():
        bleu = record.metrics["bleu"]
        anchors = {
            name: {"bleu": bleu.model_copy(update={"value": value})}
            for name, value in (("unrelated", 1.0), ("references", right))
        }
        metrics = {**record.metrics, "bleu": bleu.model_copy(update={"value": 0.99})}
        study.evaluations[run_id] = record.model_copy(update={"metrics": metrics, "anchors": anchors})
    pair = Comparison.model_construct(
        base_model="base", dataset="data", train_size=None, epochs=None, method="lora-r16", baseline="full",
        metric="bleu", label="BLEU", direction="higher", verdict="equivalent",
    )  # fmt: skip
    assert [f.status for f in under_the_floor([pair], study.records())] == ["flagged"] * flagged


def test_a_base_on_two_data_sets_has_the_test_part_of_each(study: Study) -> None:
    """One run of the base, scored on `test-1` and on `test-2`, beside LoRA on each: both data sets are ok.

    Looked up by run alone, the base would have one part for both and be refused on one of them.
    """
    base = next(cell for cell in study.cells if cell.is_base)
    lora = next(cell for cell in study.cells if (cell.method, cell.phase) == ("lora-r16", "confirm"))
    part = study.evaluations[base.run_id]
    cells, evaluations = [], {}
    for dataset, digest in (("one", "test-1"), ("two", "test-2")):
        for cell in (base, lora.model_copy(update={"run_id": f"lora on {dataset}"})):
            cells.append(cell.model_copy(update={"dataset": dataset, "eval_digest": digest}))
            evaluations[cell.run_id, digest] = part.model_copy(update={"test": digest})
    records = study.records()
    records.cells = tuple(cells)
    runs = {cell.run_id: study.runs[base.run_id if cell.is_base else lora.run_id] for cell in cells}
    records.__dict__.update(runs=runs, evaluations=evaluations)
    records._statistics = {key: [] for key in evaluations}
    parts = [finding for finding in audit(records) if finding.check == "test part"]
    assert [(finding.dataset, finding.status) for finding in parts] == [("one", "ok"), ("two", "ok")]
    assert parts[0].text.endswith("test-1")
    assert parts[1].text.endswith("test-2")


def test_a_refusal_holds_under_its_own_condition_alone() -> None:
    """Refused on one data set and size, two methods are compared on another data set and at another size."""
    here = Condition("base", "data", 180, 1.0)
    finding = Finding(
        **here._asdict(), check="test split", status="refused", text="differs", methods=("full",)
    )
    assert refused([finding], here, {"full", "lora-r16"}) == "test split: differs"
    assert refused([finding], here, {"dora-r16", "lora-r16"}) is None
    for other in (here._replace(dataset="more"), here._replace(train_size=800), here._replace(epochs=2.0)):
        assert refused([finding], other, {"full", "lora-r16"}) is None


def test_what_is_converted_from_a_method_at_its_edge_is_untuned_too(study: Study) -> None:
    """LoRA's best rate is its lowest one: `merged`, made of LoRA, is no better tuned than LoRA is."""
    study.cells = [
        c for c in study.cells if (c.method, c.phase, c.learning_rate) != ("lora-r16", "tune", 1e-4)
    ]
    study.add("merged", 0, "confirm")
    found = with_edges_untuned(study.cells, {"merged": "lora-r16"})
    assert {c.method for c in found if not c.tuned} == {"lora-r16", "merged"}
    assert {c.method for c in with_edges_untuned(study.cells) if not c.tuned} == {"lora-r16"}


@pytest.mark.parametrize(("value", "flagged"), [(2.6, True), (1.9, False)])
def test_where_lower_is_better_the_floor_is_above(value: float, flagged: bool, study: Study) -> None:
    """Unrelated text has 2.5 bits per byte: two methods at 2.6 are worth nothing, two at 1.9 are."""
    for run_id, record in study.evaluations.items():
        bits = record.metrics["bits_per_byte"]
        study.evaluations[run_id] = record.model_copy(
            update={
                "metrics": {**record.metrics, "bits_per_byte": bits.model_copy(update={"value": value})},
                "anchors": {"unrelated": {"bits_per_byte": bits.model_copy(update={"value": 2.5})}},
            }
        )
    pair = Comparison.model_construct(
        **PLACE._asdict(), method="lora-r16", baseline="full",
        metric="bits_per_byte", label="bits per byte", direction="lower", verdict="equivalent",
    )  # fmt: skip
    assert [f.status for f in under_the_floor([pair], study.records())] == ["flagged"] * flagged


def test_uneven_seeds_are_corrected_for_methods_and_metrics() -> None:
    """DoRA's values are six times as far apart as the others': F(2, 4) = 36, p 0.0028.

    Times three methods 0.0083; times three methods and seven metrics 0.058, which is not reported.
    """
    one = [[0.9, 0.91, 0.92], [0.9, 0.91, 0.92], [0.84, 0.9, 0.96]]
    alike = [one[0]] * 3
    assert uneven_methods([one])[2].p == pytest.approx(0.0028 * 3, rel=0.02)
    assert uneven_methods([one, *[alike] * 6]) == {}
