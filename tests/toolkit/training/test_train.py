"""One training path: same batches for all, a fresh adapter changes nothing, resumed ends as never killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoTokenizer, TrainingArguments

from tests.factories import FULL, LORA, small_run
from toolkit.data.batches import collate, encode
from toolkit.errors import UserError
from toolkit.models import artifact as artifact_files
from toolkit.models import load, methods
from toolkit.records import RunRecord, Step, read_lines
from toolkit.records.folders import RunFolder
from toolkit.specs import MethodSpec, ModelSpec, RunSpec, TrainSpec
from toolkit.training.step.loss import NextToken
from toolkit.training.train import train
from toolkit.training.trainer import TokenBudgetTrainer, arguments, warmup_steps
from toolkit.training.validation import Validation

RATES = {"full": 5e-3, "lora": 5e-2, "base": None}


def spec(folder: Path, method: MethodSpec, rate: float | None = None, **settings: Any) -> RunSpec:
    """A run on the tiny model."""
    return small_run(
        folder, method, rate or RATES[method.name], **{"epochs": 2, "validations": 2, **settings}
    )


def fit(run: RunSpec, root: Path, texts: list[str]) -> RunRecord:
    """Train on thirty recipes, validate on ten."""
    folder = RunFolder(root, run.run_id)
    return train(run, texts[:30], texts[30:], "[END]", folder, progress=lambda _: None)


def test_only_what_trains_is_counted_of_lora_fa(tiny_llama, tmp_path, recipe_texts):
    """Its optimizer freezes A: of as many parameters as LoRA has, those of B are trained."""
    adapter = {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "target_modules": ["q_proj"]}
    own = MethodSpec(name="lora-fa", peft=adapter, optimizer={"name": "lorafa", "r": 4, "lora_alpha": 8})
    record = fit(spec(tiny_llama, own, 1e-3, epochs=1), tmp_path, recipe_texts)
    saved = load_file(next(RunFolder(tmp_path, record.run_id).artifact.glob("*.safetensors")))
    assert record.costs.trainable_parameters == sum(w.numel() for n, w in saved.items() if "lora_B" in n) > 0


def test_decay_pulls_no_weight_that_multiplies_the_bases(tiny_llama, tmp_path, recipe_texts):
    """IA³ starts at 1 and DoRA's magnitudes at the base's norms: a decay towards 0 would erase the base."""
    scales = {"ia3": ("ia3_l", {"peft_type": "IA3"})}
    scales["dora"] = ("magnitude", {"peft_type": "LORA", "use_dora": True, "target_modules": ["q_proj"]})
    for name, (part, adapter) in scales.items():
        means = []
        for decay in (0.0, 10.0):
            own = MethodSpec(name=name, peft=adapter)
            record = fit(spec(tiny_llama, own, 1e-3, epochs=1, weight_decay=decay), tmp_path, recipe_texts)
            saved = load_file(next(RunFolder(tmp_path, record.run_id).artifact.glob("*.safetensors")))
            means.append(torch.cat([w.flatten() for n, w in saved.items() if part in n]).mean().item())
        assert means[1] == pytest.approx(means[0], rel=0.01)


@pytest.mark.parametrize("method", [FULL, LORA], ids=lambda m: m.name)
def test_training_lowers_validation_loss_and_leaves_a_whole_record(tiny_gpt2, tmp_path, recipe_texts, method):
    """Validated before the first step and twice on the way; the last is 0.1 nats below the first."""
    run = spec(tiny_gpt2, method)
    record = fit(run, tmp_path, recipe_texts)
    folder = RunFolder(tmp_path, run.run_id)
    assert record == RunRecord.read(folder.record)
    assert record.status == "finished"
    curve = [s.validation_nll for s in read_lines(folder.steps, Step) if s.validation_nll is not None]
    assert len(curve) == 3
    assert curve[-1] < curve[0] - 0.1
    assert not folder.checkpoints.exists()
    assert record.data.end_labels == 1.0
    assert record.costs.artifact_bytes == sum(f.stat().st_size for f in folder.artifact.glob("*.safetensors"))
    assert record.costs.trainable_parameters <= record.costs.total_parameters
    assert 0 <= record.costs.cores_of_others <= psutil.cpu_count() + 0.5


def test_full_and_lora_see_the_same_tokens_in_the_same_order(tiny_gpt2, tmp_path, recipe_texts):
    """One seed: one stream, one number of supervised tokens, whatever the method."""
    full, lora = (fit(spec(tiny_gpt2, m), tmp_path, recipe_texts).data for m in (FULL, LORA))
    assert (full.stream_hash, full.tokens) == (lora.stream_hash, lora.tokens)
    assert full.tokens == sum(len(row) - 1 for row in encode(recipe_texts[:30], load.load_tokenizer(
        ModelSpec(name="tiny", folder=str(tiny_gpt2)))).ids)  # fmt: skip


@pytest.mark.parametrize("method", [FULL, LORA], ids=lambda m: m.name)
def test_saved_and_loaded_again_gives_the_same_logits(tiny_gpt2, tmp_path, recipe_texts, method):
    """What was trained differs from the base; what is loaded does not differ from what was trained."""
    run = spec(tiny_gpt2, method)
    fit(run, tmp_path, recipe_texts)
    artifact = RunFolder(tmp_path, run.run_id).artifact
    ids = torch.arange(1, 60)[None]
    with torch.no_grad():
        base = load.load_base(run.model).eval()(ids).logits
        once, twice = (artifact_files.load_artifact(run.model, artifact).eval()(ids).logits for _ in range(2))
    assert torch.equal(once, twice)
    assert (once - base).abs().max() > 0.1


def test_a_padding_token_beyond_the_embedding_is_not_saved(tiny_llama, tmp_path, recipe_texts):
    """A tokenizer was given one, the embedding not resized: the base loads, and so does what is saved."""
    folder = tmp_path / "base"
    shutil.copytree(tiny_llama, folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_special_tokens({"pad_token": "[PAD]"})
    tokenizer.save_pretrained(folder)
    run = spec(folder, FULL)
    before = load.load_base(run.model).config
    assert tokenizer.pad_token_id >= before.vocab_size
    assert fit(run, tmp_path, recipe_texts).status == "finished"
    after = artifact_files.load_artifact(run.model, RunFolder(tmp_path, run.run_id).artifact).config
    assert after.pad_token_id == before.pad_token_id


def test_a_fresh_adapter_changes_no_logit(tiny_gpt2):
    """LoRA starts with B = 0: logits equal the base's to the last bit."""
    model_spec = ModelSpec(name="tiny", folder=str(tiny_gpt2))
    ids = torch.arange(1, 60)[None]
    with torch.no_grad():
        base = load.load_base(model_spec).eval()(ids).logits
        adapted = methods.apply(load.load_base(model_spec), LORA).eval()(ids).logits
    assert torch.equal(base, adapted)


