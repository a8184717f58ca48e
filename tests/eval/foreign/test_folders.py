"""Folders of other tools' results: what is one run, and what is refused because it may be several."""

from __future__ import annotations

import json

import pytest

from eval.foreign import read
from eval.foreign.judge import judge
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


def scores(path, rows):
    """A CSV of models, seeds and scores of two items, 0 and 1."""
    lines = [f"{item},{model},{seed},{item}" for model, seed in rows for item in (0, 1)]
    path.write_text("item,model,seed,score\n" + "\n".join(lines) + "\n")
    return read(path)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ((("x", ""), ("y", "")), "'x' and 'y', with unknown seeds: give one side per model"),
        ((("x", "0"), ("x", "1"), ("y", "1")), "'x' and 'y', both with seed 1: give one side per model"),
    ],
)
def test_models_of_one_file_are_not_the_seeds_of_a_side(rows, words, tmp_path):
    """Two models without seeds, or of which one has a seed of the other: a line with both names."""
    ours, theirs = scores(tmp_path / "a.csv", rows), scores(tmp_path / "b.csv", [("x", "0")])
    with pytest.raises(UserError, match=f"a: score of items holds the models {words}"):
        judge({"a": ours, "b": theirs}, "b")


def test_models_named_by_seed_are_seeds(tmp_path):
    """`x0` with seed 0 and `x1` with seed 1 are two seeds; so are files without seeds, given one by one."""
    pair = scores(tmp_path / "a.csv", [("x0", "0"), ("x1", "1")])
    (one,) = judge({"a": pair, "b": pair}, "b").comparisons
    assert one.seeds == 2
    apart = [*scores(tmp_path / "c.csv", [("x", "")]), *scores(tmp_path / "d.csv", [("y", "")])]
    (one,) = judge({"a": apart, "b": apart}, "b").comparisons
    assert one.seeds == 2


def instance(model, **metadata):
    """A line of Every Eval Ever with one score."""
    line = {"evaluation_id": "e", "model_id": model, "evaluation_name": "t", "sample_id": "1", "input": {}}
    return json.dumps({**line, "metadata": metadata, "evaluation": {"score": 1.0, "is_correct": True}}) + "\n"


def test_a_folder_of_two_models_instances_is_refused(tmp_path):
    """Every Eval Ever keeps a file per model: a folder above two of them is no side."""
    for model in "xy":
        (tmp_path / f"{model}_samples.jsonl").write_text(instance(model))
    with pytest.raises(UserError, match="score of t holds the models 'x' and 'y', with unknown seeds"):
        read(tmp_path)


def test_our_own_export_of_a_study_is_no_side(tmp_path):
    """Full fine-tuning and LoRA, both with seed 0, are in one file: a line that names both runs."""
    path = tmp_path / "study.jsonl"
    path.write_text("".join(instance(f"bakeoff/{run}", seed="0", metric="bleu") for run in ("full", "lora")))
    found = read(path)
    with pytest.raises(UserError, match="'bakeoff/full' and 'bakeoff/lora', both with seed 0: give one side"):
        judge({"a": found, "b": found}, "b")
