"""Operations are counted once for models of one structure, whatever their weights."""

from __future__ import annotations

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from tests.factories import FULL, LORA
from toolkit.models import flops, methods
from toolkit.training.step.loss import NextToken

ROW = list(range(5, 25))


def counted(folder, method, cache, row=ROW, *, seed=0):
    """The operations of a method on the base in ``folder``, and the files of the cache after."""
    torch.manual_seed(seed)
    model = methods.apply(AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32), method)
    operations = flops.operations_once(model, NextToken(model), row, "fp32", cache)
    return operations, {file.name for file in cache.iterdir()}


def test_a_second_run_of_the_same_structure_counts_nothing(tiny_gpt2, tmp_path, monkeypatch):
    """Other random weights of the same adapter, with the counter taken away: the same number, one file."""
    first, files = counted(tiny_gpt2, LORA, tmp_path)
    assert min(first) > 0
    assert len(files) == 1

    def gone(*_):
        raise AssertionError("counted again")

    monkeypatch.setattr(flops, "operations", gone)
    assert counted(tiny_gpt2, LORA, tmp_path, seed=1) == (first, files)
    assert counted(tiny_gpt2, LORA, tmp_path, [7] * len(ROW)) == (first, files)
    with pytest.raises(AssertionError, match="counted again"):
        counted(tiny_gpt2, FULL, tmp_path)


def test_what_changes_the_count_has_a_file_of_its_own(tiny_gpt2, tmp_path):
    """Three methods or lengths, three files: full trains more weights, a shorter row has less attention."""
    adapter, one = counted(tiny_gpt2, LORA, tmp_path)
    full, two = counted(tiny_gpt2, FULL, tmp_path)
    shorter, three = counted(tiny_gpt2, FULL, tmp_path, ROW[:10])
    assert [len(files) for files in (one, two, three)] == [1, 2, 3]
    assert full.per_position > adapter.per_position
    assert full.per_label > adapter.per_label  # whose head is tied to frozen weights
    assert shorter.per_position < full.per_position
    assert shorter.per_label == full.per_label


def test_a_model_that_cannot_be_followed_is_not_tried_again(tiny_gpt2, tmp_path, monkeypatch):
    """None is stored as None: not measured."""
    monkeypatch.setattr(flops, "operations", lambda *_: None)
    assert counted(tiny_gpt2, LORA, tmp_path)[0] is None
    monkeypatch.setattr(flops, "operations", lambda *_: flops.Operations(1.0, 1.0))
    assert counted(tiny_gpt2, LORA, tmp_path)[0] is None


def test_a_damaged_count_is_counted_again(tiny_gpt2, tmp_path):
    """The first digit of the stored number changed, half of the file, or what an earlier version stored."""
    first, _ = counted(tiny_gpt2, LORA, tmp_path)
    (file,) = tmp_path.iterdir()
    whole = file.read_text()
    place = next(place for place, sign in enumerate(whole) if sign.isdigit())
    changed = whole[:place] + str(9 - int(whole[place])) + whole[place + 1 :]
    for text in (changed, whole[: len(whole) // 2], whole.split("\n")[0], ""):
        file.write_text(text)
        assert counted(tiny_gpt2, LORA, tmp_path)[0] == first


def test_the_head_counts_for_supervised_tokens_alone(tiny_gpt2, tmp_path):
    """Full fine-tuning: vocabulary x 32 weights of the head, forward 2 and backward 4 a weight, per label."""
    full, _ = counted(tiny_gpt2, FULL, tmp_path)
    assert full.per_label == 6 * AutoConfig.from_pretrained(tiny_gpt2).vocab_size * 32
    assert full.of(100, 10) == 100 * full.per_position + 10 * full.per_label