def test_the_untouched_base_is_a_run_without_training(tiny_gpt2, tmp_path, recipe_texts):
    """No weight moves, no step is taken, nothing is saved, and the record says what is unknown."""
    run = spec(tiny_gpt2, MethodSpec(name="base", trainable=()))
    record = fit(run, tmp_path, recipe_texts)
    assert record.costs.trainable_parameters == 0
    assert record.validation_bits_per_byte is None
    assert record.costs.train_seconds is None
    assert not RunFolder(tmp_path, run.run_id).artifact.exists()


def test_accumulated_micro_batches_give_the_gradient_of_the_whole(tiny_gpt2, recipe_texts, tiny_tokenizer):
    """Two micro-batches of unequal size, each over the tokens of both: the same gradient as in one batch."""
    from toolkit.training.step.loss import NextToken

    rows = encode(recipe_texts[:5], tiny_tokenizer).ids
    whole, parts = collate(rows, 0), [collate(rows[:1], 0), collate(rows[1:], 0)]
    count = sum(len(row) - 1 for row in rows)
    model = load.load_base(ModelSpec(name="tiny", folder=str(tiny_gpt2)))
    scorer = NextToken(model)
    scorer.loss(model, whole, count).backward()
    expected = model.transformer.h[0].mlp.c_fc.weight.grad.clone()
    model.zero_grad()
    for part in parts:
        scorer.loss(model, part, count).backward()
    torch.testing.assert_close(model.transformer.h[0].mlp.c_fc.weight.grad, expected, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("method", [FULL, LORA], ids=lambda m: m.name)
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"attention": "blocks", "precision": "bf16"},
        pytest.param({"compile": True, "precision": "bf16"}, marks=pytest.mark.slow),
    ],
    ids=["defaults", "blocks", "compile"],
)
def test_killed_and_resumed_ends_with_the_same_weights(
    tiny_gpt2, tiny_llama, tmp_path, recipe_texts, settings, method
):
    """SIGKILL at step 5, a checkpoint at every step: no record is left, and going on gives equal bits."""
    run = spec(tiny_llama if settings else tiny_gpt2, method, **settings)
    expected_attention = "causal_blocks" if settings.get("attention") else "sdpa"
    assert fit(run, tmp_path / "whole", recipe_texts).environment["attention"] == expected_attention
    script = textwrap.dedent(
        """
        import json, os, signal, sys
        from pathlib import Path
        from toolkit.events import StepTaken
        from toolkit.specs import RunSpec
        from toolkit.records.folders import RunFolder
        from toolkit.training.train import train

        job = json.loads(sys.stdin.read())
        run = RunSpec.model_validate(job["run"])

        def told(event):
            if isinstance(event, StepTaken) and event.step == 5:
                os.kill(os.getpid(), signal.SIGKILL)

        train(run, job["texts"][:30], job["texts"][30:], "[END]", RunFolder(Path(job["root"]), run.run_id),
              progress=told, checkpoint_seconds=0)
        """
    )
    job = {"run": run.model_dump(mode="json"), "texts": recipe_texts, "root": str(tmp_path / "killed")}
    import json

    done = subprocess.run(  # the interpreter that runs this test, on text written here
        [sys.executable, "-c", script],
        input=json.dumps(job),
        text=True,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr[-2000:]
    folder = RunFolder(tmp_path / "killed", run.run_id)
    assert not folder.record.exists()
    record = fit(run, tmp_path / "killed", recipe_texts)
    assert record.costs.interruptions == 1
    whole = RunFolder(tmp_path / "whole", run.run_id)
    (name,) = [file.name for file in whole.artifact.glob("*.safetensors")]
    expected, found = load_file(whole.artifact / name), load_file(folder.artifact / name)
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[key], found[key]) for key in expected)
    assert [s.step for s in read_lines(whole.steps, Step)] == [s.step for s in read_lines(folder.steps, Step)]


