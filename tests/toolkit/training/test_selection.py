"""Which weights of a run are kept, when it stops early, and when it counts as diverged."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file

from tests.factories import LORA, small_run
from toolkit.errors import UserError
from toolkit.events import PhaseStarted
from toolkit.models import artifact as artifact_files
from toolkit.models import load
from toolkit.records import Step, read_lines
from toolkit.records.folders import CLOCK, RunFolder
from toolkit.specs import MethodSpec, TrainSpec
from toolkit.training.step.loss import NextToken
from toolkit.training.train import train
from toolkit.training.validation import BestWeights, Validation


def fit(folder, root, texts, rate, method=LORA, **settings):
    """A run of the tiny model on six recipes, again and again: it soon knows them too well."""
    run = small_run(folder, method, rate, **{"schedule": "constant", "warmup": 0.0, **settings})
    there = RunFolder(root, run.run_id)
    record = train(run, texts[:6], texts[30:], "[END]", there, progress=lambda _: None, report_to=())
    curve = {
        s.step: s.validation_bits_per_byte
        for s in read_lines(there.steps, Step)
        if s.validation_bits_per_byte is not None
    }
    return record, curve, there


def test_the_best_of_adalora_is_what_is_saved(tiny_gpt2, tmp_path, recipe_texts):
    """AdaLoRA has other ranks at its best step than at its end; the artifact scores as that step did."""
    adalora = {"peft_type": "ADALORA", "init_r": 6, "target_r": 2, "tinit": 2, "tfinal": 2, "deltaT": 1}
    method = MethodSpec(name="adalora", peft={**adalora, "target_modules": "all-linear"})
    settings = {"epochs": 60, "validations": 20, "keep": "best"}
    record, curve, there = fit(tiny_gpt2, tmp_path, recipe_texts, 1.0, method, **settings)
    lowest = min(curve, key=curve.get)
    assert 2 < lowest < max(curve)
    model = artifact_files.load_artifact(record.spec.model, there.artifact)
    tokenizer = load.load_tokenizer(record.spec.model)
    scored = Validation(recipe_texts[30:], tokenizer, 512, "fp32")(model, NextToken(model))
    assert scored["eval_bits_per_byte"] == pytest.approx(curve[lowest], rel=1e-5)


def test_the_best_validation_is_kept_with_its_weights(tiny_gpt2, tmp_path, recipe_texts):
    """One recipe learnt by heart, validated on others backwards: the lowest comes early and is saved."""
    settings = {"epochs": 60, "validations": 12}
    texts = [recipe_texts[0]] * 30 + [text[::-1] for text in recipe_texts[30:]]
    best, curve, there = fit(tiny_gpt2, tmp_path / "best", texts, 0.3, keep="best", **settings)
    last, same, there_too = fit(tiny_gpt2, tmp_path / "last", texts, 0.3, **settings)
    assert curve == same
    lowest = min(curve, key=curve.get)
    assert 0 < lowest < max(curve)
    assert (best.kept_step, best.validation_bits_per_byte) == (lowest, curve[lowest])
    assert (last.kept_step, last.validation_bits_per_byte) == (max(curve), curve[max(curve)])
    one, other = (load_file(f.artifact / "adapter_model.safetensors") for f in (there, there_too))
    assert any(not torch.equal(one[name], other[name]) for name in one)
    # the weights of the best step: a run that ends there leaves the same ones
    share = lowest / max(curve)
    short, _, there_short = fit(tiny_gpt2, tmp_path / "short", texts, 0.3, epochs=60 * share, validations=12)
    assert short.costs.steps == lowest
    ended = load_file(there_short.artifact / "adapter_model.safetensors")
    assert all(torch.equal(one[name], ended[name]) for name in ended)


def test_what_was_the_best_at_a_checkpoint_is_there_when_a_run_goes_on_from_it(tmp_path):
    """Best at steps 4, 6 and 7, a checkpoint at 5: killed after 7, the run continues with those of 4."""
    (tmp_path / "checkpoint-5").mkdir()
    (tmp_path / "checkpoint-5" / CLOCK).write_text("{}")
    model, keep = torch.nn.Linear(2, 2), TrainSpec(keep="best")
    best = BestWeights(keep, tmp_path)
    for step, bits in ((2, 2.0), (4, 1.9), (6, 1.8), (7, 1.7)):
        torch.nn.init.constant_(model.weight, step)
        best.update(step, bits, model)
    assert {path.name for path in tmp_path.glob("best-*")} == {"best-4", "best-7"}
    resumed = BestWeights(keep, tmp_path)
    for step, bits in ((2, 2.0), (4, 1.9)):
        resumed.update(step, bits)
    resumed.update(7, 1.95, model)
    assert resumed.restore(model)
    assert (resumed.step, model.weight.unique().tolist()) == (4, [4.0])


def test_a_run_stops_when_its_patience_is_at_its_end(tiny_gpt2, tmp_path, recipe_texts):
    """Patience 2: two validations in a row without a new lowest are the last ones."""
    record, curve, _ = fit(
        tiny_gpt2, tmp_path, recipe_texts, 0.1, epochs=60, validations=30, patience=2, keep="best"
    )
    steps = sorted(curve)
    assert record.status == "finished"
    assert record.costs.steps == steps[-1] < 60
    assert record.kept_step == steps[-3]
    assert min(curve[s] for s in steps[-2:]) >= curve[steps[-3]]


def test_killed_when_its_patience_was_at_its_end_a_run_is_not_trained_further(
    tiny_gpt2, tmp_path, recipe_texts
):
    """Stopped by patience, killed as it saves its weights: resumed from a checkpoint of its last step.

    It takes no further step: steps, validations and weights are those of a run that was never killed.
    """
    settings = {"epochs": 40, "validations": 40, "patience": 1}
    whole, curve, there = fit(tiny_gpt2, tmp_path / "whole", recipe_texts, 0.3, **settings)
    run = whole.spec
    killed = RunFolder(tmp_path / "killed", run.run_id)

    def kill(event):
        if isinstance(event, PhaseStarted) and event.phase == "saving":
            raise KeyboardInterrupt

    texts = recipe_texts[:6], recipe_texts[30:], "[END]"
    with pytest.raises(KeyboardInterrupt):
        train(run, *texts, killed, progress=kill, checkpoint_seconds=0)
    assert 2 < whole.costs.steps < 40
    assert killed.last_checkpoint.name == f"checkpoint-{whole.costs.steps}"
    record, again, _ = fit(tiny_gpt2, tmp_path / "killed", recipe_texts, 0.3, **settings)
    assert record.costs.interruptions == 1
    assert again == curve
    assert (record.costs.steps, record.kept_step) == (whole.costs.steps, whole.kept_step)
    one, other = (load_file(f.artifact / "adapter_model.safetensors") for f in (there, killed))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_run_whose_loss_rises_far_above_its_start_is_diverged(tiny_gpt2, tmp_path, recipe_texts):
    """Half a nat per token above the first validation: recorded, no weights, no error."""
    full = MethodSpec(name="full", trainable=("*",))
    record, _, there = fit(tiny_gpt2, tmp_path, recipe_texts, 3.0, full, epochs=20, validations=20)
    nll = [s.validation_nll for s in read_lines(there.steps, Step) if s.validation_nll is not None]
    assert record.status == "diverged"
    assert record.diverged.startswith(f"validation loss rose from {nll[0]:.2f} to {nll[-1]:.2f} nats")
    assert nll[-1] > nll[0] + 0.5
    assert not there.artifact.exists()


def test_a_tracker_gets_the_curves(tiny_gpt2, tmp_path, recipe_texts):
    """TensorBoard's event file names the training loss and the validation bits per byte."""
    run = small_run(tiny_gpt2, LORA, 0.01)
    there = RunFolder(tmp_path, run.run_id)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("TENSORBOARD_LOGGING_DIR", raising=False)
        train(
            run,
            recipe_texts[:6],
            recipe_texts[30:],
            "[END]",
            there,
            progress=lambda _: None,
            report_to=("tensorboard",),
        )
        patch.delenv("TENSORBOARD_LOGGING_DIR", raising=False)
    (events,) = (there.path / "tensorboard").glob("events*")
    written = events.read_bytes()
    assert b"train/loss" in written
    assert b"eval/bits_per_byte" in written


@pytest.mark.parametrize(
    ("tracker", "words"), [("clearml", "requires .clearml. to be installed"), ("nosuch", "is not supported")]
)
def test_a_tracker_that_is_not_there_is_one_line(tiny_gpt2, tmp_path, recipe_texts, tracker, words):
    """Told before anything is trained, in transformers' words."""
    run = small_run(tiny_gpt2, LORA, 0.01)
    there = RunFolder(tmp_path, run.run_id)
    with pytest.raises(UserError, match=words):
        train(run, recipe_texts[:6], recipe_texts[30:], "[END]", there, progress=print, report_to=(tracker,))
    assert not there.record.exists()
