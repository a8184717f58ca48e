"""What a study will cost, and whether the next size of a growing one fits its budget. No training."""

from __future__ import annotations

import os

import pytest

from experiments.design.planning import plan
from experiments.design.planning.costs import Costs
from experiments.design.planning.looks import seconds_between
from experiments.design.study_state import CellState
from experiments.sharing.export import export
from tests.experiments.design.grids import SMALL, evaluate, finish
from toolkit.records import Failure

SPENT = {"load_seconds": 10, "supervised_tokens_per_second": 50, "validate_seconds": 6, "save_seconds": 2}


def test_costs_are_scaled_from_finished_runs(make):
    """40 recipes of 100 tokens at 50 a second: 80 s; twice the epochs 160 s. See the sum.

    Seed 0 took: loading 10 s, saving 2 s, 2 x 10 validation documents in 6 s (once before, once after), the
    test of 10 documents: likelihood 5 s, metrics 1 s, generation 30 s. Two epochs with two validations:
    10 + 160 + 9 + 2, loading again 10, evaluation 36: 227 s.
    """
    fixed = ["methods={full: 1e-4}", "train.validations=1"]
    first = make(*fixed)
    cell = first.cells()[1]
    finish(first, cell, 0.8, **SPENT, peak_memory_bytes=3_000_000_000)
    evaluate(first, cell)
    said = plan.plan(make("methods={full: 1e-4}", "train={epochs: 2, validations: 2}"))
    anchor, run = said["runs"]
    assert anchor["seconds"] is None
    assert run["seconds"] == pytest.approx(227)
    assert run["memory_bytes"] == 3_000_000_000
    assert (said["left"], said["left_of_unknown_cost"], said["left_seconds"]) == (2, 1, pytest.approx(227))
    assert "about 3.8 min one at a time, up to 3.00 GB of memory; 1 more of unknown cost" in plan.total(said)
    for state, seconds in ((CellState.TO_EVALUATE, 46), (CellState.TO_MEASURE, 1)):
        left = Costs(first)(cell, state)
        assert (left.seconds, left.memory_bytes) == (pytest.approx(seconds), None)
    other = plan.plan(make("methods={full: 1e-4}", "train.batch_tokens=512"))
    assert other["runs"][1]["memory_bytes"] is None  # other batches: unknown, not guessed


def test_a_run_on_the_cpu_tells_nothing_about_a_gpu(make, monkeypatch):
    """The same processor, once with torch for CPUs alone: on the GPU the cost is unknown, and probed."""
    study_state = make("methods={full: 1e-4}", "train.validations=1")
    cell = study_state.cells()[1]
    finish(study_state, cell, 0.8, **SPENT)
    evaluate(study_state, cell)
    assert Costs(study_state)(cell, CellState.TO_TRAIN).runs == 1
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert Costs(study_state)(cell, CellState.TO_TRAIN).seconds is None


def test_records_that_cannot_be_read_tell_nothing_about_costs(make):
    """A run of version 1, a damaged one and a damaged evaluation, all of the cell's base and method.

    The whole run tells 144 s as without them: 10 + 80 + 6 + 2 for training, 10 + 36 for its evaluation.
    """
    study_state = make("methods={full: 1e-4}", "train.validations=1", "seeds=[0, 1]")
    _, done, planned = study_state.cells()
    finish(study_state, done, 0.8, **SPENT)
    evaluate(study_state, done)
    folder = study_state.root.run(done.run.run_id)
    folder.evaluation("c0").write_text("{")
    for seed, text in (("s8", '{"version": 1}'), ("s9", folder.record.read_text()[:100])):
        other = study_state.root.runs / f"{planned.model.name}.full.{seed}-abc" / "run.json"
        other.parent.mkdir()
        other.write_text(text)
    assert list(study_state.root.runs.glob("*.full.s*/run.json"))[2:]
    assert Costs(study_state)(planned) == (pytest.approx(144), None, 1)


def test_recent_tuning_runs_do_not_hide_older_evaluated_ones(make):
    """One evaluated run, and then six later ones that are not: a confirming run is still known, 144 s."""
    seeds = {"seeds": "seeds=[0, 1]", "tuning_seeds": "tuning_seeds=[10, 11, 12]"}
    study_state = make("methods={full: [1e-4, 1e-3]}", "train.validations=1", *seeds.values())
    for cell in study_state.cells()[1:]:
        finish(study_state, cell, cell.run.learning_rate, **SPENT)
    *tries, done, planned = study_state.cells()[1:]
    assert len(tries) == 6
    finish(study_state, done, 0.8, **SPENT)
    evaluate(study_state, done)
    os.utime(study_state.root.run(done.run.run_id).record, (0, 0))
    assert Costs(study_state)(planned).seconds == pytest.approx(144)


