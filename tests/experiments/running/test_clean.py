"""Cleaning: what can go is listed with its size, and nothing else is ever removed."""

from __future__ import annotations

import pytest
from filelock import FileLock

from experiments.cli import main
from experiments.running.clean import removable, remove


@pytest.fixture
def root(tmp_path):
    """A finished run with checkpoints (10 bytes) and a leftover (3), a failed run (4), and data (7)."""
    files = {
        "runs/done/run.json": "{}", "runs/done/artifact/model.safetensors": "x" * 99,
        "runs/done/checkpoints/checkpoint-2/model.safetensors": "x" * 10, "runs/done/.eval-a.json.k2j": "abc",
        "runs/broken/failed.json": "{..}", "runs/.data/d1/rows": "x" * 7, "runs/.gitignore": "*",
        "results/s/comparisons.json": "{}",
    }  # fmt: skip
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def listed(root, **options):
    """Kind, name and bytes of what can go."""
    return [(item.kind, item.path.name, item.bytes) for item in removable(root, **options)]


def test_checkpoints_of_finished_runs_and_leftovers_can_go(root):
    """10 and 3 bytes; failed runs and data only if asked for, 4 and 7 bytes."""
    always = [("checkpoints", "checkpoints", 10), ("temporary", ".eval-a.json.k2j", 3)]
    assert listed(root) == always
    assert listed(root, failed=True, data=True) == [("failed", "broken", 4), *always, ("data", "d1", 7)]


def test_what_is_listed_is_removed_and_the_rest_stays(root):
    """24 bytes in all; the record, the weights and the conclusions stay."""
    assert remove(removable(root, failed=True, data=True)) == 24
    names = {path.name for path in root.rglob("*") if path.is_file()}
    assert {"run.json", "model.safetensors", "comparisons.json", ".gitignore"} <= names
    assert not names & {"failed.json", "rows", ".eval-a.json.k2j"}
    assert listed(root, failed=True, data=True) == []


def test_a_run_in_progress_is_left_alone(root):
    """Its lock is held: none of its files is listed."""
    with FileLock(root / "runs/done/.lock"):
        assert listed(root) == []


def test_the_command_removes_only_on_yes(root, capsys):
    """Without --yes it lists 13 bytes and removes nothing; with it they are gone."""
    for options, left in (([], True), (["--yes"], False)):
        with pytest.raises(SystemExit) as ended:
            main(["clean", "--root", str(root), *options])
        assert ended.value.code == 0
        assert (root / "runs/done/checkpoints").exists() is left
    assert "--yes" in capsys.readouterr().out
