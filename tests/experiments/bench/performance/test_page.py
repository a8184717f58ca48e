"""The pages hold every result as a table and a figure, and name what was not measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.bench.performance import gpu_page, page, pictures, results
from experiments.bench.performance.parts import PARTS
from experiments.bench.performance.results import PartResult
from experiments.bench.performance.sections import SECTIONS
from tests.experiments.bench.performance.made_up import ENVIRONMENT, every_result, result
from toolkit.errors import UserError

ROOT = Path(__file__).parents[4]


def test_every_result_is_a_table_and_a_figure(tmp_path):
    """648 tokens per second of full fine-tuning at 40 % of a matrix product, and a figure per section."""
    page.write(tmp_path / "performance.md", Path("kept"), every_result())
    text = (tmp_path / "performance.md").read_text(encoding="utf-8")
    assert "| bakeoff, full | 648 | 40% | 3.00 | – | 0.912 |" in text
    assert "| tutorial's notebook | 72 | – | 3.00 | 99.0 | 0.912 |" in text
    assert "| 2,000,000 | 4,000 | 500.0 | 0.50 | 99.50% | 0 |" in text
    assert "| run | imports | probing | step | in all (s) | without the step (s) |" in text
    assert "| script | 5.0 | – | 4.5 | 9.6 | 5.1 |" in text
    assert "*TRL, tuned*: `packing=True`, `learning_rate=0.0001`." in text
    assert "on a third of the recipes (–: failed):\n\n- defaults: 140\n- `packing=True`: 208\n" in text
    assert "| 128 | bakeoff, bf16 | 520.0 | 2.00 |" in text
    assert "| bakeoff, fp32 | 600 | 2.00 |" in text
    assert "| 1 | full | 420 | 400 to 450 | – | 4.00 |" in text
    assert "| full | 300 | 400 to 450 | 1.40 | 6.00 | 1.50 |" in text
    assert "- Machine: CPU: made-up, 2 cores, 25 GB\n" in text
    assert "Medians of 3 repetitions, by `bakeoff bench growth size`." in text
    assert text.endswith("## Not measured\n\nNothing is missing.\n")
    drawn = sorted(file.stem for file in (tmp_path / "performance").glob("*.png"))
    assert drawn == sorted(section.name for section in SECTIONS)
    assert all(f"](performance/{name}.png)" in text for name in drawn)


def test_likelihoods_are_drawn_in_the_baselines_precision_too(tmp_path, monkeypatch):
    """Studies score in fp32, as the baseline does: bf16 alone would show another comparison."""
    tables = []
    draw = pictures.speed.speeds
    monkeypatch.setattr(pictures.speed, "speeds", lambda table, ax: tables.append(table) or draw(table, ax))
    (section,) = (one for one in SECTIONS if one.name == "likelihood")
    assert pictures.picture(section, [result("likelihood")], tmp_path).is_file()
    (table,) = tables
    assert dict(zip(table["label"], table["value"], strict=True)) == {
        "baseline": 300.0,
        "bakeoff, fp32": 600.0,
        "bakeoff, bf16": 1500.0,
    }


def test_every_part_is_in_one_section():
    """None is measured and not shown."""
    assert sorted(name for s in SECTIONS for name in s.parts) == sorted(part.name for part in PARTS)


def test_what_is_missing_is_named_with_its_reason(tmp_path):
    """Statistics are measured; training failed for a reason; the rest is not measured yet."""
    found = {"stats": result("stats")}
    text = page.text(tmp_path / "p.md", Path("kept"), found, {"train": "exit code 1: no luck"})
    assert "- `bakeoff bench train`: exit code 1: no luck\n" in text
    assert "- `bakeoff bench growth jobs`\n" in text
    assert "`bakeoff bench stats`\n" not in text.partition("## Not measured")[2]


def test_a_trial_says_that_its_numbers_are_none(tmp_path):
    """The command is not the part's own."""
    quick = next(part for part in PARTS if part.name == "stats").command(True)
    text = page.text(tmp_path / "p.md", Path("x"), {"stats": result("stats", command=quick)}, {})
    assert "A trial at toy size" in text
    assert "A trial" not in page.text(tmp_path / "p.md", Path("x"), {"stats": result("stats")}, {})


def test_sizes_of_data_measured_on_two_machines_are_not_drawn_together(tmp_path):
    """The figure refuses; tables alone would hide it."""
    found = {
        "data-50k": result("data-50k"),
        "data-200k": result("data-200k", environment={**ENVIRONMENT, "device": "another"}),
    }
    with pytest.raises(UserError, match="two of machine"):
        page.write(tmp_path / "p.md", Path("x"), found)


