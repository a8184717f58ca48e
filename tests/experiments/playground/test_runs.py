"""The runs that pages show: the first of each method, of one condition, by one rule for all pages."""

from __future__ import annotations

import shutil

import pytest

from experiments.cli import main
from experiments.playground.runs import first_runs
from experiments.playground.taste.page import read_key, write_page
from toolkit.errors import UserError
from toolkit.records import Cell, Conclusions, hashes


def cell(method: str, phase: str, seed: int = 0, *, size: int = 100, status: str = "finished") -> Cell:
    """A cell of a study with one base model and data set."""
    return Cell(
        base_model="b", dataset="d", train_size=size, epochs=1.0, method=method, learning_rate=None,
        seed=seed, tuned=False, phase=phase, run_id=f"{method}.{phase}.s{seed}.{size}", eval_digest=None,
        status=status,
    )  # fmt: skip


CELLS = (
    cell("full", "tune", 1000),
    cell("full", "confirm", 0, status="failed"),
    cell("full", "confirm", 1),
    cell("lora", "confirm", 0),
    cell("lora", "confirm", 1),
    cell("lora", "confirm", 0, size=200),
    cell("base", "base"),
)


def shown(conclusions: Conclusions, *methods: str, with_base: bool = False) -> list[str]:
    """The ids of the runs that a page shows."""
    return [one.run_id for one in first_runs(conclusions, "page", methods, with_base=with_base)]


def test_each_method_has_its_first_finished_run_of_one_condition(done):
    """Of seven cells three: the base first, full's second seed as its first failed, LoRA's first seed."""
    conclusions = done[1].model_copy(update={"study": "s", "cells": CELLS})
    assert shown(conclusions) == ["base.base.s0.100", "full.confirm.s1.100", "lora.confirm.s0.100"]
    assert shown(conclusions, "lora") == ["lora.confirm.s0.100"]
    assert shown(conclusions, "lora", with_base=True) == ["base.base.s0.100", "lora.confirm.s0.100"]
    assert shown(conclusions, "base", with_base=True) == ["base.base.s0.100"]
    with pytest.raises(UserError, match=r"page: 'dora' has no finished run. Finished: base, full, lora$"):
        shown(conclusions, "dora")
    with pytest.raises(UserError, match="page: study 's' has no finished run yet"):
        shown(conclusions.model_copy(update={"cells": CELLS[:2]}))


def test_a_taste_test_is_drawn_from_the_texts_of_a_study(done):
    """Three methods are three couples; a pair needs two different texts, so at most 6 prompts for each."""
    root, conclusions, _ = done
    written = write_page(conclusions, root, question="Which?", seed=0, most=None)
    test, key = read_key(root, "small", written.test.taste_test)
    assert test == written.test
    assert test.methods == ("base", "full", "lora-r16")
    assert 1 <= test.pairs == len(key) <= 18
    assert "lora-r16" not in written.page.read_text(encoding="utf-8")
    two = write_page(conclusions, root, question="Which?", seed=0, most=None, methods=["full", "base"])
    assert two.test.methods == ("base", "full")
    assert read_key(root, "small", written.test.taste_test) == (
        test,
        key,
    )  # its votes may come after the new page
    assert read_key(root, "small", two.test.taste_test)[0] == two.test


def test_other_texts_are_another_taste_test(done, tmp_path):
    """One method is evaluated again and writes otherwise; the first pair may be of two others."""
    root, conclusions, _ = done
    shutil.copytree(root, tmp_path, dirs_exist_ok=True)
    drawn = {"question": "Which?", "seed": 0, "most": None}
    before = write_page(conclusions, tmp_path, **drawn).test.taste_test
    for cell in conclusions.cells:
        first = read_key(tmp_path, "small", before)[1][0]
        if cell.method in (first.left, first.right):
            continue
        path = tmp_path / "runs" / cell.run_id / f"eval-{cell.eval_digest}.jsonl"
        hashes.write_sealed(path, path.read_bytes().replace(b'"text": "', b'"text": "x'))
    after = write_page(conclusions, tmp_path, **drawn).test.taste_test
    assert after != before
    assert read_key(tmp_path, "small", before)[0].taste_test == before


def test_another_question_is_another_taste_test(done):
    """The same pairs: votes on one question are not counted with those on the other."""
    root, conclusions, _ = done
    drawn = {"seed": 0, "most": None}
    tasty = write_page(conclusions, root, question="Which is tastier?", baseline="lora-r16", **drawn)
    clear = write_page(conclusions, root, question="Which is clearer?", **drawn)
    assert tasty.test.taste_test != clear.test.taste_test
    assert read_key(root, "small", tasty.test.taste_test)[0].question == "Which is tastier?"
    assert (tasty.test.baseline, clear.test.baseline) == ("lora-r16", "full")


def test_reading_votes_takes_no_option_of_a_page(done, capsys):
    """`--pairs` and `--question` with `--votes` would do nothing: one line reports it."""
    root, _, _ = done
    with pytest.raises(SystemExit) as ended:
        main(["taste", "small", "--votes", "v.json", "--pairs", "9", "--question", "?", "--root", str(root)])
    assert ended.value.code == 2
    assert "taste: --pairs, --question belong to a page that is written" in capsys.readouterr().err
