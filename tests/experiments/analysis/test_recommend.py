"""The recommendation: the cheapest method that is as good as the best, by comparisons given by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from eval.audit import comparable
from eval.metrics import all_metrics, metric
from experiments.analysis.comparisons import KnownComparisons, Margin, estimates, margin_of
from experiments.analysis.conclude import _recommendations
from experiments.analysis.recommend import choose, recommend
from experiments.analysis.statistics import Statistics
from experiments.design.study import StudySpec, load
from figures.wording.evidence import recommendation_text
from toolkit import config
from toolkit.errors import UserError
from toolkit.records import (
    Cell,
    Comparison,
    Condition,
    Costs,
    Estimate,
    Recommendation,
    RunRecord,
    StudyRecords,
)
from toolkit.records.folders import Root
from toolkit.specs import RunSpec, TrainSpec

HERE = Condition("b", "d", 100, 1.0)
ON_RECIPES = Condition("b", "wikibooks", 100, 1.0)
VALUES = {"full": 0.80, "lora-r16": 0.802, "dora": 0.81, "ia3": 0.90}
MEMORY = {"full": 4_000_000_000, "lora-r16": 3_000_000_000, "dora": 2_000_000_000, "ia3": 1_000_000_000}


def run_of(method: str, cores_of_others: float = 0.0) -> RunRecord:
    """A run that needed the method's memory, 100 s, and saved a tenth of that memory, on two cores."""
    spec = RunSpec(
        model=config.model("gpt2"), dataset=None, data=None, method=config.method(method), learning_rate=1e-3,
        train=TrainSpec(), seed=0,
    )  # fmt: skip
    costs = Costs(
        peak_memory_bytes=MEMORY[method],
        train_seconds=100,
        artifact_bytes=MEMORY[method] // 10,
        cores_of_others=cores_of_others,
    )
    return RunRecord(
        run_id=spec.run_id, spec=spec, status="finished", validation_bits_per_byte=1.0, data=None,
        costs=costs, precision=None, environment={"device": "cpu", "cores": 2, "threads": 2},
    )  # fmt: skip


def comparison(method: str, verdict: str, *, within: bool, metric: str = "bits_per_byte") -> Comparison:
    """A method against full: its value less 0.80, give or take 0.003; margin 0.008."""
    difference = VALUES[method] - VALUES["full"]
    return Comparison(
        **HERE._asdict(), method=method, baseline="full", metric=metric, direction="lower",
        difference=difference, low=difference - 0.003, high=difference + 0.003, p=0.5, p_holm=0.5,
        margin=0.008, verdict=verdict, within_margin=within, speaks_about="methods", seeds=3, documents=150,
        needed_documents=600 if verdict == "undecided" else None, unit="bits per byte",
    )  # fmt: skip


def recommended(
    verdicts: dict[str, tuple[str, bool]],
    others: dict[str, str] | None = None,
    *,
    lost: str | None = None,
    better: str | None = None,
    others_cores: dict[str, float] | None = None,
    devices: dict[str, str] | None = None,
) -> Recommendation:
    """The recommendation from each method's verdict against full, and on BLEU from ``others``.

    ``lost``: a method whose seed 1 diverged. ``better``: a method whose value is 0.1 lower than usual.
    """
    methods = ["full", *verdicts]
    runs = {method: run_of(method, (others_cores or {}).get(method, 0.0)) for method in methods}
    for method, device in (devices or {}).items():
        environment = runs[method].environment | {"device": device}
        runs[method] = runs[method].model_copy(update={"environment": environment})
    cells = [
        Cell(
            **HERE._asdict(), method=method, learning_rate=1e-3, seed=0, tuned=True, phase="confirm",
            run_id=runs[method].run_id, eval_digest="e", status="finished",
        )
        for method in methods
    ]  # fmt: skip
    gone = {"seed": 1, "status": "diverged", "eval_digest": None}
    cells += [cell.model_copy(update=gone) for cell in cells if cell.method == lost]
    estimates = [
        Estimate(
            **HERE._asdict(), method=method, metric="bits_per_byte",
            value=VALUES[method] - 0.1 * (method == better), low=None,
            high=None, seeds=3, documents=150, speaks_about="methods", unit="bits per byte",
            label="bits per byte",
        )
        for method in methods
    ]  # fmt: skip

    def compared(method: str, other: str, metric: str) -> Comparison | None:
        assert other == "full"
        if metric == "bleu":
            verdict = (others or {}).get(method)
            return None if verdict is None else comparison(method, verdict, within=False, metric="bleu")
        verdict, within = verdicts[method]
        return comparison(method, verdict, within=within)

    found = recommend(
        HERE, cells, {run.run_id: run for run in runs.values()}, estimates,
        {"bits_per_byte": "lower", "bleu": "higher"}, compared,
    )  # fmt: skip
    assert found is not None
    return found


