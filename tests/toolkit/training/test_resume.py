"""Adapters that peft's own checkpoints do not bring back: stopped and resumed, they end with equal bits."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file

from tests.factories import small_run
from tests.toolkit.models.every_adapter import OPTIONS
from toolkit import config
from toolkit.events import StepTaken, ignore
from toolkit.records.folders import RunFolder
from toolkit.specs import MethodSpec
from toolkit.training.train import train

ADALORA = MethodSpec(name="adalora", peft={"peft_type": "ADALORA", **OPTIONS["ADALORA"]})

FROZEN_A = MethodSpec(
    name="lora-fa",
    peft={"peft_type": "LORA", "r": 4, "lora_alpha": 8, "target_modules": "all-linear"},
    optimizer={"name": "lorafa", "r": 4, "lora_alpha": 8},
)


class StoppedError(Exception):
    """What stops a run here."""


@pytest.mark.parametrize("method", [ADALORA, FROZEN_A, config.method("p-tuning"), config.method("lora-plus")],
                         ids=lambda m: m.name)  # fmt: skip
def test_stopped_at_step_five_it_ends_as_never_stopped(tiny_llama, tmp_path, recipe_texts, method):
    """A checkpoint at each of ten steps; AdaLoRA has masked ranks by then, P-tuning trains a network.

    LoRA-FA's optimizer, which is made after the weights are restored, freezes half of them.
    """
    run = small_run(tiny_llama, method, 1e-2, epochs=10, batch_tokens=1024, validations=1)

    def stop(event):
        if isinstance(event, StepTaken) and event.step == 5:
            raise StoppedError

    def fit(root, progress):
        folder = RunFolder(root, run.run_id)
        texts = recipe_texts
        record = train(run, texts[:6], texts[6:8], "[END]", folder, progress=progress, checkpoint_seconds=0)
        return record, load_file(folder.artifact / "adapter_model.safetensors")

    with pytest.raises(StoppedError):
        fit(tmp_path / "stopped", stop)
    steps = RunFolder(tmp_path / "stopped", run.run_id).steps
    with steps.open("a") as stream:
        stream.write('{"step": 6, "epo')  # half a line, as a full disk leaves it
    record, resumed = fit(tmp_path / "stopped", ignore)
    assert record.costs.interruptions == 1
    _, whole = fit(tmp_path / "whole", ignore)
    assert resumed.keys() == whole.keys()
    assert all(torch.equal(resumed[name], whole[name]) for name in whole)
