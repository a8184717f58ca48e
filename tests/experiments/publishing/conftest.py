"""A kept study that compares LoRA with full fine-tuning."""

from __future__ import annotations

import pytest

from experiments.publishing.kept import Kept
from tests.figures.conftest import write_study
from toolkit.records import Candidate, Conclusions, Recommendation, RunRecord

CONDITION = {"base_model": "tiny", "dataset": "recipes", "train_size": 180, "epochs": 1.0}


@pytest.fixture
def kept(tmp_path) -> Kept:
    """LoRA against full fine-tuning with three seeds, as conclusions and runs."""
    folder, root = write_study(tmp_path, methods=("full", "lora-r16"), seeds=3, tuned=True)
    concluded = Conclusions.read(folder / "comparisons.json")
    cells = tuple(cell.model_copy(update=CONDITION) for cell in concluded.cells)
    pairs = tuple(
        one.model_copy(
            update={
                **CONDITION,
                "difference": -0.0012,
                "low": -0.005,
                "high": 0.0026,
                "verdict": "equivalent",
                "margin": 0.008,
            }
        )
        for one in concluded.comparisons
        if (one.method, one.metric) == ("lora-r16", "bits_per_byte") and one.baseline == "full"
    )
    costs = {"full": (4.6e9, 70.0, 5.4e8), "lora-r16": (3.3e9, 60.0, 1.9e7)}
    candidates = tuple(
        Candidate(
            method=method, relation="best" if method == "full" else "within_margin",
            memory_bytes=memory, train_seconds=seconds, saved_bytes=size,
        )
        for method, (memory, seconds, size) in costs.items()
    )  # fmt: skip
    recommendation = Recommendation(
        **CONDITION, metric="bits_per_byte", by="memory", best="full", method="lora-r16",
        status="equivalent", candidates=candidates,
    )  # fmt: skip
    estimates = tuple(one.model_copy(update=CONDITION) for one in concluded.estimates)
    changed = {
        "cells": cells,
        "estimates": estimates,
        "comparisons": pairs,
        "recommendations": (recommendation,),
    }
    runs = {}
    for cell in cells:
        memory, seconds, size = costs.get(cell.method, (1e9, 1.0, 0.0))
        record = RunRecord.read(root / "runs" / cell.run_id / "run.json")
        spent = {"peak_memory_bytes": int(memory), "cuda_allocated_bytes": None, "cores_of_others": 0.0}
        more = {"train_seconds": seconds, "artifact_bytes": int(size)}
        machine = {key: value for key, value in record.environment.items() if key != "cuda"}
        update = {
            "costs": record.costs.model_copy(update=spent | more),
            "environment": {**machine, "cores": 2, "threads": 2},
        }
        runs[cell.run_id] = record.model_copy(update=update)
    return Kept(concluded.model_copy(update=changed), runs)
