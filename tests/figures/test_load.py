"""Records become tidy tables, or one line says why they may not."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from figures.tidy import load as loading
from figures.tidy.load import load
from toolkit.errors import UserError
from toolkit.records.folders import RunFolder

Make = Callable[..., tuple[Path, Path]]


def test_every_run_and_metric_is_one_row(make_study: Make) -> None:
    """Base with one seed and two methods with three: (1 + 2 x 3) runs x 5 metrics = 35 rows."""
    tables = load(*make_study(seeds=3, tuned=True))
    assert len(tables.scores) == 35
    assert tables.panels == [("smollm2-135m-embedded", "wikibooks", None, None)]
    assert set(tables.scores["documents"]) == {40}


def test_a_search_for_learning_rates_is_in_costs_and_not_in_scores(make_study: Make) -> None:
    """Three rates for each of two methods are tried at one seed: 6 tuning rows; scores stay at 3 runs x 5."""
    tables = load(*make_study(rates=3, tuned=True))
    assert (tables.costs["phase"] == "tune").sum() == 6
    assert len(tables.scores) == 15


def test_untuned_is_said_of_methods_and_never_of_the_base(make_study: Make) -> None:
    """Two methods and the base; only the methods have a learning rate that could have been searched for."""
    raw, searched = load(*make_study()), load(*make_study(tuned=True))
    untuned = raw.scores.groupby("method")["untuned"].first()
    assert dict(untuned) == {"base": False, "full": True, "lora-r16": True}
    assert not searched.scores["untuned"].any()
    assert raw.comparisons.loc[raw.comparisons["baseline"] == "full", "baseline_untuned"].all()


def test_two_test_parts_in_one_panel_are_refused(make_study: Make) -> None:
    """LoRA was scored on `ffff`, the others on `7e577e57`: one line names both and who has which."""
    folder, root = make_study(tests={"lora-r16": "ffff"})
    with pytest.raises(UserError, match=r"more than one test part: 7e577e57 \(base\), ffff \(lora-r16\)"):
        load(folder, root)


def test_one_metric_computed_in_two_ways_is_refused(make_study: Make) -> None:
    """BLEU of one run has another signature than that of the rest."""
    folder, root = make_study()
    paths = sorted(root.glob("runs/*lora*/eval-*.json"))
    paths[0].write_text(paths[0].read_text().replace("bleu|v1", "bleu|v2"))
    with pytest.raises(UserError, match=r"more than one signature of bleu"):
        load(folder, root)


def test_a_study_that_was_never_run_says_which_command_to_give(tmp_path: Path) -> None:
    """No comparisons.json."""
    with pytest.raises(UserError, match=r"holds no comparisons.json. Run `bakeoff run quick` first"):
        load(tmp_path / "results" / "quick", tmp_path)


def test_a_missing_evaluation_is_named(make_study: Make) -> None:
    """The base's evaluation was deleted."""
    folder, root = make_study()
    (path,) = root.glob("runs/*base*/eval-*.json")
    path.unlink()
    with pytest.raises(UserError, match=r"cannot read .*eval-e0e0e0.json"):
        load(folder, root)


def test_units_come_from_the_evaluations_where_conclusions_lack_them(make_study: Make) -> None:
    """comparisons.json without any unit: compliance is a share all the same."""
    folder, root = make_study()
    path = folder / "comparisons.json"
    lines = [line for line in path.read_text().splitlines() if '"unit":' not in line]
    assert len(lines) < len(path.read_text().splitlines())
    path.write_text("\n".join(lines).replace('",\n  }', '"\n  }').replace("null,\n  }", "null\n  }"))
    pairs = load(folder, root).comparisons
    assert set(pairs[pairs["metric"] == "structure_compliance"]["unit"]) == {"share"}


def test_steps_name_the_rate_of_the_step_apart_from_that_of_the_run(make_study: Make) -> None:
    """A run at 1e-3 whose steps were taken at 1e-4: two columns."""
    steps = load(*make_study()).steps
    lora = steps[(steps["method"] == "lora-r16") & steps["loss"].notna()]
    assert set(lora["learning_rate"]) == {1e-3}
    assert set(lora["step_learning_rate"]) == {1e-4}


def test_generations_are_those_of_the_lowest_seed(make_study: Make) -> None:
    """Three seeds, one of them read: 3 methods x 40 documents."""
    texts = load(*make_study(seeds=3)).generations
    assert len(texts) == 120
    assert set(texts["seed"]) == {0}


def test_a_failed_run_leaves_the_others_their_results(make_study: Make) -> None:
    """LoRA crashed before it left a record; base and full keep 2 x 5 rows."""
    folder, root = make_study()
    path = folder / "comparisons.json"
    conclusions = loading.Conclusions.read(path)
    cells = tuple(
        cell.model_copy(update={"status": "failed", "eval_digest": None, "error": "out of memory"})
        if cell.method == "lora-r16"
        else cell
        for cell in conclusions.cells
    )
    conclusions.model_copy(update={"cells": cells}).write(path)
    lora = next(cell.run_id for cell in cells if cell.method == "lora-r16")
    RunFolder(root, lora).record.unlink()
    assert len(load(folder, root).scores) == 10


def test_importing_any_of_it_loads_no_torch() -> None:
    """A fresh interpreter imports the report and looks at its modules."""
    code = (
        "import figures.report.page, sys; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
