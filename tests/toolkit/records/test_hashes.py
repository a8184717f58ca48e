"""Hashes of finished files: a changed byte is noticed, and a kill between file and hash is not one."""

from __future__ import annotations

import json
import logging

import pytest
from filelock import FileLock, Timeout

from toolkit.errors import UserError
from toolkit.records import Step, hashes, read_lines, write_lines
from toolkit.records.folders import RunFolder
from toolkit.records.run import forget_conversions, forget_run

STEPS = [Step(step=number, epoch=1.0, seconds=1.0, tokens=9, loss=2.5) for number in (1, 2)]


def test_a_changed_digit_is_refused_with_the_remedy(tmp_path):
    """A loss of 2.5 that became 3.5 fits the schema: without hashes it would be a number of the report."""
    path = tmp_path / "steps.jsonl"
    write_lines(path, STEPS, sealed=True)
    assert read_lines(path, Step) == STEPS
    path.write_text(path.read_text().replace("2.5", "3.5", 1))
    remedy = r"steps\.jsonl: it has changed since it was written; delete run\.json beside it and"
    with pytest.raises(UserError, match=remedy):
        read_lines(path, Step)


def test_what_was_written_without_hashes_is_read(tmp_path):
    """No hashes.json, or one that does not name the file."""
    write_lines(tmp_path / "steps.jsonl", STEPS)
    assert hashes.problems(tmp_path) is None
    hashes.write_sealed(tmp_path / "other", b"x")
    assert read_lines(tmp_path / "steps.jsonl", Step) == STEPS


def test_a_kill_while_a_file_is_replaced_leaves_one_that_fits(tmp_path, monkeypatch):
    """Killed before the new file is there, or just after it: either fits, a third text does not."""
    path = tmp_path / "file"
    hashes.write_sealed(path, b"old")
    writes = []

    def stop_at(number, real=hashes._write):
        def write(folder, files):
            writes.append(files)
            if len(writes) == number:
                raise KeyboardInterrupt
            real(folder, files)

        return write

    monkeypatch.setattr(hashes, "_write", stop_at(2))
    with pytest.raises(KeyboardInterrupt):
        hashes.write_sealed(path, b"new")
    assert path.read_bytes() == b"new"
    for content, changed in ((b"new", False), (b"old", False), (b"bad", True)):
        path.write_bytes(content)
        assert hashes.changed(path) is changed


def test_what_is_trained_again_loses_what_was_made_from_its_former_weights(tmp_path):
    """Of nine files an evaluation's three, a merge's two and the origin go; two lose their hashes alone."""
    folder = RunFolder(tmp_path, "run")
    evaluation = folder.evaluation("0a"), folder.outcomes("0a"), folder.statistics("0a")
    made_again = folder.steps, folder.artifact / "model.safetensors"
    merged = folder.merge, folder.merged / "model.safetensors", folder.imported
    for inner in (folder.artifact, folder.merged):
        inner.mkdir(parents=True)
    for path in (*evaluation, *made_again, *merged, folder.spec):
        path.write_text("{}")
    hashes.seal(folder.path)
    assert len(json.loads((folder.path / "hashes.json").read_text())["files"]) == 9
    forget_run(folder)
    assert not any(path.exists() for path in (*evaluation, *merged))
    assert all(path.exists() for path in (*made_again, folder.spec))
    assert json.loads((folder.path / "hashes.json").read_text())["files"].keys() == {"spec.yaml"}
    assert hashes.problems(folder.path) == {}


def test_what_is_trained_again_is_converted_again(tmp_path):
    """Of three conversions the two of this run lose their record, one with a line that YAML has broken."""
    folder = RunFolder(tmp_path, "run.s0.1")
    texts = {
        "run.s0.1": "seed: 0\n", "merged": "converts: run.s0.1\n", "broken": "converts: \n  run.s0.1\n",
        "other": "converts: run.s0.11\n",
    }  # fmt: skip
    for name, text in texts.items():
        (tmp_path / "runs" / name).mkdir(parents=True, exist_ok=True)
        hashes.write_sealed(tmp_path / "runs" / name / "spec.yaml", f"a: 1\n{text}b: 2\n".encode())
        hashes.write_sealed(tmp_path / "runs" / name / "run.json", b"{}")
    forget_conversions(folder)
    assert {name: (tmp_path / "runs" / name / "run.json").is_file() for name in texts} == {
        "run.s0.1": True, "merged": False, "broken": False, "other": True,
    }  # fmt: skip
    assert hashes.problems(tmp_path / "runs" / "merged") == {}


def test_a_folder_of_weights_that_was_deleted_is_no_damage_but_one_missing_file_is(tmp_path):
    """Weights may be removed to save space; half of them is damage."""
    (tmp_path / "artifact").mkdir()
    files = [tmp_path / "artifact" / name for name in ("a", "b")]
    for file in files:
        file.write_bytes(b"weights")
    hashes.seal(tmp_path, files)
    files[0].unlink()
    assert hashes.problems(tmp_path) == {"artifact/a": "is missing"}
    with pytest.raises(UserError, match=r"artifact/a: it is missing; delete .*run\.json"):
        hashes.check_folder(tmp_path, "artifact")
    files[1].unlink()
    (tmp_path / "artifact").rmdir()
    assert hashes.problems(tmp_path) == {}


def test_damaged_hashes_are_one_line(tmp_path):
    """Not JSON, a list, a number for a hash's list."""
    hashes.write_sealed(tmp_path / "file", b"x")
    for text in ("{", "[]", json.dumps({"files": {"file": 3}})):
        (tmp_path / hashes.FILE).write_text(text)
        with pytest.raises(UserError, match=r"hashes\.json is damaged: delete it"):
            hashes.check(tmp_path / "file")


def test_a_cache_that_changed_is_named_and_removed(tmp_path, caplog):
    """One that did not, stays."""
    folder = tmp_path / "cache"
    folder.mkdir()
    (folder / "arrays").write_bytes(b"1234")
    hashes.seal(folder)
    hashes.discard_damaged(folder)
    assert folder.is_dir()
    (folder / "arrays").write_bytes(b"1235")
    with caplog.at_level(logging.WARNING):
        hashes.discard_damaged(folder)
    assert not folder.exists()
    assert "arrays has changed since it was written: its folder is made again" in caplog.text


def test_files_are_put_in_place_and_sealed_while_nobody_else_replaces_them(tmp_path):
    """While one process places its report, another that would seal its own waits."""
    report = tmp_path / "report"

    def place():
        report.mkdir()
        (report / "page").write_text("mine")
        with pytest.raises(Timeout):
            FileLock(tmp_path / hashes.LOCK).acquire(timeout=0)

    hashes.seal(tmp_path, (path for path in report.rglob("*")), place=place)
    assert hashes.problems(tmp_path, "report/") == {}
    (report / "page").write_text("other")
    assert list(hashes.problems(tmp_path, "report/")) == ["report/page"]