@pytest.mark.parametrize("method", [FULL, LORA], ids=lambda m: m.name)
def test_trained_in_bf16_it_is_validated_in_fp32(tiny_gpt2, tmp_path, recipe_texts, tiny_tokenizer, method):
    """The last validation equals the saved weights' own, loaded and scored in fp32, to seven digits.

    bf16 keeps eight bits, about 0.4 %: with `validation_precision=bf16` the two differ.
    """
    for precision, equal in (("fp32", True), ("bf16", False)):
        run = spec(tiny_gpt2, method, precision="bf16", epochs=1, validation_precision=precision)
        record = fit(run, tmp_path, recipe_texts)
        assert record.precision == f"bf16 compute, fp32 weights, {precision} validation"
        artifact = RunFolder(tmp_path, run.run_id).artifact
        model = artifact_files.load_artifact(run.model, artifact)
        scores = Validation(recipe_texts[30:], tiny_tokenizer, 512, "fp32")(model, NextToken(model))
        again = scores["eval_bits_per_byte"]
        assert (record.validation_bits_per_byte == pytest.approx(again, rel=1e-7)) is equal


def test_a_loss_that_leaves_the_numbers_ends_as_diverged(tiny_gpt2, tmp_path, recipe_texts):
    """A learning rate of 1e9 gives nan: recorded as diverged, with the steps it took, and no weights."""
    run = spec(tiny_gpt2, FULL, rate=1e9, max_grad_norm=1e12)
    record = fit(run, tmp_path, recipe_texts)
    assert record.status == "diverged"
    assert record.diverged.startswith("training loss nan at step ")
    assert not RunFolder(tmp_path, run.run_id).artifact.exists()


