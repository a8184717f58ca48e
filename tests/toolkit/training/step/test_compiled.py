"""Compiled training: the same curve within rounding, validation untouched, an identity of its own."""

from __future__ import annotations

import pytest
import torch
from torch._inductor import cpp_builder
from torch._inductor.exc import InvalidCxxCompiler

from tests.factories import FULL, LORA, small_run
from toolkit.errors import UserError
from toolkit.records import Step, read_lines
from toolkit.records.folders import RunFolder
from toolkit.training.step.compiled import CompiledBlocks, _repeated
from toolkit.training.train import train


def compiler() -> str | None:
    """The C++ compiler that torch finds; None without one."""
    try:
        return cpp_builder.get_cpp_compiler()
    except InvalidCxxCompiler:
        return None


def curves(root, base, texts, method, **settings):
    """Train on twelve recipes in bf16; return the losses of the steps, and the validations."""
    run = small_run(base, method, precision="bf16", batch_tokens=128, validations=1, **settings)
    folder = RunFolder(root, run.run_id)
    record = train(run, texts[:12], texts[30:34], "[END]", folder, progress=lambda _: None)
    steps = read_lines(folder.steps, Step)
    assert record.status == "finished"
    return [s.loss for s in steps if s.loss is not None], [
        s.validation_nll for s in steps if s.validation_nll is not None
    ]


@pytest.mark.slow
@pytest.mark.skipif(compiler() is None, reason="torch.compile on a CPU needs a C++ compiler")
@pytest.mark.parametrize("method", [FULL, LORA], ids=lambda m: m.name)
def test_compiled_steps_give_the_same_curve_within_rounding(tiny_llama, tmp_path, recipe_texts, method):
    """Losses within 1 %; the first validation equal to the bit; a second run equal too."""
    plain, validated = curves(tmp_path / "plain", tiny_llama, recipe_texts, method)
    compiled, again = curves(tmp_path / "compiled", tiny_llama, recipe_texts, method, compile=True)
    repeated, _ = curves(tmp_path / "repeated", tiny_llama, recipe_texts, method, compile=True)
    assert len(plain) > 1
    assert compiled == pytest.approx(plain, rel=0.01)
    assert again[0] == validated[0]
    assert repeated == compiled


def test_what_is_compiled_is_another_run():
    """`compile: true` is part of a run's identity; without it runs keep the identity they had."""
    one, other = small_run("base"), small_run("base", compile=True)
    assert one.run_id != other.run_id
    assert (
        one.model_copy(update={"train": one.train.model_copy(update={"compile": False})}).run_id == one.run_id
    )


def test_a_model_without_blocks_or_a_machine_without_a_compiler_is_one_line(monkeypatch):
    """A single linear layer has no blocks; without g++ the line names it."""
    with pytest.raises(UserError, match=r"train\.compile: Linear has no list of equal blocks"):
        CompiledBlocks(torch.nn.Linear(2, 2))

    def missing():
        raise InvalidCxxCompiler

    monkeypatch.setattr(cpp_builder, "get_cpp_compiler", missing)
    with pytest.raises(UserError, match=r"no C\+\+ compiler was found\. Install one \(g\+\+\)"):
        CompiledBlocks(torch.nn.Linear(2, 2))


def test_blocks_are_the_longest_list_of_one_type():
    """Two linear layers, not the list of a linear layer and an activation."""
    model = torch.nn.Module()
    model.mixed = torch.nn.ModuleList([torch.nn.Linear(2, 2), torch.nn.ReLU(), torch.nn.ReLU()])
    model.blocks = torch.nn.ModuleList([torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)])
    assert _repeated(model) == list(model.blocks)