def test_the_cheapest_equivalent_method_is_recommended():
    """Full is best; LoRA (3 GB) is equivalent and DoRA (2 GB) worse by less than the margin: DoRA."""
    one = recommended({"lora-r16": ("equivalent", True), "dora": ("worse", True), "ia3": ("worse", False)})
    assert (one.best, one.method, one.status, one.undecided) == ("full", "dora", "equivalent", ())
    text = recommendation_text(one, [HERE])
    assert text.startswith("Use dora: its bits per byte is within the margin of the best, full, (+0.0100")
    assert "memory 2.00 GB, against 4.00 GB for full" in text
    assert recommendation_text(one, [HERE], ["full", "dora"]).startswith(
        "Use dora (untuned): its bits per byte"
    )


def test_a_method_that_lost_a_seed_is_not_the_best():
    """LoRA has the lowest mean of what is left of it: full is the best, and LoRA is compared with nothing."""
    one = recommended({"lora-r16": ("refused", False)}, lost="lora-r16", better="lora-r16")
    assert (one.best, one.method) == ("full", "full")
    assert {c.method: c.relation for c in one.candidates} == {"full": "best", "lora-r16": "refused"}


def test_times_beside_other_work_are_not_known():
    """Other work had a core of one of two runs: memory is known of both, time of neither."""
    one = recommended({"lora-r16": ("equivalent", True)}, others_cores={"lora-r16": 1.0})
    assert [c.train_seconds for c in one.candidates] == [None, None]
    assert [c.memory_bytes for c in one.candidates] == [4e9, 3e9]
    quiet = recommended({"lora-r16": ("equivalent", True)}, others_cores={"lora-r16": 0.1})
    assert [c.train_seconds for c in quiet.candidates] == [100, 100]


def test_undecided_is_never_recommended_and_is_named():
    """IA3 (1 GB) is undecided: LoRA is recommended, and the text names IA3 and the 600 documents it needs."""
    one = recommended({"lora-r16": ("equivalent", True), "ia3": ("undecided", False)})
    assert (one.method, one.undecided) == ("lora-r16", ("ia3",))
    text = recommendation_text(one, [HERE])
    assert "Undecided: ia3 would be cheaper, and this study can't tell whether it is as good." in text
    assert "About 600 documents would decide about ia3." in text


def test_with_nothing_equivalent_the_best_is_recommended():
    """All others worse or undecided: full, and what is undecided is said."""
    one = recommended({"dora": ("worse", False), "ia3": ("undecided", False)})
    assert (one.method, one.status, one.undecided) == ("full", "best", ("ia3",))
    text = recommendation_text(one, [HERE])
    assert text.startswith(
        "Use full: its mean bits per byte is the lowest (undecided against ia3), and nothing cheaper is "
        "known to be as good (memory 4.00 GB)."
    )