def test_what_this_machine_lacks_comes_from_another_and_is_said_to(tmp_path):
    """Statistics are measured here and elsewhere, one size of data here, generation elsewhere."""
    machines = {"cpu-here": "CPU: here", "cpu-other": "CPU: other", "a-gpu": "a GPU"}
    of = {
        "cpu-here": ["stats", "data-50k"],
        "cpu-other": ["stats", "data-200k", "generate"],
        "a-gpu": ["start"],
    }
    for name, parts in of.items():
        for part in parts:
            (tmp_path / name).mkdir(exist_ok=True)
            environment = {**ENVIRONMENT, "device": machines[name]}
            result(part, environment=environment).write(tmp_path / name / f"{part}.json")
    here = tmp_path / "cpu-here"
    found = results.with_other_machines(
        here, results.read_all(here, quick=False), [section.parts for section in SECTIONS]
    )
    assert {name: one.device for name, one in found.items()} == {
        "stats": "CPU: here", "data-50k": "CPU: here", "generate": "CPU: other"
    }  # fmt: skip
    page.write(tmp_path / "p.md", here, found)
    text = (tmp_path / "p.md").read_text(encoding="utf-8")
    assert "cpu-here`, with those of other machines beside it." in text
    assert "Measured once on CPU: other, by `bakeoff bench generate`" in text
    assert "Measured once on CPU: here, by `bakeoff bench stats`" in text
    assert "- `bakeoff bench start`\n" in text


def test_without_a_gpu_the_page_says_not_yet_run(tmp_path):
    """With the exact command, and minutes marked as estimates."""
    text = gpu_page.text(tmp_path / "gpu.md", Path("x"), {}, {})
    assert "**Not yet run.**" in text
    assert "```console\n$ make gpu\n```" in text
    assert "estimated minutes" in text
    assert "without the parts about CPUs and the largest data files | 26 | – | not yet run |" in text


def other(**changes: object) -> PartResult:
    """The result of a step that is no part of `bench all`."""
    return result("stats").model_copy(update=changes)


def test_the_gpus_page_has_steps_quickstart_and_benches(tmp_path):
    """Tests 60 s: 1.0 minutes; a run with the allocator's peak of 2.5 GB, not its process's."""
    tests = other(part="tests", measured={"passed": 7, "skipped": 1})
    run = {
        "method": "full", "precision": "bf16 compute", "supervised_tokens_per_second": 9000.0,
        "train_seconds": 4.0, "peak_memory_bytes": 9e9, "cuda_allocated_bytes": 2.5e9,
        "validation_bits_per_byte": 0.8,
    }  # fmt: skip
    cells = ["finished", "finished", "failed"]
    study = other(part="quickstart", measured={"runs": [run], "cells": cells})
    found = {"tests": tests, "quickstart": study, "stats": result("stats")}
    text = gpu_page.text(tmp_path / "gpu.md", Path("kept"), found, {"train": "no time left"})
    assert "Run on: CPU: made-up, 2 cores." in text
    assert "| tests | `pytest -m gpu` | 2 | 1.0 | 7 passed, 1 skipped |" in text
    assert "| 4 | 1.0 | 2 of 3 cells finished |" in text
    assert "| full | bf16 compute | 9,000 | 4.0 | 2.50 | 0.800 |" in text
    assert "## Statistics" in text
    assert "- train: no time left\n" in text
    assert (tmp_path / "gpu" / "stats.png").is_file()


def test_the_published_pages_are_those_of_the_published_results(tmp_path):
    """Nothing in them is typed by hand; a page without results is what is written without any."""
    published = (ROOT / "docs/performance.md").read_text(encoding="utf-8")
    kept = ROOT / published.partition("Results: `")[2].partition("`")[0]
    groups = [section.parts for section in SECTIONS]
    found = results.with_other_machines(kept, results.read_all(kept, quick=False), groups)
    assert published == page.text(tmp_path / "performance.md", results.FOLDER / kept.name, found, {})
    if "Not yet run" in (ROOT / "docs/gpu.md").read_text(encoding="utf-8"):
        without = gpu_page.text(gpu_page.PAGE, results.FOLDER, {}, {})
        assert (ROOT / "docs/gpu.md").read_text(encoding="utf-8") == without