def test_a_step_costs_what_it_costs_also_if_a_tuning_run_has_failed(make, monkeypatch):
    """Two rates, one of which failed: two more seeds at the other are two confirming runs of 144 s, not 0 s.

    Each: loading 10, training 40 x 100 / 50 = 80, validation 6, saving 2, loading again 10, evaluation 36.
    """
    rates = ["methods={full: [1e-4, 1e-3]}", "train.validations=1"]
    now, larger = make(*rates), make(*rates, "seeds=[0, 1, 2]")
    _, tried, failed = now.cells()
    finish(now, tried, 0.8)
    lost = {failed.run.run_id: "no memory"}
    confirming = now.cells(lost)[-1]
    assert (confirming.phase, confirming.run.learning_rate) == ("confirm", 1e-4)
    finish(now, confirming, 0.8, **SPENT)
    evaluate(now, confirming)
    assert seconds_between(now, larger, lost) == pytest.approx(2 * 144)
    second = larger.cells(lost)[-2]
    finish(larger, second, 0.8, **SPENT)
    assert seconds_between(now, larger, lost) == pytest.approx(144 + 46)  # trained, and not evaluated
    state = larger.state
    done = CellState.DONE
    monkeypatch.setattr(larger, "state", lambda cell: done if cell == second else state(cell), raising=False)
    assert seconds_between(now, larger, lost) == pytest.approx(144)


def test_a_conversion_of_a_run_to_come_costs_an_evaluation(make):
    """Two more seeds: two runs of 144 s as above, and what is merged of each, evaluated in 36 s."""
    methods = ["methods={full: 1e-4, merged: {convert: full, to: merged}}", "train.validations=1"]
    now, larger = make(*methods), make(*methods, "seeds=[0, 1, 2]")
    trained = now.cells()[-1]
    finish(now, trained, 0.8, **SPENT)
    evaluate(now, trained)
    now = make(*methods)
    (merged,) = [cell for cell in now.cells() if cell.method == "merged"]
    finish(now, merged, 0.8)
    evaluate(now, merged)
    assert seconds_between(now, larger, ()) == pytest.approx(2 * 144 + 2 * 36)


def test_a_failed_evaluation_costs_an_evaluation(make):
    """Two seeds; one is evaluated, the other's evaluation failed: loading 10 and evaluation 36, not 144 s."""
    study_state = make("methods={full: 1e-4}", "seeds=[0, 1]", "train.validations=1")
    first, second = [cell for cell in study_state.cells() if cell.method == "full"]
    for cell in (first, second):
        finish(study_state, cell, 0.8, **SPENT)
    evaluate(study_state, first)
    Failure(
        run_id=second.run.run_id, error="no memory", evaluate=study_state.study.evaluate,
        evaluation=study_state.evaluation_of(second), log=(),
    ).write(study_state.root.run(second.run.run_id).failure)  # fmt: skip
    study_state = make("methods={full: 1e-4}", "seeds=[0, 1]", "train.validations=1")
    (row,) = [row for row in plan.plan(study_state)["runs"] if row["status"] == "failed"]
    assert row["seconds"] == pytest.approx(46)


def test_an_export_with_overrides_goes_on_behind_a_failed_rate(make, tmp_path):
    """Two rates, of which one failed: the run at the other is packed, and so is the seed that confirms it."""
    rates = ["methods={full: [1e-4, 1e-3]}"]
    study_state = make(*rates)
    _, tried, failed = study_state.cells()
    finish(study_state, tried, 0.8)
    Failure(run_id=failed.run.run_id, error="no memory", evaluate=None, log=()).write(
        study_state.root.run(failed.run.run_id).failure
    )
    confirming = study_state.cells({failed.run.run_id})[-1]
    assert confirming.phase == "confirm"
    finish(study_state, confirming, 0.8)
    done = export("quickstart", [*SMALL, *rates], tmp_path, tmp_path / "packed.zip")
    assert (done.runs, done.left_out) == (2, 2)  # the failed one and the untouched base
