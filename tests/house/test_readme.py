"""Light modules load no torch, and the README tells the truth about the disk and the commands."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("toolkit", "eval", "figures", "experiments")


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


def tree_of(readme: str) -> set[str]:
    """Files and folders that the README's tree names, as paths."""
    block = re.search(r"```text\n(toolkit/.*?)```", readme, flags=re.DOTALL)
    assert block, "no tree in README.md"
    paths, parents = set(), []
    for line in block.group(1).splitlines():
        name = line.strip().split("  ")[0].strip()
        if not name:
            continue
        depth = (len(line) - len(line.lstrip())) // 2
        parents[depth:] = [name.rstrip("/")]
        paths.add("/".join(parents))
    return paths


def test_the_readmes_tree_matches_the_disk():
    """Every path it names is there, and every module is in it or in a folder it names as one."""
    named = tree_of((ROOT / "README.md").read_text(encoding="utf-8"))
    for path in named:
        assert (ROOT / path).exists(), f"README names {path}, which is not there"
    folders = {path for path in named if (ROOT / path).is_dir()}
    opened = {str(Path(path).parent) for path in named}
    for room in ROOMS:
        for file in modules(room):
            path = str(file.relative_to(ROOT))
            closed = any(path.startswith(f"{folder}/") for folder in folders - opened)
            assert file.name == "__init__.py" or path in named or closed, f"README's tree lacks {path}"


@pytest.mark.parametrize("room", ROOMS)
def test_every_module_opens_with_what_it_is_for(room):
    """The docstring's first line is a sentence."""
    for file in modules(room):
        text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))
        assert text, f"{file} has no docstring"
        assert text.splitlines()[0].rstrip()[-1] in ".:?", f"{file}: {text.splitlines()[0]}"


def commands_of(readme: str) -> list[list[str]]:
    """Every `bakeoff` call of the README's consoles, split as a shell splits it."""
    lines = re.findall(r"^\$ \.venv/bin/bakeoff (.+)$", readme, flags=re.MULTILINE)
    return [shlex.split(line, comments=True) for line in lines]


def test_every_command_of_the_readme_is_understood():
    """Each parses to a command with its arguments, and each study that it names loads with its overrides."""
    from experiments.cli.app import app
    from experiments.design import study

    found = commands_of((ROOT / "README.md").read_text(encoding="utf-8"))
    assert len(found) >= 10
    for words in found:
        _, bound, _ = app.parse_args(words, exit_on_error=False, print_error=False)
        if words[0] in ("run", "plan", "data"):
            study.load(bound.args[0], bound.args[1:])
