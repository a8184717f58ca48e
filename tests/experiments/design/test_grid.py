"""What a grid asks for next, given records: searches, extensions, rounds, edits, costs. No training."""

from __future__ import annotations

import math

import pytest

from experiments.analysis import detectable
from experiments.design import study
from experiments.design.conditions import Design
from experiments.design.grid.cells import cells_of
from experiments.design.planning import edits, plan
from experiments.design.study_state import StudyState
from tests.experiments.design.grids import BOTH, SMALL, bowl, finish, play, rates
from toolkit.errors import UserError
from toolkit.events import Advanced, Event, PhaseStarted
from toolkit.records import Cell, Conclusions, Failure, RunRecord
from toolkit.records import Costs as RunCosts
from toolkit.specs import EvalSpec


def test_the_best_rate_of_each_goes_on_with_fresh_seeds(make):
    """Full is best at 1e-4, LoRA at 1e-3, the middles of their grids: nothing is extended."""
    cells = play(make(BOTH, "seeds=[0, 1]"), bowl(full=1e-4, lora=1e-3))
    assert rates(cells, "full", "tune") == [3.2e-5, 1e-4, 3.2e-4]
    assert rates(cells, "full", "confirm") == [1e-4, 1e-4]
    assert rates(cells, "lora-r16", "confirm") == [1e-3, 1e-3]


def test_a_best_rate_at_the_edge_extends_the_grid_of_all(make):
    """LoRA is best above its grid: both methods try one rate more above theirs, and LoRA takes it."""
    cells = play(make(BOTH), bowl(full=1e-4, lora=1e-2))
    assert rates(cells, "full", "tune") == [3.2e-5, 1e-4, 3.2e-4, 1e-3]
    assert rates(cells, "lora-r16", "tune") == [3.2e-4, 1e-3, 3.2e-3, 1e-2]
    assert rates(cells, "full", "confirm") == [1e-4]
    assert rates(cells, "lora-r16", "confirm") == [1e-2]


def test_a_grid_is_extended_once_and_on_both_sides_where_both_are_needed(make):
    """Full is best far below, LoRA far above: five rates each, and then they are confirmed at the edge."""
    cells = play(make(BOTH), bowl(full=1e-7, lora=10.0))
    assert len(rates(cells, "full", "tune")) == len(rates(cells, "lora-r16", "tune")) == 5
    assert rates(cells, "full", "confirm") == [1e-5]
    assert rates(cells, "lora-r16", "confirm") == [1e-2]


@pytest.mark.parametrize(
    "overrides",
    [[BOTH, "search.at_edge=flag"], ["methods={full: [1e-5, 1e-4], lora-r16: [1e-4, 1e-3]}"]],
)
def test_a_grid_is_left_as_it_is_where_that_is_asked_for_or_it_is_written_out(make, overrides):
    """The best at the edge is confirmed; the audit flags it."""
    study_state = make(*overrides)
    cells = play(study_state, bowl(full=1.0, lora=1.0))
    written = study_state.study.methods["full"].learning_rates
    assert tuple(rates(cells, "full", "tune")) == written
    assert rates(cells, "full", "confirm") == [max(written)]


def test_a_diverged_rate_was_tried_and_is_not_taken(make):
    """The highest rate of both diverges: three rates each as planned, no edge, the middle is taken."""
    inner = bowl(full=1e-2, lora=1e-2)
    cells = play(
        make(BOTH), lambda c: math.inf if (c.run.learning_rate or 0) in (3.2e-4, 3.2e-3) else inner(c)
    )
    assert len(rates(cells, "full", "tune")) == 3
    assert rates(cells, "full", "confirm") == [1e-4]


def test_a_method_that_always_diverges_is_not_confirmed(make):
    """The others are, and nothing waits for it."""
    inner = bowl(full=1e-4)
    study_state = make(BOTH)
    cells = play(study_state, lambda c: math.inf if c.method == "lora-r16" else inner(c))
    assert rates(cells, "full", "confirm") == [1e-4]
    assert rates(cells, "lora-r16", "confirm") == []
    planned = plan.plan(study_state)
    assert {run["status"] for run in planned["runs"]} == {"done", "to evaluate"}
    assert (planned["left_to_search"], study_state.more_to_come(cells)) == (0, 0)


