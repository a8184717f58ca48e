"""Small values that many tests need: a run on a tiny model, two methods, and the format of recipes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from toolkit.catalog import document_format
from toolkit.specs import MethodSpec, ModelSpec, RunSpec, TrainSpec

FULL = MethodSpec(name="full", trainable=("*",))
LORA = MethodSpec(name="lora", peft={"peft_type": "LORA", "r": 4, "target_modules": "all-linear"})
RECIPE = document_format("recipe")
"""The assignment's format: RECIPE, INGREDIENTS, DIRECTIONS, [END]."""


def small_run(
    base: Path | str | ModelSpec,
    method: MethodSpec = FULL,
    rate: float | None = 1e-2,
    *,
    seed: int = 0,
    **settings: Any,
) -> RunSpec:
    """Return a run on a base model, a folder or a spec: in fp32, 512 tokens per batch by default."""
    model = base if isinstance(base, ModelSpec) else ModelSpec(name="tiny", folder=str(base))
    train = {"batch_tokens": 512, "precision": "fp32", **settings}
    return RunSpec(
        model=model,
        dataset=None,
        data=None,
        method=method,
        learning_rate=rate,
        train=TrainSpec(**train),
        seed=seed,
    )
