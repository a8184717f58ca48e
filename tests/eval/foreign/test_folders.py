"""Folders of other tools' results: what is one run, and what is refused because it may be several."""

from __future__ import annotations

import json

import pytest

from eval.foreign import read
from toolkit.errors import UserError


def samples(folder, task, value, date="2026-06-23T10-00-00.1"):
    """A samples file of lm-evaluation-harness with one document."""
    folder.mkdir(parents=True, exist_ok=True)
    row = {"doc_id": 0, "target": "x", "metrics": ["acc"], "acc": value}
    (folder / f"samples_{task}_{date}.jsonl").write_text(json.dumps(row) + "\n")


def test_folders_of_one_task_are_seeds_or_models_that_have_to_be_given_one_by_one(tmp_path):
    """Two folders with arc: refused with both names. Two tasks in two folders, of one an older file: two."""
    samples(tmp_path / "s0", "arc", 0.0)
    samples(tmp_path / "s1", "arc", 1.0)
    with pytest.raises(UserError, match=r"'arc' in 2 folders, such as .*s0 and .*s1: .* name=path,path"):
        read(tmp_path)
    samples(tmp_path / "one" / "a", "arc", 0.0)
    samples(tmp_path / "one" / "a", "arc", 1.0, date="2026-06-24T10-00-00.1")
    samples(tmp_path / "one" / "b", "boolq", 1.0)
    found = [(s.task, s.statistics.tolist()) for s in read(tmp_path / "one")]
    assert found == [("arc", [[1, 1]]), ("boolq", [[1, 1]])]