def test_a_search_that_is_over_asks_for_nothing_more(make):
    """Halving of four rates, three of which diverge: five tries, of at least six while it was under way."""
    study_state = make("methods={full: tune}", "search={rates: 4, strategy: halving, at_edge: flag}")
    assert study_state.more_to_come(study_state.cells()) == 2 + 1
    cells = play(study_state, lambda c: 0.8 if c.run.learning_rate == 5.6e-5 else math.inf)
    assert len(rates(cells, "full", "tune")) == 5
    assert study_state.more_to_come(cells) == 0


def test_half_a_search_chooses_nothing(make):
    """Five of six tuning runs are there: no confirming run is planned, whatever their results."""
    study_state = make(BOTH, "search.at_edge=flag")
    for cell in study_state.cells()[1:6]:
        finish(study_state, cell, 0.5)
    assert {cell.phase for cell in study_state.cells()} == {"base", "tune"}
    lost = study_state.cells()[6].run.run_id  # the sixth has failed: the search continues without it
    assert "confirm" in {cell.phase for cell in study_state.cells({lost})}


def test_the_mean_over_tuning_seeds_decides(make):
    """Seed 7 likes 1e-4 (0.70 against 0.75), seed 8 dislikes it (0.95 against 0.80): 0.825 loses to 0.775."""
    table = {(1e-4, 7): 0.70, (1e-4, 8): 0.95, (1e-3, 7): 0.75, (1e-3, 8): 0.80}
    study_state = make("methods={full: [1e-4, 1e-3]}", "tuning_seeds=[7, 8]")
    cells = play(study_state, lambda c: table.get((c.run.learning_rate, c.run.seed), 1.0))
    assert rates(cells, "full", "confirm") == [1e-3]


def test_halving_gives_the_better_half_twice_the_budget(make):
    """Four rates at a quarter of the epochs, the best two at half, the better of these in full."""
    study_state = make(
        "methods={full: tune}", "search={rates: 4, strategy: halving, at_edge: flag}", "train.epochs=2"
    )
    cells = play(study_state, bowl(full=2e-4))
    tries = [(c.budget, c.run.train.epochs, c.run.learning_rate) for c in cells if c.phase == "tune"]
    assert tries == [
        (0.25, 0.5, 1.8e-5), (0.25, 0.5, 5.6e-5), (0.25, 0.5, 1.8e-4), (0.25, 0.5, 5.6e-4),
        (0.5, 1.0, 1.8e-4), (0.5, 1.0, 5.6e-4),
    ]  # fmt: skip
    assert rates(cells, "full", "confirm") == [1.8e-4]
    assert (cells[-1].run.train.epochs, cells[-1].rate_choice) == (2, "grid")  # 5.6e-5 was left behind


def test_a_bracketing_search_leaves_out_what_lies_behind_a_worse_rate(make):
    """Four rates; full is best at the second, LoRA at the third: three runs each."""
    study_state = make(BOTH, "search={rates: 4, strategy: bracket}")
    assert study_state.more_to_come(study_state.cells()) == 2 * (3 - 2) + 2
    cells = play(study_state, bowl(full=6e-5, lora=1.8e-3))
    assert rates(cells, "full", "tune") == [5.6e-5, 1.8e-4, 1.8e-5]
    assert rates(cells, "lora-r16", "tune") == [5.6e-4, 1.8e-3, 5.6e-3]
    whole = play(make(BOTH, "search.rates=4"), bowl(full=6e-5, lora=1.8e-3))
    for name in ("full", "lora-r16"):
        assert rates(cells, name, "confirm") == rates(whole, name, "confirm")


