"""A study of two training sizes from end to end on a tiny model: each size is judged on its own."""

from __future__ import annotations

import io

from rich.console import Console

from experiments.design import study
from experiments.running.board import Board
from experiments.running.runner import bring_up_to_date
from figures.report.page import build

SIZES = [
    "name=sizes",
    "dataset=wikibooks",
    "data={train: [8, 12], validation: 4, test: 6, max_characters: 320}",
    "train={batch_tokens: 1024, validations: 1, precision: fp32}",
    "evaluate={max_new_tokens: 8}",
    "methods={full: 1e-3}",
    "claims=[too-little-rank-falls-off]",
]


def test_two_sizes_are_two_conditions_with_one_anchor_run(tmp_path, tiny_gpt2):
    """The base is run once and stands in both; 2 sizes x 3 metrics against it; a figure across the sizes."""
    asked = study.load("quickstart", [f"base_models={{name: tiny, folder: '{tiny_gpt2}'}}", *SIZES])
    with Board(Console(file=io.StringIO(), width=200)) as board:
        conclusions = bring_up_to_date(asked, tmp_path, board).conclusions
    assert [(c.method, c.train_size, c.epochs, c.status) for c in conclusions.cells] == [
        ("base", 8, 1.0, "finished"),
        ("base", 12, 1.0, "finished"),
        ("full", 8, 1.0, "finished"),
        ("full", 12, 1.0, "finished"),
    ]
    assert len({cell.run_id for cell in conclusions.cells}) == 3
    assert [c.train_size for c in conclusions.comparisons] == [8] * 3 + [12] * 3
    values = {
        e.train_size: e.value for e in conclusions.estimates if (e.method, e.metric) == ("base", "bleu")
    }
    assert values[8] == values[12]
    assert {finding.train_size for finding in conclusions.audit} == {8, 12}
    assert "refused" not in {finding.status for finding in conclusions.audit}
    assert [(claim.train_size, claim.verdict) for claim in conclusions.claims] == [
        (8, "undecided"),
        (12, "undecided"),
    ]
    page = build(tmp_path / "results" / "sizes", tmp_path)
    assert (page.parent / "figures" / "train-size-sweep.pdf").is_file()
    assert "LoRA of too low a rank is worse" in page.read_text(encoding="utf-8")
