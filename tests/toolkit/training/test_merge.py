"""A merged adapter says what it said before; operations and memory are counted as they are."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from tests.factories import small_run
from toolkit import config, runtime
from toolkit.errors import UserError
from toolkit.models import artifact as artifact_files
from toolkit.models import flops, load
from toolkit.records import MergeRecord, RunRecord
from toolkit.records.folders import RunFolder
from toolkit.specs import MethodSpec, ModelSpec
from toolkit.training.loss import NextToken
from toolkit.training.merge import merge
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
    counted = flops.per_position(model, NextToken(model), row, "fp32")
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
