"""A run as its worker gets it, of the embedded recipes, for benches of what is around the training."""

from __future__ import annotations

from pathlib import Path

from experiments.running.job import Job
from toolkit import config
from toolkit.data.prepare import prepare
from toolkit.records.folders import Root
from toolkit.specs import DataSpec, MethodSpec, ModelSpec, RunSpec, TrainSpec

RATES = {"full": 1e-4, "lora-r16": 1e-3}
"""Methods that are measured, with a learning rate that trains them well."""
ANY_RATE = 1e-4
"""Of the others, where only time and memory count."""


def job(root: Path, model: ModelSpec, method: str, data: DataSpec, *, seed: int = 0, train: TrainSpec) -> Job:
    """Return a run of `wikibooks`, not evaluated, with its documents prepared under ``root``."""
    dataset = config.dataset("wikibooks")
    prepared = prepare(dataset, data, Root(root).data)
    method_spec: MethodSpec = config.method(method)
    run = RunSpec(
        model=model,
        dataset=dataset,
        data=data,
        method=method_spec,
        learning_rate=RATES[method],
        train=train,
        seed=seed,
        fingerprints={split: prepared.fingerprints[split] for split in ("train", "validation")},
    )
    return Job(root=str(root), run=run, dataset=dataset, data=data, evaluate=None)
