"""A run's folder names what is in it."""

from __future__ import annotations

from toolkit.records.folders import CLOCK, RunFolder, sealed, step_of


def test_the_last_checkpoint_is_the_complete_one_of_the_highest_step(tmp_path):
    """9 < 10 as steps, not as text; 11 lacks its marker, and a copy of 12 goes by another name."""
    folder = RunFolder(tmp_path, "run")
    assert folder.last_checkpoint is None
    for name in ("checkpoint-9", "checkpoint-10", "checkpoint-11", "checkpoint-12.old", "checkpoint-old-13"):
        (folder.checkpoints / name).mkdir(parents=True)
        if name != "checkpoint-11":
            (folder.checkpoints / name / CLOCK).touch()
    assert [step_of(checkpoint) for checkpoint in sealed(folder.checkpoints)] == [10, 9]
    assert folder.last_checkpoint == folder.checkpoints / "checkpoint-10"
