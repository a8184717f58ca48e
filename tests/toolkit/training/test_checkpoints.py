"""A damaged checkpoint is never resumed from: an older whole one is, or the run starts anew."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file

from tests.toolkit.training.test_train import FULL, LORA, fit, spec
from toolkit.events import StepTaken, ignore
from toolkit.records.folders import RunFolder
from toolkit.training.checkpoints import latest_intact, seal
from toolkit.training.train import train

SETTINGS = {"epochs": 1, "validations": 1}
COMPUTED = {"precision": "fp32", "device": "cpu"}


class StoppedError(Exception):
    """What stops a run here."""


@pytest.fixture(scope="module", params=[FULL, LORA], ids=lambda method: method.name)
def stopped(request, tiny_gpt2, recipe_texts, tmp_path_factory):
    """A run stopped at step four with a checkpoint at steps two and three, and the run never stopped."""
    run = spec(tiny_gpt2, request.param, **SETTINGS)
    root = tmp_path_factory.mktemp("stopped")

    def stop(event):
        if isinstance(event, StepTaken) and event.step == 4:
            raise StoppedError

    folder = RunFolder(root, run.run_id)
    with pytest.raises(StoppedError):
        train(run, recipe_texts[:30], recipe_texts[30:], "[END]", folder, progress=stop, checkpoint_seconds=0)
    whole = RunFolder(tmp_path_factory.mktemp("whole"), run.run_id)
    train(run, recipe_texts[:30], recipe_texts[30:], "[END]", whole, progress=ignore)
    return run, root, weights(whole)


def weights(folder):
    """The saved weights of a run."""
    (file,) = folder.artifact.glob("*.safetensors")
    return load_file(file)


def flip(path):
    """Change one bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_every_file_is_in_the_manifest(stopped):
    """Weights, optimizer, schedule and random state of a checkpoint are hashed in its clock.json."""
    run, root, _ = stopped
    checkpoint = RunFolder(root, run.run_id).last_checkpoint
    assert checkpoint.name == "checkpoint-3"
    files = json.loads((checkpoint / "clock.json").read_text())["files"]
    assert files.keys() == {path.name for path in checkpoint.iterdir()} - {"clock.json"}
    state = {"optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json"}
    model = "model.safetensors" if run.method.peft is None else "trainable.pt"
    assert files.keys() >= {model, *state}


@pytest.mark.parametrize("damage", ["flip", "remove", "truncate"])
@pytest.mark.parametrize("name", ["model", "optimizer.pt", "scheduler.pt", "rng_state.pth", "clock.json"])
def test_the_next_older_checkpoint_takes_the_place_of_a_damaged_one(stopped, tmp_path, caplog, name, damage):
    """Checkpoint 3 with a flipped bit, without a file, or cut in half: 2 is used, and one line says why."""
    run, root, _ = stopped
    folder = tmp_path / "checkpoints"
    shutil.copytree(RunFolder(root, run.run_id).checkpoints, folder)
    if name == "model":
        name = "model.safetensors" if run.method.peft is None else "trainable.pt"
    file = folder / "checkpoint-3" / name
    if damage == "remove":
        file.unlink()
    elif damage == "truncate":
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    elif name == "clock.json":
        file.write_text(file.read_text().replace('"optimizer.pt": "', '"optimizer.pt": "0'))
    else:
        flip(file)
    with caplog.at_level("WARNING", logger="toolkit.training.checkpoints"):
        assert latest_intact(folder, COMPUTED) == folder / "checkpoint-2"
    if name == "clock.json" and damage == "remove":  # as if it had been killed while it wrote
        assert not caplog.messages
    else:
        (line,) = caplog.messages
        assert "checkpoint-3 is damaged" in line
        assert line.endswith("trying checkpoint-2")


def test_resumed_past_a_flipped_bit_it_ends_with_the_same_weights(stopped, tmp_path, recipe_texts):
    """One bit in the newest checkpoint's weights: the run continues from the older one, to equal bits."""
    run, root, expected = stopped
    shutil.copytree(root, tmp_path, dirs_exist_ok=True)
    folder = RunFolder(tmp_path, run.run_id)
    flip(next(folder.last_checkpoint.glob("*.safetensors" if run.method.peft is None else "trainable.pt")))
    assert fit(run, tmp_path, recipe_texts).costs.interruptions == 1
    assert all(torch.equal(weight, expected[name]) for name, weight in weights(folder).items())