def test_a_run_that_begins_beyond_the_numbers_ends_as_diverged(tiny_gpt2, tmp_path, recipe_texts):
    """The first validation is not finite: no optimizer was made yet, whose state takes no bytes."""
    method = MethodSpec(
        name="far", peft={"peft_type": "FOURIERFT", "scaling": 1e38, "target_modules": ["c_attn"]}
    )
    record = fit(spec(tiny_gpt2, method, rate=1e-3), tmp_path, recipe_texts)
    assert (record.status, record.costs.optimizer_state_bytes) == ("diverged", 0)


@pytest.mark.parametrize("steps", [1, 2, 35])
def test_the_learning_rate_reaches_its_height_in_every_run(steps):
    """A warm-up over a tenth: of one step none, of two one, of 35 four."""
    assert warmup_steps(TrainSpec(warmup=0.1), steps) == {1: 0, 2: 1, 35: 4}[steps]


@pytest.mark.parametrize("visible", [0, 1, 2])
def test_a_process_trains_on_one_gpu(tiny_gpt2, tmp_path, monkeypatch, visible):
    """Of two visible ones DataParallel would make every batch twice as large. Nothing here runs on a GPU."""

    def devices(settings: TrainingArguments) -> torch.device:
        settings._n_gpu = visible
        return torch.device("cpu")

    monkeypatch.setattr(TrainingArguments, "_setup_devices", property(devices))
    settings = arguments(spec(tiny_gpt2, FULL), RunFolder(tmp_path, "run"), steps=4, precision="fp32")
    assert settings.n_gpu == min(visible, 1)


@pytest.mark.parametrize(
    ("method", "says"),
    [
        (MethodSpec(name="m", trainable=("*.bais",)), r"method m: pattern '\*\.bais' matches no weight"),
        (MethodSpec(name="m", peft={"peft_type": "LORA", "r": 0}), "method m: .*r"),
        (MethodSpec(name="m", peft={"peft_type": "LORAA"}), "unknown peft_type 'LORAA'. Did you mean 'LORA'"),
        (
            MethodSpec(name="m", peft={"peft_type": "LORA", "target_modules": ["nowhere"]}),
            "method m: .*nowhere",
        ),
        (
            MethodSpec(name="m", peft={"peft_type": "LORA", "rank": 4}),
            "unknown option of LORA .*'rank'",
        ),
    ],
)
def test_options_that_cannot_be_are_told_in_one_line(tiny_gpt2, method, says):
    """A pattern without a weight, rank 0, an unknown adapter, a target that is nowhere, an unknown option."""
    with pytest.raises(UserError, match=says):
        methods.apply(load.load_base(ModelSpec(name="tiny", folder=str(tiny_gpt2))), method)


def test_a_step_over_the_memory_limit_names_the_remedy(tiny_gpt2, tmp_path, recipe_texts, monkeypatch):
    """torch's allocator has to give an exbibyte in the third step; the run fails with what to lower."""
    taken = []

    def compute_loss(self, *args, **settings):
        taken.append(1)
        if len(taken) == 3:
            torch.empty(1 << 60, dtype=torch.uint8)
        return whole(self, *args, **settings)

    whole = TokenBudgetTrainer.compute_loss
    monkeypatch.setattr(TokenBudgetTrainer, "compute_loss", compute_loss)
    run = spec(tiny_gpt2, FULL)
    with pytest.raises(UserError, match=r"out of memory at train.batch_tokens=\d+: lower it, and raise"):
        fit(run, tmp_path, recipe_texts)
    assert not RunFolder(tmp_path, run.run_id).record.exists()
