"""`trainer_state.json` of any transformers Trainer: the evaluation loss of a run, one number per run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from eval.foreign.sources import lines
from eval.foreign.sources.scores import ItemScores, direction_of, number
from toolkit.errors import UserError

TOOL = "transformers Trainer"
CHECKPOINT = re.compile(r"checkpoint-\d+")
"""A checkpoint's folder, which lies in its run's."""
SPEED = ("runtime", "per_second", "preparation_time")
"""How the names of measurements of time end."""


def recognises(record: dict[str, Any]) -> bool:
    """Whether a record is a Trainer's state."""
    return "log_history" in record


def last_of_each_run(states: Sequence[Path]) -> list[Path]:
    """Of each run's states the one with the most steps: Trainer keeps one per checkpoint, in its folder.

    Raises UserError if a run has several states and one of them has no number of steps.
    """
    runs: dict[Path, list[Path]] = {}
    for path in sorted(states):
        folder = path.parent
        runs.setdefault(folder.parent if CHECKPOINT.fullmatch(folder.name) else folder, []).append(path)
    # of equal steps the run's own state, sorted last: it may hold an evaluation from after the training
    return [paths[0] if len(paths) == 1 else max(reversed(paths), key=_steps) for paths in runs.values()]


def _steps(path: Path) -> int:
    record = lines.parse(lines.text_of(path), str(path), constants=True)
    steps = record.get("global_step") if isinstance(record, dict) else None
    if not isinstance(steps, int):
        raise UserError(f"{path}: no 'global_step' tells which state is the run's last: give one file")
    return steps


def read(path: Path, record: dict[str, Any]) -> list[ItemScores]:
    """Every `eval_…` metric at its last evaluation; speed measurements are left out.

    Values that are no single number, such as a list by class, are left out and named in the notes.
    """
    history = record.get("log_history")
    if not isinstance(history, list):
        raise UserError(f"{path}: 'log_history' has to be a list")
    last: dict[str, float] = {}
    several: set[str] = set()
    for entry in history:
        if not isinstance(entry, dict):
            raise UserError(f"{path}: an entry of 'log_history' is not an object")
        for name, value in entry.items():
            if not name.startswith("eval_") or name.endswith(SPEED):
                continue
            if isinstance(value, list | dict):
                several.add(name)
            else:
                last[name] = number(value, f"{path}: {name} at step {entry.get('step')}")
    if not last:
        raise UserError(f"{path}: no 'eval_…' value in its log: the run was trained without evaluation")
    notes = ["one number per run: seeds are compared, not items"]
    if several:
        notes.append(f"left out, as they are no single number: {', '.join(sorted(several))}")
    if record.get("best_model_checkpoint"):
        notes.append("a best checkpoint was kept by these evaluations: its value would be too good")
    return [
        ItemScores(
            source=str(path),
            tool=TOOL,
            model=None,
            task="evaluation data",
            seed=None,
            metric=name,
            direction=direction_of(name),
            formula="value",
            items=(),
            statistics=np.asarray([[value]]),
            notes=tuple(notes),
        )
        for name, value in sorted(last.items())
    ]
