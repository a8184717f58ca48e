"""A study that has been run, for all tests of this room; each module has a copy of its own to change."""

from __future__ import annotations

import shutil

import pytest

from tests.experiments.small import in_this_process, run


@pytest.fixture(scope="session")
def run_once(tmp_path_factory, tiny_gpt2):
    """A root with one study run, its conclusions, and what was said."""
    root = tmp_path_factory.mktemp("root")
    conclusions, said = run(root, tiny_gpt2, "small", execute=in_this_process)
    return root, conclusions, said


@pytest.fixture(scope="module")
def done(run_once, tmp_path_factory):
    """The same in a folder of the module's own."""
    root = tmp_path_factory.mktemp("copy")
    shutil.copytree(run_once[0], root, dirs_exist_ok=True)
    return root, *run_once[1:]
