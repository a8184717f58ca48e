"""A study from end to end on a tiny model and real recipes: run, run again, tune, share, fail, report."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from eval.harness import metrics_for
from experiments.analysis.conclude import read
from experiments.analysis.verify import verify
from experiments.design import study
from experiments.design.study_state import CellState, StudyState
from experiments.running.executors.local import Local
from experiments.running.runner import jobs_of
from experiments.running.worker import work
from experiments.sharing.merge import merge
from figures.report.page import build
from tests.experiments.small import asked, run
from tests.factories import RECIPE
from toolkit.errors import UserError
from toolkit.events import Ended, Event, PhaseStarted
from toolkit.records import EvaluationRecord, FailedGeneration, RunRecord, read_lines
from toolkit.records.folders import Root


def test_a_study_ends_with_every_cell_finished_and_a_verdict_each(done):
    """Base, full, LoRA; 3 headline metrics x (1 against full + 2 against the base) = 9 comparisons."""
    root, conclusions, _ = done
    assert [(c.method, c.phase, c.status) for c in conclusions.cells] == [
        ("base", "base", "finished"),
        ("full", "confirm", "finished"),
        ("lora-r16", "confirm", "finished"),
    ]
    assert len(conclusions.comparisons) == 9
    assert {c.baseline for c in conclusions.comparisons} == {"full", "base"}
    assert all(c.speaks_about == "checkpoints" for c in conclusions.comparisons)
    assert read(root, "small") == conclusions


def test_the_audit_finds_one_stream_and_says_untuned(done):
    """Full and LoRA were fed the same tokens; one learning rate each and few documents are flagged."""
    _, conclusions, _ = done
    status = {finding.check: finding.status for finding in conclusions.audit}
    assert status["training tokens"] == "ok"
    assert status["learning rates tried"] == status["held-out documents"] == "flagged"
    assert "refused" not in status.values()


def test_running_again_repeats_nothing(done, tiny_gpt2):
    """No file of the runs changes, and the conclusions are the same."""
    root, conclusions, _ = done
    before = {path: path.stat().st_mtime_ns for path in root.glob("runs/tiny*/*.json*")}
    again, said = run(root, tiny_gpt2, "small")
    assert len(before) == 17  # run, hashes, eval-*.json(l), statistics-*.jsonl of three, steps.jsonl of two
    assert {path: path.stat().st_mtime_ns for path in root.glob("runs/tiny*/*.json*")} == before
    assert again == conclusions
    assert "training" not in said


def test_conclusions_keep_their_study_until_there_are_others(run_once, tmp_path, tiny_gpt2):
    """Run again with another evaluation and stopped: `study.yaml` is that of the conclusions beside it."""
    shutil.copytree(run_once[0], tmp_path, dirs_exist_ok=True)
    file = tmp_path / "results" / "small" / "study.yaml"
    before = file.read_text()

    def stopped(jobs, listener):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, tiny_gpt2, "small", "evaluate.max_new_tokens=8", execute=stopped)
    assert file.read_text() == before
    assert "max_new_tokens: 12" in before


def test_a_worker_measures_nothing_that_is_current(done, tiny_gpt2):
    """Two jobs of one run: the second finds the evaluation of the first, and no file of it changes."""
    root, _, _ = done
    study_state = StudyState(study.load("quickstart", asked(tiny_gpt2, "small")), root).prepare()
    job, *_ = jobs_of(study_state, study_state.cells())
    before = {path: path.stat().st_mtime_ns for path in job.folder.path.glob("*.json*")}
    heard: list[Event] = []
    work(job, heard.append)
    assert len(before) == 5  # run, hashes, eval-*.json(l), statistics-*.jsonl
    assert {path: path.stat().st_mtime_ns for path in job.folder.path.glob("*.json*")} == before
    assert "measuring" not in {event.phase for event in heard if isinstance(event, PhaseStarted)}


def test_a_base_is_measured_again_against_another_training_split(run_once, tmp_path, tiny_gpt2):
    """Twelve training documents, then thirteen: the same test texts, but more to have copied from."""
    shutil.copytree(run_once[0], tmp_path, dirs_exist_ok=True)
    study_state = StudyState(
        study.load("quickstart", asked(tiny_gpt2, "small", "data.train=13")), tmp_path
    ).prepare()
    base, *_ = study_state.cells()
    assert study_state.state(base) == CellState.TO_MEASURE
    heard: list[Event] = []
    job, *_ = jobs_of(study_state, [base])
    work(job, heard.append)
    assert [event.phase for event in heard if isinstance(event, PhaseStarted)] == ["measuring"]
    assert study_state.state(base) == CellState.DONE
    record = EvaluationRecord.read(job.folder.evaluation(study_state.evaluation_of(base)))
    assert record.train == study_state.prepared(base.dataset).fingerprints["train"]
    assert record.seconds.keys() == {"likelihood", "generation", "metrics"}


@pytest.mark.slow
def test_a_run_that_is_trained_again_is_evaluated_again(run_once, tmp_path, tiny_gpt2):
    """`run.json` of LoRA is deleted: one run is trained, its evaluation is of that training, all is verified.

    Kept from the weights before, the evaluation would hold another record of the run than `run.json`.
    """
    shutil.copytree(run_once[0], tmp_path, dirs_exist_ok=True)
    (cell,) = (cell for cell in run_once[1].cells if cell.method == "lora-r16")
    folder = Root(tmp_path).run(cell.run_id)
    before = RunRecord.read(folder.record)
    folder.record.unlink()
    conclusions, _ = run(tmp_path, tiny_gpt2, "small")
    after = RunRecord.read(folder.record)
    assert after.costs.load_seconds != before.costs.load_seconds
    assert EvaluationRecord.read(folder.evaluation(str(cell.eval_digest))).run == after
    assert verify(conclusions, tmp_path).problems == ()


def test_two_studies_share_their_runs(done, tiny_gpt2):
    """Another study with the same methods finds them all and trains nothing."""
    root, _, _ = done
    runs = sorted(root.glob("runs/tiny*"))
    conclusions, said = run(root, tiny_gpt2, "other", "baseline=lora-r16")
    assert sorted(root.glob("runs/tiny*")) == runs
    assert conclusions.baseline == "lora-r16"
    assert "starting" not in said


def test_another_evaluation_trains_nothing(done, tiny_gpt2):
    """Other settings of the evaluation have a digest of their own; the weights stay."""
    root, _, _ = done
    trained = {path: path.stat().st_mtime_ns for path in root.glob("runs/tiny*/run.json")}
    conclusions, _ = run(root, tiny_gpt2, "greedy", "evaluate.decodings=[{name: greedy, temperature: 0}]")
    assert {path: path.stat().st_mtime_ns for path in root.glob("runs/tiny*/run.json")} == trained
    assert len(list(root.glob("runs/tiny*/eval-*.json"))) == 6
    assert all(cell.eval_digest for cell in conclusions.cells)


def test_every_prompt_and_decoding_is_concluded_and_every_failure_listed(done, tiny_gpt2):
    """2 prompts x 3 decodings x 3 models; a random model writes nothing of the form: 108 texts fail."""
    root, first, _ = done
    decodings = "[{}, {temperature: 1.5}, {temperature: 0, num_beams: 2}]"
    override = f"evaluate={{max_new_tokens: 6, prompts: [title, ingredients], decodings: {decodings}}}"
    conclusions, _ = run(root, tiny_gpt2, "settings", override)
    texts = [name for name, item in metrics_for(RECIPE).items() if item.of_generations]
    assert first.settings == first.decoding == ()
    # ingredient match says nothing if the prompt holds the ingredients: 3 decodings x 3 models fewer
    assert len(conclusions.settings) == 6 * 3 * len(texts) - 9
    lead = [e for e in conclusions.settings if (e.prompt_mode, e.decoding) == ("title", "t0.8-p0.9")]
    assert {(e.method, e.metric): (e.value, e.low, e.high) for e in lead} == {
        (e.method, e.metric): (e.value, e.low, e.high) for e in conclusions.estimates if e.metric in texts
    }
    assert len(conclusions.decoding) == 2 * len(texts) - 1
    for effect in conclusions.decoding:
        assert (effect.methods, len(effect.decodings)) == (("full", "lora-r16"), 3)
        shares = [effect.share_decodings, effect.share_methods, effect.share_both, effect.share_noise]
        assert shares == [None] * 4 or sum(shares) == pytest.approx(1)
    counts = [c for c in conclusions.failures if c.decoding]
    assert len(counts) == 3 * 6
    assert sum(c.failing for c in counts) == sum(c.generations for c in counts) == 108
    human = [c for c in conclusions.failures if c.decoding is None]
    assert [(c.method, c.prompt_mode, c.classes["missing_marker"]) for c in human] == [
        ("references", "title", 0), ("references", "ingredients", 0),
    ]  # fmt: skip
    lines = read_lines(root / "results" / "settings" / "failures.jsonl", FailedGeneration)
    assert len(lines) == 108
    assert all("missing_marker" in line.classes for line in lines if line.prompt_mode == "title")
    page = build(root / "results" / "settings", root)
    assert "How much is decoding, how much is method" in page.read_text(encoding="utf-8")


def test_every_number_of_the_estimates_is_in_an_evaluation_record(done):
    """With one seed an estimate is its run's metric, to the last digit."""
    root, conclusions, _ = done
    for cell in conclusions.cells:
        record = EvaluationRecord.read(root / "runs" / cell.run_id / f"eval-{cell.eval_digest}.json")
        estimates = [e for e in conclusions.estimates if e.method == cell.method]
        assert len(estimates) == len(record.metrics) > 3
        for estimate in estimates:
            value = record.metrics[estimate.metric].value
            assert estimate.value == (None if value is None else pytest.approx(value, rel=1e-12))


