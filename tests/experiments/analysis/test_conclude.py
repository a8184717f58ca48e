"""Concluding a study: its records are read once and handed on to the report."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from pathlib import Path

import pytest

from experiments.analysis.conclude import conclude, read
from experiments.design import study
from experiments.design.study_state import StudyState
from figures.report.page import build
from tests.experiments.small import asked
from toolkit.errors import UserError


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("anwsers", "Did you mean 'answers'"),
        ("results/rank-sweep", "Did you mean 'rank-sweep'"),
        ("answers", "`bakeoff run answers` makes them"),
    ],
)
def test_a_study_without_results_is_told_with_the_nearest_name(tmp_path, name, remedy):
    """No command that would fail next is named."""
    with pytest.raises(UserError, match=rf"no results of study '{name}' in .*results\. {remedy}"):
        read(tmp_path, name)


def test_an_evaluation_that_could_not_be_brought_up_to_date_is_not_concluded(run_once, tmp_path, tiny_gpt2):
    """The base was measured against 12 training documents, and measuring it against 13 failed: no number."""
    shutil.copytree(run_once[0], tmp_path, dirs_exist_ok=True)
    study_state = StudyState(
        study.load("quickstart", asked(tiny_gpt2, "small", "data.train=13")), tmp_path
    ).prepare()
    base, *_ = study_state.cells()
    (cell,) = conclude(study_state, [base], {base.run.run_id: "the metric broke"}).conclusions.cells
    assert (cell.status, cell.error, cell.eval_digest) == ("failed", "the metric broke", None)


def test_conclusions_and_report_open_each_file_of_a_run_once(done, tiny_gpt2, monkeypatch):
    """3 runs: run.json, hashes, evaluation, outcomes, statistics; 2 steps.jsonl, as the base has no steps."""
    root, before, _ = done
    study_state = StudyState(study.load("quickstart", asked(tiny_gpt2, "small")), root).prepare()
    planned = study_state.cells()
    opened: Counter[Path] = Counter()
    original = Path.open

    def counted(path, mode="r", *arguments, **options):
        if "w" not in mode:
            opened[path] += 1
        return original(path, mode, *arguments, **options)

    monkeypatch.setattr(Path, "open", counted)
    concluded = conclude(study_state, planned, {})
    build(root / "results" / "small", root, concluded.records)
    files = [path for path in opened if path.parent.parent == root / "runs"]
    kinds = Counter(re.split(r"[-.]", path.name)[0] + path.suffix for path in files)
    once = {"run.json": 3, "eval.json": 3, "eval.jsonl": 3, "statistics.jsonl": 3, "steps.jsonl": 2}
    assert kinds == {**once, "hashes.json": 3}
    assert {opened[path] for path in files if path.name != "hashes.json"} == {1}
    assert concluded.conclusions == before
