"""A merged adapter says what it said before; operations and memory are counted as they are."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest
import torch

from tests.conftest import recipes, save_tiny, tokenizer_of
from tests.factories import small_run
from toolkit import config, runtime
from toolkit.data.conversations.template import template_text
from toolkit.data.conversations.turns import Dialogue, Turn, to_text
from toolkit.errors import UserError
from toolkit.models import artifact as artifact_files
from toolkit.models import flops, load
from toolkit.records import MergeRecord, RunRecord, Step, read_lines
from toolkit.records.folders import RunFolder
from toolkit.specs import Conversation, DatasetSpec, MethodSpec, ModelSpec
from toolkit.training.merge import merge
from toolkit.training.step.loss import NextToken
from toolkit.training.train import train

LORA = {"peft_type": "LORA", "r": 4, "target_modules": "all-linear"}


def trained(folder, root, texts, method):
    """A short run."""
    run = small_run(folder, method, 0.02)
    there = RunFolder(root, run.run_id)
    return train(run, texts[:12], texts[30:], "[END]", there, progress=lambda _: None), there


def test_merged_equals_unmerged(tiny_gpt2, tmp_path, recipe_texts):
    """Logits to 1e-4, perplexity to 1e-5; the merged folder loads as a plain model."""
    record, there = trained(tiny_gpt2, tmp_path, recipe_texts, MethodSpec(name="lora", peft=LORA))
    merged = merge(record, there, recipe_texts[30:])
    assert merged == MergeRecord.read(there.merge)
    assert merged.logit_difference < 1e-4
    assert merged.merged.perplexity == pytest.approx(merged.adapter.perplexity, rel=1e-5)
    assert min(merged.adapter.seconds_per_new_token, merged.merged.seconds_per_new_token) > 0
    plain = load.load_base(ModelSpec(name="merged", folder=str(there.merged)))
    adapted = artifact_files.load_artifact(record.spec.model, there.artifact)
    ids = torch.arange(2, 40)[None]
    with torch.no_grad():
        torch.testing.assert_close(plain.eval()(ids).logits, adapted.eval()(ids).logits, rtol=1e-4, atol=1e-4)


def test_a_merged_adapter_of_conversations_is_measured_on_answers_and_keeps_its_template(tmp_path):
    """Its perplexity is exp(nll) of the run's last validation, and not of the JSON that stores the turns."""
    base = save_tiny("llama", tmp_path / "base", tokenizer_of(recipes(40)))
    form = Conversation(name="chat", template="plain")
    dataset = DatasetSpec(name="mine", files=("x.jsonl",), format=form)
    run = small_run(base, MethodSpec(name="lora", peft=LORA), 0.02).model_copy(update={"dataset": dataset})
    there = RunFolder(tmp_path, run.run_id)
    turns = [(Turn("user", f"Dish {n}?"), Turn("assistant", f"Stir the flour {n}")) for n in range(12)]
    texts = [to_text(Dialogue(pair)) for pair in turns]
    record = train(run, texts[:8], texts[8:], "", there, progress=lambda _: None)

    merged = merge(record, there, texts[8:])

    nll = [s.validation_nll for s in read_lines(there.steps, Step) if s.validation_nll is not None][-1]
    assert merged.adapter.perplexity == pytest.approx(math.exp(nll), rel=1e-4)
    assert merged.merged.perplexity == pytest.approx(math.exp(nll), rel=1e-4)
    saved = load.load_tokenizer(ModelSpec(name="merged", folder=str(there.merged)))
    assert saved.chat_template == template_text("plain")


@pytest.mark.parametrize(
    ("method", "words"),
    [
        (MethodSpec(name="full", trainable=("*",)), "nothing to merge: the run left no adapter"),
        (
            MethodSpec(name="prompt", peft={"peft_type": "PROMPT_TUNING", "num_virtual_tokens": 4}),
            "PromptTuningConfig can't be merged",
        ),
    ],
)
def test_what_cannot_be_merged_is_one_line(tiny_gpt2, tmp_path, recipe_texts, method, words):
    """Full fine-tuning has no adapter; a prompt stands before the text, not in the weights."""
    record, there = trained(tiny_gpt2, tmp_path, recipe_texts, method)
    with pytest.raises(UserError, match=words):
        merge(record, there, recipe_texts[30:])
    assert not there.merge.exists()


def test_operations_a_position_are_those_of_the_matrices(tiny_gpt2, recipe_texts, tiny_tokenizer):
    """Two layers of width 32: 12 x 32 x 32 weights each, the head 400 x 32; forward 2 a weight, backward 4.

    Attention adds 2 x 2 x 32 a position attended to, forward; at most 128 positions, three and a half times.
    """
    model = load.load_base(ModelSpec(name="tiny", folder=str(tiny_gpt2)))
    row = tiny_tokenizer(recipe_texts[3])["input_ids"]
    operations = flops.operations(model, NextToken(model), row, "fp32")
    counted = operations.of(1, 1)
    matrices = 6 * (2 * 12 * 32 * 32 + len(tiny_tokenizer) * 32)
    attention = 2 * 3.5 * 2 * 2 * 32 * len(row)
    assert matrices < counted <= matrices + attention
    assert all(weight.grad is None for weight in model.parameters())
    assert flops.peak_per_second(runtime.device(), "fp32") > 1e8


def test_a_run_records_its_operations(tiny_gpt2, tmp_path, recipe_texts):
    """The backward pass of LoRA needs no gradient of frozen matrices: fewer operations than full's."""
    full, _ = trained(tiny_gpt2, tmp_path, recipe_texts, MethodSpec(name="full", trainable=("*",)))
    lora, there = trained(tiny_gpt2, tmp_path, recipe_texts, MethodSpec(name="lora", peft=LORA))
    assert 0.5 < lora.costs.flops / full.costs.flops < 1
    assert full.costs.flops > 6 * (2 * 12 * 32 * 32) * full.data.tokens  # of all steps
    assert 0 < lora.costs.peak_share < 1
    assert RunRecord.read(there.record).costs == lora.costs
    assert config.method("lora-r16").peft["r"] == 16


def test_peak_memory_is_of_the_process_and_not_of_the_one_that_started_it():
    """Half a gigabyte held here does not count there: a child that holds 100 MB says 100 to 300 MB."""
    held = bytearray(b"x" * 500_000_000)
    script = (
        "from toolkit import runtime; x = bytearray(b'x' * 100_000_000); print(runtime.peak_memory_bytes())"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert 100e6 < int(done.stdout) < 300e6 < len(held) < runtime.peak_memory_bytes()