def test_a_bracketing_search_gives_every_method_as_many_tries(make):
    """LoRA needs a fourth rate, past its grid: full tries a fourth, beside its own. Once past, no further."""
    cells = play(make(BOTH, "search={rates: 4, strategy: bracket}"), bowl(full=6e-5, lora=1e-2))
    assert rates(cells, "lora-r16", "tune") == [5.6e-4, 1.8e-3, 5.6e-3, 1.8e-2]
    assert rates(cells, "full", "tune") == [5.6e-5, 1.8e-4, 1.8e-5, 5.6e-4]
    flagged = play(
        make(BOTH, "search={rates: 4, strategy: bracket, at_edge: flag}"), bowl(full=6e-5, lora=1e-2)
    )
    assert rates(flagged, "lora-r16", "tune") == [5.6e-4, 1.8e-3, 5.6e-3]
    assert rates(flagged, "lora-r16", "confirm") == [5.6e-3]


def test_every_condition_searches_on_its_own(make):
    """With 20 recipes the best rate is 3.2e-4, with 40 it is 1e-4: each size is confirmed at its own."""
    study_state = make("methods={full: tune}", "data.train=[20, 40]", "search.at_edge=flag")
    small, large = bowl(full=3.2e-4), bowl(full=1e-4)
    cells = play(study_state, lambda c: (small if c.data.train == 20 else large)(c))
    confirmed = {c.data.train: c.run.learning_rate for c in cells if c.phase == "confirm"}
    assert confirmed == {20: 3.2e-4, 40: 1e-4}


def test_an_edit_names_the_finished_runs_that_no_longer_belong(make):
    """Two fixed rates have run; one is changed: its run is named, that of the other still belongs."""
    before = make("methods={full: 1e-4, lora-r16: 1e-3}")
    play(before, lambda _: 0.8)
    assert edits.describe_edit(before, before.cells()) is None
    edits.write_study(before)
    assert edits.describe_edit(before, before.cells()) is None
    after = make("methods={full: 2e-4, lora-r16: 1e-3}")
    said = edits.describe_edit(after, after.cells())
    assert "1 finished run no longer belongs to it" in said
    assert "full at 0.0001, seed 0" in said
    assert "lora" not in said
    provenance = before.root.results(before.study.name).imported
    provenance.write_text("{}")  # what a stranger's study names is not opened
    assert edits.describe_edit(after, after.cells()) is None
    edits.write_study(after)
    assert not provenance.exists()


@pytest.mark.parametrize("edit", ["train.batch_tokens=2048", "data.validation=12", "tuning_seeds=[7]"])
def test_an_edit_of_what_all_runs_share_excludes_all_of_them(make, edit):
    """No search can ask for them again: they are named, and neither the data nor the base is blamed."""
    before = make(BOTH)
    cells = play(before, bowl(full=1e-4, lora=1e-3))
    edits.write_study(before)
    after = make(BOTH, edit)
    trained = [cell for cell in cells if cell.method != "base"]
    said = edits.describe_edit(after, after.cells())
    assert f"{len(trained)} finished runs no longer belong to it" in said


def test_other_data_in_the_same_place_is_named_too(make):
    """The study's file is unchanged, and none of the runs it concluded on is one of its own any more."""
    study_state = make("methods={full: 1e-4, lora-r16: 1e-3}")
    cells = play(study_state, lambda _: 0.8)
    edits.write_study(study_state)
    of_now = [c.run.run_id for c in cells if c.method != "base"]
    place = {"base_model": "b", "dataset": "d", "learning_rate": 1e-4, "seed": 0, "tuned": False}
    for run_ids, named in ((of_now, False), (["lora-of-other-data", "full-of-other-data"], True)):
        concluded = tuple(
            Cell(**place, method="full", phase="confirm", run_id=run_id, eval_digest="e", status="finished")
            for run_id in run_ids
        )
        Conclusions(
            study="quickstart", question=None, baseline="full", headline=(), cells=concluded, estimates=(),
            comparisons=(),
        ).write(study_state.root.results("quickstart").conclusions, sealed=True)  # fmt: skip
        said = edits.describe_edit(study_state, study_state.cells())
        assert (said is not None) == named
    assert "none of the 2 trained runs that the study concluded on belongs to it" in said


