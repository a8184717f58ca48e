"""One small study, run through the door, for all tests of this room."""

from __future__ import annotations

from pathlib import Path

import pytest

import bakeoff


@pytest.fixture(scope="session")
def door_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root folder that the study is run in."""
    return tmp_path_factory.mktemp("door")


@pytest.fixture(scope="session")
def result(door_root: Path, tiny_gpt2: Path) -> bakeoff.Result:
    """The quickstart on a tiny random model and a few real recipes."""
    small = bakeoff.study(
        "quickstart",
        name="small",
        base_models={"name": "tiny", "folder": str(tiny_gpt2)},
        data={"train": 12, "validation": 4, "test": 6, "max_characters": 320},
        train={"batch_tokens": 1024, "validations": 1, "precision": "fp32"},
        evaluate__max_new_tokens=12,
    )
    return small.run(door_root, quiet=True)