def test_a_best_method_that_is_the_cheapest_is_said_to_be():
    """All save 500 MB: nothing is cheaper; one that is unknown might be. Refused is not undecided."""
    one = recommended({"ia3": ("undecided", False), "dora": ("refused", False)})
    dear = [c.model_copy(update={"saved_bytes": 5e8}) for c in one.candidates]
    cheapest = choose(one.model_copy(update={"candidates": tuple(dear)}), "size")
    assert recommendation_text(cheapest, [HERE]) == (
        "Use full: its mean bits per byte is the lowest of those that can be compared "
        "(undecided against ia3; not compared with dora), and "
        "nothing is cheaper (saved size 500.0 MB)."
    )
    dear[1] = dear[1].model_copy(update={"saved_bytes": None})
    unknown = choose(one.model_copy(update={"candidates": tuple(dear)}), "size")
    assert "nothing cheaper is known to be as good" in recommendation_text(unknown, [HERE])


def test_costs_of_another_device_are_unknown_and_the_others_stay():
    """IA3 ran elsewhere: its memory is unknown, and what it saved is not; all apart, no memory is known."""
    verdicts = {"lora-r16": ("equivalent", True), "ia3": ("equivalent", True)}
    one = recommended(verdicts, devices={"ia3": "a GPU"})
    assert [candidate.memory_bytes for candidate in one.candidates] == [4e9, 3e9, None]
    assert [candidate.saved_bytes for candidate in one.candidates] == [4e8, 3e8, 1e8]
    assert one.method == "lora-r16"
    apart = recommended(verdicts, devices={"ia3": "a GPU", "full": "a TPU"})
    assert [candidate.memory_bytes for candidate in apart.candidates] == [None, None, None]


def test_with_costs_unknown_the_best_is_named_with_those_as_good() -> None:
    """Runs of several devices have no comparable memory: nothing is called cheaper, LoRA is as good."""
    one = recommended({"lora-r16": ("equivalent", True), "dora": ("worse", False)})
    unknown = [c.model_copy(update={"memory_bytes": None}) for c in one.candidates]
    chosen = choose(one.model_copy(update={"candidates": tuple(unknown)}), "memory")
    assert recommendation_text(chosen, [HERE]) == (
        "Use full: its mean bits per byte is the lowest, and what is cheaper is not known; within the margin "
        "of it: lora-r16 (memory –)."
    )


def test_a_method_that_is_worse_on_another_headline_metric_is_not_recommended():
    """LoRA is equivalent on bits per byte and worse on BLEU by more than the margin: full."""
    one = recommended({"lora-r16": ("equivalent", True)}, {"lora-r16": "worse"})
    assert one.method == "full"
    assert one.candidates[1].worse_on == ("bleu",)
    assert recommendation_text(one, [HERE], labels={"bleu": "BLEU"}).endswith(
        "lora-r16 is cheaper (3.00 GB) and within the margin on bits per byte, but worse on BLEU."
    )


def test_a_budget_excludes_methods_and_says_what_that_costs():
    """At most 3.5 GB: LoRA. At most 1.5 GB: IA3, which is worse. At most 0.5 GB: none."""
    one = recommended({"lora-r16": ("equivalent", True), "ia3": ("worse", False)})
    assert choose(one, "memory", 3.5e9).method == "lora-r16"
    tight = choose(one, "memory", 1.5e9)
    assert (tight.method, tight.status) == ("ia3", "over_budget")
    assert "it is worse than full" in recommendation_text(tight, [HERE])
    one = recommended({"ia3": ("equivalent", True)})
    candidates = [
        c.model_copy(update={"worse_on": ("bleu",)} if c.method == "ia3" else {}) for c in one.candidates
    ]
    lost = choose(one.model_copy(update={"candidates": tuple(candidates)}), "memory", 1.5e9)
    text = recommendation_text(lost, [HERE], labels={"bleu": "BLEU"})
    assert "its bits per byte is within the margin of full's" in text
    assert "but it is worse on BLEU, and full is over the budget" in text
    elsewhere = lost.candidates[0].model_copy(update={"memory_bytes": None})
    of_theirs = lost.model_copy(update={"candidates": (elsewhere, *lost.candidates[1:])})
    assert "and full may be over the budget: its memory is not known" in recommendation_text(
        of_theirs, [HERE]
    )
    unknown = choose(recommended({"ia3": ("undecided", False)}), "memory", 1.5e9)
    assert "it is not known to be as good as full" in recommendation_text(unknown, [HERE])
    none = choose(one, "memory", 0.5e9)
    assert (none.method, none.status) == (None, "none")
    assert recommendation_text(none, [HERE]) == "No method is within the budget of 500.0 MB."
    with pytest.raises(UserError, match="--budget is a finite number above 0"):
        choose(one, "memory", 0)