def test_more_seeds_exclude_nothing(make):
    """A study that only grows keeps all that it had, also while a search is under way."""
    before = make(BOTH)
    play(before, bowl(full=1e-4, lora=1e-3))
    edits.write_study(before)
    more = make(BOTH, "seeds=[0, 1]")
    assert edits.describe_edit(more, more.cells()) is None
    wider = make(BOTH, "search.rates=5")
    assert edits.describe_edit(wider, wider.cells()) is None


def test_a_search_that_may_ask_again_for_a_rate_excludes_nothing(make):
    """LoRA's grid was extended; a method is added, and while it searches the extension is not asked for."""
    before = make(BOTH)
    cells = play(before, bowl(full=1e-4, lora=1e-2))
    assert len(rates(cells, "lora-r16", "tune")) == 4
    edits.write_study(before)
    more = make(BOTH[:-1] + ", dora: tune}")
    assert len(more.cells()) < len(cells)
    assert edits.describe_edit(more, more.cells()) is None
    narrower = make(BOTH[:-1] + ", dora: tune}", "search.step=2")
    assert "no longer belong" in edits.describe_edit(narrower, narrower.cells())


def test_a_damaged_file_of_before_is_reported_and_stops_nothing(make):
    """The line names the file."""
    study_state = make(BOTH)
    written = study_state.root.results("quickstart").study
    written.parent.mkdir(parents=True)
    written.write_text("methods: [")
    with pytest.raises(UserError):
        edits.no_longer_included(study_state, study_state.cells())
    assert "study.yaml" in edits.describe_edit(study_state, study_state.cells())


def test_a_plan_shows_what_waits_for_tuning(make):
    """Six tuning runs to do, two seeds for two methods to come, at no rate yet."""
    said = plan.plan(make(BOTH, "seeds=[0, 1]"))
    waiting = [run for run in said["runs"] if run["status"] == "after tuning"]
    assert len(said["runs"]) == 11
    assert [(run["method"], run["learning_rate"], run["seed"]) for run in waiting] == [
        ("full", None, 0), ("lora-r16", None, 0), ("full", None, 1), ("lora-r16", None, 1),
    ]  # fmt: skip
    assert said["left_seconds"] is None
    assert "--probe" in plan.total(said)
    assert [line["seeds"] for line in plan.lines(said) if line["status"] == "after tuning"] == ["0 1", "0 1"]


def test_adding_a_method_leaves_what_is_likely_done(make):
    """Full and LoRA are over (they diverged, which needs no evaluation); DoRA may yet extend their grids.

    Its three tries and its run are left, and the evaluation of the untouched base.
    """
    inner = bowl(full=1e-4, lora=1e-3)
    play(make(BOTH), lambda c: math.inf if c.phase == "confirm" else inner(c))
    study_state = make(BOTH[:-1] + ", dora: tune}")
    said = plan.plan(study_state)
    likely = [(run["method"], run["seconds"]) for run in said["runs"] if run["status"] == "likely done"]
    assert likely == [("full", None), ("lora-r16", None)]
    assert (said["likely_done"], said["left"]) == (2, 5)
    assert "6 done and 2 likely done" in plan.total(said)


def test_uneven_searches_are_told_before_anything_runs(make):
    """Three rates against one; 1e-5 to 1e-3 against 1e-4 to 1e-3, two decades against one; equal: nothing."""
    uneven = plan.plan(make("methods={full: tune, lora-r16: 1e-3}"))
    assert "number of learning rates for all (full 3, lora-r16 1): the audit will refuse" in uneven["uneven"]
    wide = plan.plan(make("methods={full: [1e-5, 1e-3], lora-r16: [1e-4, 1e-3]}"))["uneven"]
    assert "width of learning rates for all (full 2.0 decades, lora-r16 1.0 decades)" in wide
    assert plan.plan(make(BOTH))["uneven"] is None