@pytest.mark.parametrize("part", ["lora-r16", "tiny.lora-r16"])
def test_merge_takes_enough_of_a_name(done, part):
    """A method's name where one run has it; a name that several runs have is an error with their names."""
    root, _, _ = done
    merged = merge(part, root)
    assert ".lora-r16.s0." in merged.run_id
    assert merged.merged.perplexity == pytest.approx(merged.adapter.perplexity, rel=1e-4)
    with pytest.raises(UserError, match="several runs"):
        merge("s0", root)
    with pytest.raises(UserError, match="nothing to merge"):
        merge("full", root)


def test_a_study_in_which_nothing_ran_has_a_report_that_says_so(tmp_path, tiny_gpt2):
    """Every run failed, the base too: one page without verdicts, with the reasons."""
    base = Path(shutil.copytree(tiny_gpt2, tmp_path / "base"))
    config = json.loads((base / "config.json").read_text())
    code = {"auto_map": {"AutoConfig": "its.Own"}, "model_type": "its-own"}
    (base / "config.json").write_text(json.dumps(config | code))
    conclusions, _ = run(tmp_path, base, "lost")
    assert {cell.status for cell in conclusions.cells} == {"failed"}
    page = build(tmp_path / "results" / "lost", tmp_path)
    assert "No run was evaluated" in page.read_text(encoding="utf-8")