def test_unknown_costs_are_no_costs_over_the_budget():
    """Every run shared its cores: no time is known, and nothing is said to be over the budget."""
    cores = {"full": 1.0, "lora-r16": 1.0}
    found = choose(recommended({"lora-r16": ("equivalent", True)}, others_cores=cores), "time", 1e6)
    assert found.method is None
    assert recommendation_text(found, [found.condition], ()) == (
        "No method is known to be within the budget: the training time of none is known."
    )


@pytest.mark.parametrize("budget", [-1.0, 0.0, float("nan"), float("inf")])
def test_a_budget_is_a_finite_number_above_zero(budget):
    """One line, with what no budget is."""
    with pytest.raises(UserError, match="--budget is a finite number above 0; leave it out for none"):
        choose(recommended({"lora-r16": ("equivalent", True)}), "time", budget)


def test_what_the_audit_refused_is_never_called_undecided():
    """IA3 (1 GB) is refused: not named as undecided; alone within a budget, as not compared."""
    one = recommended({"lora-r16": ("equivalent", True), "ia3": ("refused", False)})
    assert (one.method, one.undecided) == ("lora-r16", ())
    tight = choose(one, "memory", 1.5e9)
    assert (tight.method, tight.status) == ("ia3", "over_budget")
    text = recommendation_text(tight, [HERE])
    assert text.startswith("Within the budget, use ia3 (memory 1.00 GB): it could not be compared with full")


def test_equal_costs_leave_the_best():
    """All trained 100 s: by time the best stays, as nothing is cheaper."""
    one = choose(recommended({"lora-r16": ("equivalent", True)}), "time")
    assert (one.method, one.status) == ("full", "best")


def by_structure(study: StudySpec, passed_of_ten: dict[str, int]) -> Recommendation:
    """The recommendation where so many of ten texts have their structure, and nothing else was measured."""
    statistics = Statistics()
    for method, passed in passed_of_ten.items():
        rows = [(float(i < passed), 1.0) for i in range(10)]
        every = {name: [None] * 10 for name in all_metrics()}
        statistics[ON_RECIPES, method] = {0: {**every, "structure_compliance": rows}}
    cells = [
        Cell(
            **ON_RECIPES._asdict(), method=method, learning_rate=1e-3, seed=0, tuned=True, phase="confirm",
            run_id=method, eval_digest="e", status="finished",
        )
        for method in study.methods
    ]  # fmt: skip
    records = StudyRecords(cells, Root(Path()))
    records.runs = {}
    (one,) = _recommendations(
        study, statistics, [], records, estimates(statistics), KnownComparisons([]), 0.05
    )
    return one


def test_a_margin_of_the_study_is_in_the_metrics_unit_whoever_is_best():
    """Margin 0.3 of structure compliance: LoRA, best at 10 of 10, against DoRA at 9 of 10 has 0.3 too.

    A share of the gain, 0.3 x (0.8 - 0), would be 0.24.
    """
    overrides = ["methods={full: 1e-4, lora-r16: 1e-3, dora: 1e-3}", "metrics=[structure_compliance]"]
    study = load("quickstart", [*overrides, "margins={structure_compliance: 0.3}"])
    item = metric("structure_compliance")
    assert margin_of(study, item) == Margin(0.3, "absolute")
    assert margin_of(study, item, 0.1) == Margin(0.1, "absolute")
    assert margin_of(study, metric("bleu")) == Margin(metric("bleu").margin, None)
    one = by_structure(study, {"base": 0, "full": 8, "lora-r16": 10, "dora": 9})
    assert one.best == "lora-r16"
    assert {c.method: c.margin for c in one.candidates} == {"full": 0.3, "lora-r16": None, "dora": 0.3}