def test_a_conversion_waits_for_its_run_and_is_not_forgotten_if_that_was_lost(make):
    """Two seeds of lora, merged: after training; then of a seed that finished, and of one that failed."""
    merged = "merged: {convert: lora-r16, to: merged}"
    study_state = make(f"methods={{full: 1e-4, lora-r16: 1e-3, {merged}}}", "seeds=[0, 1]")
    planned = plan.plan(study_state)
    waiting = [run for run in planned["runs"] if run["status"] == "after training"]
    assert [(run["method"], run["seed"], run["run_id"]) for run in waiting] == [
        ("merged", 0, None), ("merged", 1, None),
    ]  # fmt: skip
    assert (planned["left"], planned["uneven"]) == (7, None)
    cells = study_state.cells()
    assert study_state.more_to_come(cells) == 2
    first, second = (cell for cell in cells if cell.method == "lora-r16")
    finish(study_state, first, 1.0)
    later = StudyState(study_state.study, study_state.root.path).prepare()
    converted = [cell for cell in later.cells() if cell.method == "merged"]
    assert [(cell.run.converts, cell.run.seed, cell.run.is_base) for cell in converted] == [
        (first.run.run_id, 0, False)
    ]
    lost = later.cells([second.run.run_id])
    assert [cell.run.seed for cell in lost if cell.method == "merged"] == [0, 1]
    assert later.more_to_come(lost) == 0
    assert detectable.tests_of(study_state.study) == 3  # lora against full, on three metrics


@pytest.mark.parametrize(
    ("methods", "says"),
    [
        (
            "{full: 1e-4, m: {convert: fulll, to: bf16}}",
            "methods: m: convert: unknown trained method .*'fulll'",
        ),
        (
            "{full: 1e-4, m: {convert: full, to: bf16}, n: {convert: m, to: bf16}}",
            "n: convert: unknown trained",
        ),
        ("{full: 1e-4, m: {convert: full, to: bf16, learning_rates: tune}}", "is converted, has none"),
    ],
)
def test_a_conversion_of_nothing_that_is_trained_is_refused(methods, says):
    """A mistyped name; a conversion of a conversion; rates, which a conversion has none of."""
    with pytest.raises(UserError, match=says):
        study.load("quickstart", [*SMALL, f"methods={methods}", "baseline=full"])
    with pytest.raises(UserError, match="baseline: 'm' is converted; choose a method that is trained"):
        study.load("quickstart", ["methods={full: 1e-4, m: {convert: full, to: bf16}}", "baseline=m"])


def test_what_was_trained_elsewhere_makes_no_search_uneven(make, tmp_path):
    """One rate for full, none for a checkpoint from elsewhere, which is in no search: nothing to report."""
    (tmp_path / "theirs").mkdir()
    for name in ("config.json", "model.safetensors"):
        (tmp_path / "theirs" / name).write_text("{}")
    study_state = make(f"methods={{full: 1e-4, theirs: {{checkpoint: '{tmp_path / 'theirs'}'}}}}")
    assert plan.plan(study_state)["uneven"] is None


def test_a_probe_is_a_short_run_of_the_same_method(make):
    """One a method and one anchor; 32 documents, 4 of each held-out part, the study's own batches."""
    study_state = make("methods={full: 1e-4, lora-r16: [1e-4, 1e-3]}", "train.epochs=3")
    probes = plan.probes_for(study_state)
    assert [probe.method for probe in probes] == ["base", "full", "lora-r16"]
    assert probes[1].run.data.model_dump(include={"train", "validation", "test"}) == {
        "train": 32, "validation": 4, "test": 4,
    }  # fmt: skip
    assert probes[1].run.train == study_state.cells()[1].run.train.model_copy(
        update={"epochs": 1, "validations": 1}
    )
    assert isinstance(study_state.study.evaluate, EvalSpec)


def test_a_plan_goes_on_without_a_tuning_run_that_failed(make):
    """Five of six are there and the sixth has failed: both methods are confirmed at what is left."""
    study_state = make(BOTH, "search.at_edge=flag")
    *there, lost = study_state.cells()[1:]
    for cell in there:
        finish(study_state, cell, 0.8)

    failure = Failure(run_id=lost.run.run_id, error="no memory", evaluate=None, log=())
    failure.write(study_state.root.run(lost.run.run_id).failure)
    said = plan.plan(study_state)
    assert [run["method"] for run in said["runs"] if run["phase"] == "confirm"] == ["full", "lora-r16"]
    assert (said["failed"], said["done"]) == (1, 5)
    assert said["left"] == len([run for run in said["runs"] if run["status"] not in ("done", "failed")])
    assert "1 failed (--retry-failed runs them), " in plan.total(said)


