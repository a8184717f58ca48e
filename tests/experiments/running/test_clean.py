"""Cleaning: what can go is listed with its size, and nothing else is ever removed."""

from __future__ import annotations

import os
from contextlib import ExitStack

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
    os.utime(tmp_path / "runs/done/.eval-a.json.k2j", (0, 0))
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
    assert sum(item.bytes for item in remove(removable(root, failed=True, data=True))) == 24
    names = {path.name for path in root.rglob("*") if path.is_file()}
    assert {"run.json", "model.safetensors", "comparisons.json", ".gitignore"} <= names
    assert not names & {"failed.json", "rows", ".eval-a.json.k2j"}
    assert listed(root, failed=True, data=True) == []


def test_a_run_in_progress_is_left_alone(root):
    """Its lock is held: none of its files is listed."""
    with FileLock(root / "runs/done/.lock"):
        assert listed(root) == []


def test_what_a_process_has_begun_to_work_on_since_it_was_listed_stays(root):
    """The locks of the finished run, of the failed one and of the data are held, then released: 24 bytes go.

    A failed run that has finished meanwhile stays for good, 20 bytes go.
    """
    items = removable(root, failed=True, data=True)
    locks = [FileLock(root / f"runs/{name}") for name in ("done/.lock", "broken/.lock", ".data/d1.lock")]
    with ExitStack() as held:
        for lock in locks:
            held.enter_context(lock)
        assert remove(items) == []
    assert listed(root, failed=True, data=True) == [(i.kind, i.path.name, i.bytes) for i in items]
    (root / "runs/broken/run.json").write_text("{}")
    assert [item.kind for item in remove(items)] == ["checkpoints", "temporary", "data"]
    assert (root / "runs/broken/failed.json").is_file()


def test_a_temporary_file_is_left_for_an_hour(root):
    """One that was written to in the future, whatever the clock: a file, and a folder that holds one."""
    later = 2**32
    for name in ("runs/done/.eval-a.json.k2j", "runs/.data/.corpus-1.x2/texts", "results/s/.report.y1/page"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("abc")
        os.utime(path, (later, later))
    assert listed(root, data=True) == [("checkpoints", "checkpoints", 10), ("data", "d1", 7)]
    for path in (root / "results/s/.report.y1/page", root / "results/s/.report.y1"):
        os.utime(path, (0, 0))
    assert ("temporary", ".report.y1", 3) in listed(root)


def test_temporary_files_of_figures_and_taste_tests_can_go(root):
    """A figure whose process was killed, and a page of pairs."""
    for name in ("figures/.metrics.png.x1", "taste/.taste.html.x2"):
        path = root / "results/s" / name
        path.parent.mkdir()
        path.write_text("abc")
        os.utime(path, (0, 0))
    assert {name for _, name, _ in listed(root)} >= {".metrics.png.x1", ".taste.html.x2"}


def test_the_command_removes_only_on_yes(root, capsys):
    """Without --yes it lists 13 bytes and removes nothing; with it they are gone."""
    for options, left in (([], True), (["--yes"], False)):
        with pytest.raises(SystemExit) as ended:
            main(["clean", "--root", str(root), *options])
        assert ended.value.code == 0
        assert (root / "runs/done/checkpoints").exists() is left
    assert "--yes" in capsys.readouterr().out
