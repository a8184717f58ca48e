"""`make gpu` refuses without a GPU, counts its tests, and each of its steps runs at toy size."""

from __future__ import annotations

import pytest

from experiments.bench.performance import gpu, results
from experiments.bench.performance.parts import for_gpu
from experiments.bench.performance.sections import SECTIONS
from tests.experiments.bench.performance.made_up import ENVIRONMENT
from toolkit.errors import UserError


def test_without_a_gpu_it_is_refused_before_anything_is_run(monkeypatch, tmp_path):
    """The environment names no CUDA: the error says what torch is here, and the page stays."""
    monkeypatch.setattr(results, "environment", lambda: ENVIRONMENT)
    page = tmp_path / "gpu.md"
    with pytest.raises(UserError, match=r"torch 2\.13\.0 sees no CUDA device here"):
        gpu.run(print, page=page, parent=tmp_path / "kept")
    assert not page.exists()
    assert not (tmp_path / "kept").exists()


def test_tests_are_counted_and_failing_ones_named():
    """Three cases, one skipped: two passed. With a failure its name; without any case nothing was tested."""
    passed, skipped = '<testcase name="a"/><testcase name="b"/>', '<testcase name="c"><skipped/></testcase>'
    assert gpu.counts(f"<suite>{passed}{skipped}</suite>") == {"passed": 2, "skipped": 1}
    with pytest.raises(UserError, match="tests failed: d"):
        gpu.counts(f'<suite>{passed}<testcase name="d"><failure/></testcase></suite>')
    with pytest.raises(UserError, match="no test is marked gpu"):
        gpu.counts("<suite></suite>")


@pytest.mark.slow  # about fifty processes, each with its own imports
@pytest.mark.timeout(3600)
def test_every_step_runs_at_toy_size_and_is_not_repeated(tmp_path):
    """Tests, quickstart and every bench are measured; the same command then has nothing to do."""
    settings = {"quick": True, "minutes": 55, "page": tmp_path / "gpu.md", "parent": tmp_path / "kept"}
    settings["build"] = tmp_path / "build"
    outcomes = gpu.run(print, **settings)
    assert {one.part: (one.status, one.error) for one in outcomes if one.status != "measured"} == {}
    assert len(outcomes) == 2 + len(for_gpu())
    text = (tmp_path / "gpu.md").read_text(encoding="utf-8")
    assert "Nothing is missing." in text
    shown = [section for section in SECTIONS if {part.name for part in for_gpu()} & set(section.parts)]
    assert len(list((tmp_path / "gpu").glob("*.png"))) == len(shown)
    again = gpu.run(print, **settings)
    assert {one.status for one in again} == {"kept"}