def fail(study_state, cell):
    """Write that a run failed."""
    failure = Failure(run_id=cell.run.run_id, error="no memory", evaluate=None, log=())
    failure.write(study_state.root.run(cell.run.run_id).failure)


def test_a_plan_goes_on_without_what_failed_because_something_had_failed(make):
    """3.2e-5 failed, 3.2e-4 is best, so 1e-3 was tried, and failed: 3.2e-4 is confirmed, and is there."""
    study_state = make("methods={full: tune}")
    _, low, middle, high = study_state.cells()
    fail(study_state, low)
    finish(study_state, middle, 0.9)
    finish(study_state, high, 0.8)
    lost = {low.run.run_id}
    further = study_state.cells(lost)[-1]
    assert (further.phase, further.run.learning_rate) == ("tune", 1e-3)
    fail(study_state, further)
    confirming = study_state.cells({*lost, further.run.run_id})[-1]
    finish(study_state, confirming, 0.8)
    planned = [(run["phase"], run["learning_rate"], run["status"]) for run in plan.plan(study_state)["runs"]]
    assert planned == [
        ("base", None, "to do"), ("tune", 3.2e-5, "failed"), ("tune", 1e-4, "done"), ("tune", 3.2e-4, "done"),
        ("tune", 1e-3, "failed"), ("confirm", 3.2e-4, "to evaluate"),
    ]  # fmt: skip


def test_a_conversion_of_a_run_that_failed_is_planned_also_if_a_tuning_run_failed(make):
    """Its tuning run at 1e-3 failed, and its confirming run at 1e-4: it is to do, not after training."""
    study_state = make("methods={full: [1e-4, 1e-3], merged: {convert: full, to: bf16}}")
    _, tried, lost = study_state.cells()
    finish(study_state, tried, 0.8)
    fail(study_state, lost)
    confirming = study_state.cells({lost.run.run_id})[-1]
    fail(study_state, confirming)
    assert study_state.failed() == {lost.run.run_id, confirming.run.run_id}
    assert [(run["method"], run["status"]) for run in plan.plan(study_state)["runs"][-2:]] == [
        ("full", "failed"), ("merged", "to do"),
    ]  # fmt: skip


def test_a_base_that_failed_on_other_documents_has_not_failed_here(make):
    """Studies share the base's run, and its one `failed.json`, which names the evaluation that failed."""
    study_state = make("methods={full: 1e-4}")
    base = study_state.cells()[0]
    finish(study_state, base, 1.2)
    folder = study_state.root.run(base.run.run_id)
    for evaluation, state in (
        (None, "FAILED"),
        (study_state.evaluation_of(base), "FAILED"),
        ("other", "TO_EVALUATE"),
    ):
        failure = Failure(
            run_id=base.run.run_id,
            error="no memory",
            evaluate=study_state.study.evaluate,
            evaluation=evaluation,
            log=(),
        )
        failure.write(folder.failure)
        assert study_state.state(base).name == state


def test_cells_follow_from_records_alone():
    """Two rates, the second better by 0.1: given both records the second is confirmed; no disk is read."""
    asked = study.load("quickstart", ["methods={full: [1e-4, 1e-3]}", "data.train=40"])
    prints = {("wikibooks", 40): {"train": "t", "validation": "v", "test": "e"}}
    design = Design(asked, asked.base_models, prints)
    first = cells_of(design, {})
    assert [cell.phase for cell in first] == ["base", "tune", "tune"]
    scores = {1e-4: 0.9, 1e-3: 0.8}
    records = {
        cell.run.run_id: RunRecord(
            run_id=cell.run.run_id,
            spec=cell.run,
            status="finished",
            validation_bits_per_byte=scores[cell.run.learning_rate],
            data=None,
            costs=RunCosts(),
            precision=None,
            environment={},
        )
        for cell in first[1:]
    }
    assert rates(cells_of(design, records), "full", "confirm") == [1e-3]


