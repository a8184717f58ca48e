"""What transformers' Trainer leaves behind: states with values that are no metric, one per checkpoint."""

from __future__ import annotations

import json
import math

import pytest

from eval.foreign import read
from toolkit.errors import UserError


def test_a_trainers_state_may_hold_nan_lists_and_the_time_of_preparing_the_model(tmp_path):
    """A gradient norm of NaN, F1 by class and seconds stand beside a loss of 1.5: the loss alone is read."""
    more = {"eval_loss": 1.5, "eval_f1": [0.2, 0.4], "eval_model_preparation_time": 0.01, "step": 2}
    state = {"log_history": [{"grad_norm": math.nan, "step": 1}, more]}
    path = tmp_path / "trainer_state.json"
    for indent in (None, 2):
        path.write_text(json.dumps(state, indent=indent))
        (scores,) = read(path)
        assert (scores.metric, scores.statistics.tolist()) == ("eval_loss", [[1.5]])
        assert scores.notes[1] == "left out, as they are no single number: eval_f1"


def state(folder, step, loss):
    """A trainer's state in a folder, after ``step`` steps."""
    folder.mkdir(parents=True, exist_ok=True)
    record = {"global_step": step, "log_history": [{"eval_loss": loss, "step": step}]}
    (folder / "trainer_state.json").write_text(json.dumps(record, indent=2))


def test_the_checkpoints_of_a_run_are_one_run_and_its_last_state_counts(tmp_path):
    """Losses 3, 2 and 1 after 500, 1,000 and 1,500 steps: 1. A run with a state of its own: that one."""
    for step, loss in ((500, 3.0), (1000, 2.0), (1500, 1.0)):
        state(tmp_path / "a" / f"checkpoint-{step}", step, loss)
    (scores,) = read(tmp_path / "a")
    assert scores.statistics.tolist() == [[1.0]]
    state(tmp_path / "b" / "checkpoint-10", 10, 5.0)
    state(tmp_path / "b" / "checkpoint-20", 20, 4.0)
    state(tmp_path / "b", 20, 4.5)
    assert [s.statistics[0, 0] for s in read(tmp_path)] == [1.0, 4.5]
    (tmp_path / "a" / "checkpoint-500" / "trainer_state.json").write_text('{"log_history": []}')
    with pytest.raises(UserError, match="checkpoint-500/trainer_state.json: no 'global_step'"):
        read(tmp_path / "a")
