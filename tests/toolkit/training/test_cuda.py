"""The same run on a CUDA device: bf16 over fp32 masters, and peaks from its allocator."""

from __future__ import annotations

import pytest
import torch

from tests.factories import FULL, small_run
from toolkit.records.folders import RunFolder
from toolkit.training.train import train

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device, and there is none"),
]


def test_a_run_on_cuda_keeps_fp32_masters_and_tells_its_peaks(tiny_gpt2, tmp_path, recipe_texts):
    """Two epochs on the tiny model: finished, on the GPU by name, with bytes allocated and reserved."""
    run = small_run(tiny_gpt2, FULL, 5e-3, epochs=2, precision="auto")
    folder = RunFolder(tmp_path, run.run_id)
    record = train(run, recipe_texts[:30], recipe_texts[30:], "[END]", folder, progress=lambda _: None)
    assert record.status == "finished"
    assert record.precision.endswith("fp32 weights, fp32 validation")
    assert record.environment["device"] == torch.cuda.get_device_name()
    assert record.costs.cuda_reserved_bytes >= record.costs.cuda_allocated_bytes > 0
