"""A study that has been run, for all tests of this room. Those that change its folder copy it first."""

from __future__ import annotations

import pytest

from tests.experiments.small import run


@pytest.fixture(scope="session")
def done(tmp_path_factory, tiny_gpt2):
    """A root with one study run, its conclusions, and what was said."""
    root = tmp_path_factory.mktemp("root")
    conclusions, said = run(root, tiny_gpt2, "small")
    return root, conclusions, said
