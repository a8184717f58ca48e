"""What of a run's time is training, validation and saving."""

from __future__ import annotations

from types import SimpleNamespace

from toolkit.records.folders import RunFolder
from toolkit.specs import TrainSpec
from toolkit.training import checkpoints, monitor
from toolkit.training.monitor import Clock, Monitor, StepTotals
from toolkit.training.validation import BestWeights


def test_a_checkpoint_after_a_validation_counts_its_own_seconds_alone(tmp_path, monkeypatch):
    """A step until second 10, its validation until 17, its checkpoint until 20: 10, 7 and 3 seconds."""
    second = 0.0
    monkeypatch.setattr(monitor, "time", SimpleNamespace(perf_counter=lambda: second))
    monkeypatch.setattr(monitor, "seconds_of_others", lambda: 0.0)
    sealed = []
    monkeypatch.setattr(checkpoints, "seal", lambda _, clock, computed: sealed.append((clock, computed)))
    folder = RunFolder(tmp_path, "run")
    watching = Monitor(
        folder, StepTotals([0, 5, 9], [0, 1, 2], [0, 5, 9], 2), validations=2, resumed_from=None,
        computed={"precision": "bf16"}, checkpoint_seconds=0, progress=lambda _: None,
        best=BestWeights(TrainSpec(), folder.checkpoints),
    )  # fmt: skip
    state, control = SimpleNamespace(global_step=1), SimpleNamespace()
    watching.on_step_begin()
    second = 10.0
    watching.on_step_end(None, state, control)
    assert (control.should_evaluate, control.should_save) == (True, True)
    second = 17.0
    watching.add_validation_seconds(7.0)
    watching.on_evaluate(None, state, control, {"eval_nll": 2.0, "eval_bits_per_byte": 1.0})
    second = 20.0
    watching.on_save(SimpleNamespace(output_dir=str(folder.checkpoints)), state, control)
    assert watching.clock[:3] == (10.0, 7.0, 3.0)
    assert sealed == [(watching.clock._asdict(), {"precision": "bf16"})]
    assert sealed[0][0]["memory"] > 1e6


def test_a_resumed_run_keeps_the_peak_of_the_process_before(monkeypatch):
    """5 GB before it was killed, 3 GB since; 6 GB would be the new peak. Without CUDA nothing is made up."""
    monkeypatch.setattr(monitor.runtime, "peak_memory_bytes", lambda: 3_000_000_000)
    monkeypatch.setattr(monitor.runtime, "cuda_peaks", lambda: (None, None))
    assert Clock(memory=5_000_000_000).with_peaks() == Clock(memory=5_000_000_000)
    assert Clock().with_peaks().memory == 3_000_000_000
    monkeypatch.setattr(monitor.runtime, "cuda_peaks", lambda: (7, 9))
    found = Clock(cuda_allocated=8, cuda_reserved=8).with_peaks()
    assert (found.cuda_allocated, found.cuda_reserved) == (8, 9)