def test_a_data_set_is_recommended_for_by_the_first_metric_that_is_defined_there(monkeypatch):
    """`numeric_answer` says nothing of recipes: the method is chosen by structure, and not by nothing."""
    overrides = ["methods={full: 1e-4, lora-r16: 1e-3}"]
    study = load("quickstart", overrides)
    study = study.model_copy(update={"metrics": ["numeric_answer", "structure_compliance"]})
    monkeypatch.setattr(type(study), "headline_metrics", lambda self: [metric(name) for name in self.metrics])
    one = by_structure(study, {"base": 0, "full": 8, "lora-r16": 10})
    assert (one.metric, one.best) == ("structure_compliance", "lora-r16")


def test_a_cost_that_is_lower_by_less_than_a_twentieth_is_not_cheaper():
    """LoRA is equivalent and IA3 undecided, at 3.9 GB of full's 4: full; at 3.7 GB LoRA."""
    one = recommended({"lora-r16": ("equivalent", True), "ia3": ("undecided", False)})

    def at(memory: float) -> Recommendation:
        costs = {"full": 4e9, "lora-r16": memory, "ia3": memory}
        candidates = [c.model_copy(update={"memory_bytes": costs[c.method]}) for c in one.candidates]
        return choose(one.model_copy(update={"candidates": tuple(candidates)}), "memory")

    close = at(3.9e9)
    assert (close.method, close.status, close.undecided) == ("full", "best", ())
    assert recommendation_text(close, [HERE]) == (
        "Use full: its mean bits per byte is the lowest (undecided against ia3), and nothing is clearly "
        "cheaper (memory 4.00 GB)."
    )
    apart = at(3.7e9)
    assert (apart.method, apart.undecided) == ("lora-r16", ())
    assert at(4e9).method == "full"


def test_nothing_is_cheaper_than_a_best_method_whose_cost_is_unknown():
    """Full was trained elsewhere: LoRA is as good, IA3 undecided, and neither is known to be cheaper."""
    one = recommended({"lora-r16": ("equivalent", True), "ia3": ("undecided", False)})
    first, *others = one.candidates
    unknown = first.model_copy(update={"memory_bytes": None})
    chosen = choose(one.model_copy(update={"candidates": (unknown, *others)}), "memory")
    assert (chosen.method, chosen.status, chosen.undecided) == ("full", "best", ())
    text = recommendation_text(chosen, [HERE])
    assert "what is cheaper is not known; within the margin of it: lora-r16 (memory –)." in text
    assert "would be cheaper" not in text


def test_a_method_without_costs_does_not_choose_the_device():
    """The baseline was trained elsewhere: the others' runs on one GPU are compared."""
    runs = {method: run_of(method) for method in ("full", "lora-r16", "ia3")}
    nothing = runs["ia3"].costs.model_copy(update={"train_seconds": None, "peak_memory_bytes": None})
    runs["ia3"] = runs["ia3"].model_copy(update={"costs": nothing})
    for method in ("full", "lora-r16"):
        costs = runs[method].costs.model_copy(update={"cuda_allocated_bytes": 10**9})
        runs[method] = runs[method].model_copy(update={"costs": costs})
    cells = [
        Cell(
            **HERE._asdict(), method=method, learning_rate=1e-3, seed=0, tuned=True, phase="confirm",
            run_id=run.run_id, eval_digest="e", status="finished",
        )
        for method, run in runs.items()
    ]  # fmt: skip
    found = comparable(cells, {run.run_id: run for run in runs.values()}, "ia3")
    assert set(found) == {runs["full"].run_id, runs["lora-r16"].run_id}
