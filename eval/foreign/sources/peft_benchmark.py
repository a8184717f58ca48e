"""PEFT's `method_comparison` records: one JSON file per experiment, one number per run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from eval.foreign.sources.scores import ItemScores, number
from toolkit.errors import UserError

TOOL = "PEFT method_comparison"
GSM8K_TEST = 1319
"""Questions in GSM8K's test set, on which MetaMathQA experiments are tested (Cobbe et al., 2021)."""


def recognises(record: dict[str, Any]) -> bool:
    """Whether a record has the benchmark's sections."""
    return "run_info" in record and "train_info" in record


def read(path: Path, record: dict[str, Any]) -> list[ItemScores]:
    """The test accuracy, as a share of the test questions: predictions are not kept, so nothing is paired."""
    info, train = record.get("run_info"), record.get("train_info")
    if not isinstance(info, dict) or not isinstance(train, dict):
        raise UserError(f"{path}: 'run_info' and 'train_info' have to be objects")
    if train.get("status") != "success":
        raise UserError(f"{path}: the experiment's status is {train.get('status')!r}, not 'success'")
    tested = [m for m in _list(train.get("metrics")) if isinstance(m, dict) and "test accuracy" in m]
    if not tested:
        raise UserError(f"{path}: no 'test accuracy' among its metrics")
    accuracy = number(tested[-1]["test accuracy"], f"{path}: test accuracy")
    passed = round(accuracy * GSM8K_TEST)
    exact = abs(passed / GSM8K_TEST - accuracy) < 1e-9
    if not 0 <= accuracy <= 1:
        raise UserError(f"{path}: a test accuracy of {accuracy:g} is not a share")
    config = info.get("train_config") if isinstance(info.get("train_config"), dict) else {}
    seed = config.get("seed") if isinstance(config, dict) else None
    return [
        ItemScores(
            source=str(path),
            tool=TOOL,
            model=str(info["experiment_name"]) if info.get("experiment_name") else None,
            task="GSM8K" if exact else "test set",
            seed=seed if isinstance(seed, int) else None,
            metric="test accuracy",
            direction="higher",
            formula="value",
            items=(),
            statistics=np.asarray([[accuracy]]),
            trials=GSM8K_TEST if exact else None,
            notes=("unpaired: the benchmark keeps no predictions",),
        )
    ]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