def test_the_report_stands_on_its_own(done):
    """One page without a link to anything but anchors, and the figures beside it."""
    root, _, _ = done
    page = build(root / "results" / "small", root)
    text = page.read_text(encoding="utf-8")
    assert 'src="http' not in text
    assert "lora-r16" in text
    figures = {path.suffix for path in (page.parent / "figures").iterdir()}
    assert {".pdf", ".png", ".csv"} <= figures


def test_learning_rates_are_chosen_on_validation_and_confirmed_with_fresh_seeds(tmp_path, tiny_gpt2):
    """Two rates a method: 4 tuning runs that never see the test part, then 2 seeds at the better rate.

    Both grids are 500 wide, 2.7 decades: the audit refuses to compare searches of unequal width.
    """
    rates = "methods={full: [1e-5, 5e-3], lora-r16: [4e-5, 2e-2]}"
    conclusions, _ = run(tmp_path, tiny_gpt2, "tuned", rates, "seeds=[1, 2]")
    tuning = [c for c in conclusions.cells if c.phase == "tune"]
    confirming = [c for c in conclusions.cells if c.phase == "confirm"]
    assert [c.eval_digest for c in tuning] == [None] * 4
    assert {(c.method, c.learning_rate, c.seed) for c in confirming} == {
        ("full", 5e-3, 1), ("full", 5e-3, 2), ("lora-r16", 2e-2, 1), ("lora-r16", 2e-2, 2),
    }  # fmt: skip
    for method in ("full", "lora-r16"):
        scores = {
            c.learning_rate: RunRecord.read(
                tmp_path / "runs" / c.run_id / "run.json"
            ).validation_bits_per_byte
            for c in tuning
            if c.method == method
        }
        assert min(scores, key=scores.get) == max(scores)
    assert {(c.tuned, c.rate_choice) for c in confirming} == {(False, "edge")}  # the last rates tried
    assert {f.check: f.status for f in conclusions.audit}["learning rates tried"] == "ok"
    assert {(c.seeds, c.reason) for c in conclusions.comparisons} == {(2, None)}


def test_a_failed_cell_is_named_and_costs_the_others_nothing(tmp_path, tiny_gpt2):
    """An adapter whose target is nowhere fails with its reason; full and the base are concluded."""
    odd = "{peft: {peft_type: LORA, target_modules: [nowhere]}, learning_rates: [1e-3]}"
    wrong = f"methods={{full: 1e-3, odd: {odd}}}"
    conclusions, said = run(tmp_path, tiny_gpt2, "odd", wrong)
    status = {c.method: (c.status, c.error) for c in conclusions.cells}
    assert status["full"] == status["base"] == ("finished", None)
    assert status["odd"][0] == "failed"
    assert "nowhere" in status["odd"][1]
    assert "failed: method odd" in said
    assert {c.method for c in conclusions.comparisons} == {"full"}


def test_a_worker_killed_when_all_is_on_disk_has_done_its_run(tmp_path, tiny_gpt2):
    """Its end is not known, its run is whole: no failure is recorded, and nothing runs again."""
    local = Local(1)

    def killed(jobs, listener):
        def told(index, event):
            listener(index, Ended(error="killed") if isinstance(event, Ended) else event)

        return ["killed" for _ in local(jobs, told)]

    conclusions, said = run(tmp_path, tiny_gpt2, "killed", "methods={full: 1e-3}", execute=killed)
    assert [cell.status for cell in conclusions.cells] == ["finished", "finished"]
    assert not list(tmp_path.glob("runs/*/failed.json"))
    assert "failed" not in said


def test_a_damaged_record_is_told_with_its_file(tmp_path, tiny_gpt2):
    """Half a run.json: the file is named, and what to do."""
    conclusions, _ = run(tmp_path, tiny_gpt2, "damaged", "methods={full: 1e-3}")
    record = tmp_path / "runs" / conclusions.cells[-1].run_id / "run.json"
    whole = record.read_text()
    record.write_text(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"run\.json: .*delete it and `bakeoff run` makes it anew"):
        run(tmp_path, tiny_gpt2, "damaged", "methods={full: 1e-3}")
    assert json.loads(whole)["status"] == "finished"