def test_the_confirmed_rate_lies_between_those_tried(make):
    """The loss is a parabola about 1.5e-4: the grid's best is 1e-4; 10^(log 1.5e-4) is confirmed, 1.5e-4.

    Rates of the grid are rounded to two digits, which the parabola through them takes as they are.
    """
    inside = [c for c in play(make(BOTH), bowl(full=1.5e-4, lora=1e-3)) if c.phase == "confirm"]
    assert [(c.method, c.run.learning_rate, c.rate_choice) for c in inside] == [
        ("full", 1.5e-4, "interpolated"), ("lora-r16", 1e-3, "interpolated"),
    ]  # fmt: skip


def test_a_study_may_confirm_at_the_best_rate_tried(make):
    """The same with `search.choose=grid`: 1e-4; and an optimum beyond the grid has no parabola."""
    grid = play(make(BOTH, "search.choose=grid"), bowl(full=1.5e-4, lora=1e-3))
    assert [(c.run.learning_rate, c.rate_choice) for c in grid if c.phase == "confirm"][0] == (1e-4, "grid")
    beyond = play(make("methods={full: [1e-5, 1e-4]}"), bowl(full=1.0))
    assert beyond[-1].rate_choice == "edge"


def test_the_data_is_prepared_once_and_with_progress(tmp_path):
    """Rows are counted while the data is read; the second time there is nothing to count."""
    events: list[Event] = []
    asked = study.load("quickstart", SMALL)
    StudyState(asked, tmp_path).prepare(events.append)
    assert events[0] == PhaseStarted(phase="preparing")
    advanced = [event for event in events if isinstance(event, Advanced)]
    assert {event.work for event in advanced} == {"reading", "comparing"}
    assert max(event.done for event in advanced) > 3000
    events.clear()
    StudyState(asked, tmp_path).prepare(events.append)
    assert events == []
    with pytest.raises(RuntimeError, match="prepare"):
        StudyState(asked, tmp_path).cells()


def test_the_study_in_the_results_runs_as_it_is(make):
    """`results/<study>/study.yaml` loads as the same study, rates tuned or fixed, and can be overridden."""
    for methods in (BOTH, "methods={full: 1e-4, lora-r16: [1e-3, 2e-3]}"):
        study_state = make(methods)
        edits.write_study(study_state)
        path = study_state.root.results("quickstart").study
        assert study.load(str(path)) == study_state.study
    assert study.load(str(path), ["seeds=[3]"]).seeds == (3,)


def test_a_rate_that_diverged_is_not_chosen_whatever_it_was_validated_at(make):
    """Its record keeps the bits per byte of the last validation before, here the lowest of all rates."""
    study_state = make("methods={full: [3.2e-5, 1e-4, 3.2e-4]}", "search.at_edge=flag")
    for cell in study_state.cells():
        finish(study_state, cell, bowl(full=1e-4)(cell))
        if cell.run.learning_rate == 3.2e-4:
            file = study_state.root.run(cell.run.run_id).record
            update = {"status": "diverged", "validation_bits_per_byte": 0.1}
            RunRecord.read(file).model_copy(update=update).write(file)
    assert rates(play(study_state, bowl(full=1e-4)), "full", "confirm") == [1e-4]


@pytest.mark.parametrize(
    ("methods", "tuned"),
    [
        ("{full: [1e-5, 1e-4], lora-r16: [1e-4, 1e-3]}", True),
        ("{full: 1e-4, lora-r16: 1e-3}", False),
        ("{full: 1e-4, lora-r16: [1e-4, 1e-3]}", False),
        ("{full: [1e-5, 1e-4, 1e-3], lora-r16: [1e-4, 1e-3]}", False),
    ],
)
def test_only_methods_with_as_many_rates_to_choose_from_are_tuned(make, methods, tuned):
    """Two each; one each; one against two; three against two."""
    spec = make(f"methods={methods}").study
    assert Design(spec, spec.base_models, {}).tuned is tuned