def test_beside_later_checkpoints_that_are_not_whole_no_whole_one_is_deleted(stopped, tmp_path, recipe_texts):
    """Two kills in mid-save left steps 850 and 900 unsealed; resumed from 2, killed at 4: 2 and 3 are there.

    transformers keeps the two highest steps: 850 and 900 would stay, and 3 would be sealed without a file.
    """
    run, root, expected = stopped
    shutil.copytree(root, tmp_path, dirs_exist_ok=True)
    folder = RunFolder(tmp_path, run.run_id)
    (folder.checkpoints / "checkpoint-3").rename(folder.checkpoints / "checkpoint-850")
    (folder.checkpoints / "checkpoint-850" / "clock.json").unlink()
    shutil.copytree(folder.checkpoints / "checkpoint-850", folder.checkpoints / "checkpoint-900")

    def stop(event):
        if isinstance(event, StepTaken) and event.step == 4:
            raise StoppedError

    with pytest.raises(StoppedError):
        train(run, recipe_texts[:30], recipe_texts[30:], "[END]", folder, progress=stop, checkpoint_seconds=0)
    assert {path.name for path in folder.checkpoints.glob("checkpoint-*")} == {"checkpoint-2", "checkpoint-3"}
    assert latest_intact(folder.checkpoints, COMPUTED).name == "checkpoint-3"
    assert fit(run, tmp_path, recipe_texts).costs.interruptions == 2
    assert all(torch.equal(weight, expected[name]) for name, weight in weights(folder).items())


def test_a_run_does_not_go_on_in_another_precision(stopped, tmp_path, recipe_texts, caplog):
    """As if `auto` gave fp32 on one machine and bf16 on the next: one line, and the run that starts anew."""
    run, root, _ = stopped
    shutil.copytree(root, tmp_path / "resumed", dirs_exist_ok=True)
    other = run.model_copy(update={"train": run.train.model_copy(update={"precision": "bf16"})})
    anew = fit(other, tmp_path / "anew", recipe_texts)
    folder = RunFolder(tmp_path / "resumed", other.run_id)
    RunFolder(tmp_path / "resumed", run.run_id).path.rename(folder.path)
    with caplog.at_level("WARNING", logger="toolkit.training.checkpoints"):
        resumed = fit(other, tmp_path / "resumed", recipe_texts)
    assert "was computed in fp32 on cpu, not bf16 on cpu: the run starts from its beginning" in caplog.text
    assert (resumed.costs.interruptions, resumed.precision) == (0, anew.precision)
    expected = weights(RunFolder(tmp_path / "anew", other.run_id))
    assert all(torch.equal(weight, expected[name]) for name, weight in weights(folder).items())


def test_a_checkpoint_without_the_trainers_state_is_neither_sealed_nor_intact(tmp_path, caplog):
    """An empty folder is not sealed, with one line; one that an earlier version sealed is deleted."""
    checkpoint = tmp_path / "checkpoint-820"
    checkpoint.mkdir()
    with caplog.at_level("WARNING", logger="toolkit.training.checkpoints"):
        seal(checkpoint, {"train": 1.0}, COMPUTED)
    assert list(checkpoint.iterdir()) == []
    assert caplog.messages == [f"{checkpoint} has no trainer_state.json: no run resumes from it"]
    (checkpoint / "clock.json").write_text('{"clock": {}, "files": {}}')
    assert latest_intact(tmp_path, COMPUTED) is None
    assert not checkpoint.exists()


def test_without_a_whole_checkpoint_it_starts_anew(stopped, tmp_path, recipe_texts, caplog):
    """Both checkpoints lack their optimizer: two lines, no interruption counted, and equal weights."""
    run, root, expected = stopped
    shutil.copytree(root, tmp_path, dirs_exist_ok=True)
    folder = RunFolder(tmp_path, run.run_id)
    for file in list(folder.checkpoints.glob("checkpoint-*/optimizer.pt")):
        file.unlink()
    with caplog.at_level("WARNING", logger="toolkit.training.checkpoints"):
        assert fit(run, tmp_path, recipe_texts).costs.interruptions == 0
    assert [line.rpartition(": ")[2] for line in caplog.messages] == [
        "trying checkpoint-2",
        "the run starts from its beginning",
    ]
    assert all(torch.equal(weight, expected[name]) for name, weight in weights(folder).items())
