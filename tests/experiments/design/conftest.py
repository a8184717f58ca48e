"""Studies on a root of their own, with prepared data that is read once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from experiments.design import study
from experiments.design.study_state import StudyState
from tests.experiments.design.grids import SMALL


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prepared data, read once."""
    root = tmp_path_factory.mktemp("data")
    StudyState(study.load("quickstart", SMALL), root).prepare()
    return root / "runs" / ".data"


@pytest.fixture
def make(tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., StudyState]:
    """A grid of the quickstart with overrides, on a root of its own, on a machine without a GPU."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / ".data").symlink_to(data)
    return lambda *overrides: StudyState(study.load("quickstart", [*SMALL, *overrides]), tmp_path).prepare()
