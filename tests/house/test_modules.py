"""Light modules load no torch, and every module opens with what it is for."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("bakeoff", "toolkit", "eval", "figures", "experiments")


def modules(room: str) -> list[Path]:
    """The room's Python files."""
    return sorted((ROOT / room).rglob("*.py"))


@pytest.mark.parametrize(
    "module",
    ["experiments.cli", "experiments.design.study", "experiments.running.runner", "toolkit.config",
     "toolkit.records",
     "toolkit.data.prepare", "eval.statistics.compare", "eval.metrics", "eval.harness",
     "figures.report.page", "figures.plots.forest"],
)  # fmt: skip
def test_light_modules_load_no_torch(module):
    """A fresh interpreter imports it, and torch and transformers are not there."""
    code = f"import sys, {module}; sys.exit(', '.join({{'torch', 'transformers'}} & set(sys.modules)) or 0)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("room", ROOMS)
def test_every_module_opens_with_what_it_is_for(room):
    """The docstring's first line is a sentence."""
    for file in modules(room):
        text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))
        assert text, f"{file} has no docstring"
        assert text.splitlines()[0].rstrip()[-1] in ".:?", f"{file}: {text.splitlines()[0]}"
