"""A user's own folders named `eval`, `figures`, `toolkit` and `experiments` break nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bakeoff.own_packages import HOME, PACKAGES

SCORE = "import bakeoff; print(bakeoff.score(['a b c d'] * 2, ['a b c d'] * 2).value)"


def call(folder: Path, *arguments: str, seconds: float = 120) -> subprocess.CompletedProcess[str]:
    """Run Python in a user's folder, which then comes first on the path, with bakeoff found behind it."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}
    environment |= {"PYTHONPATH": str(HOME), "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds,
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with four packages of the same names, which raise when they are imported."""
    for name in PACKAGES:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(f"raise RuntimeError('the user own {name}')\n")
    return tmp_path


def test_the_folders_do_hide_ours(project):
    """Without the door, Python finds the user's: the tests below are not empty."""
    done = call(project, "-c", "import eval")
    assert "the user own eval" in done.stderr


def test_the_door_uses_its_own_packages_and_says_which_it_hides(project):
    """BLEU of equal texts is 100, and a warning names the four folders."""
    done = call(project, "-c", SCORE)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) == pytest.approx(100)
    for name in PACKAGES:
        assert str(project / name) in done.stderr


def test_without_such_folders_nothing_is_said(tmp_path):
    """No warning, and nothing added to the import system."""
    code = f"import sys; before = list(sys.meta_path); {SCORE}; assert sys.meta_path == before"
    done = call(tmp_path, "-W", "error::UserWarning:bakeoff", "-c", code)
    assert done.returncode == 0, done.stderr
    assert "hide" not in done.stderr


def test_a_package_imported_before_is_named(tmp_path):
    """Two packages of one name cannot be imported in one process: the error says which, and what to do."""
    (tmp_path / "eval").mkdir()
    (tmp_path / "eval" / "__init__.py").write_text("")
    done = call(tmp_path, "-c", f"import eval; {SCORE}")
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: bakeoff needs its own package 'eval', but")
    assert str(tmp_path / "eval") in last and "rename" in last


def test_the_command_prints_its_help_there(project):
    """`python -m bakeoff --help` lists the commands."""
    done = call(project, "-m", "bakeoff", "--help")
    assert done.returncode == 0, done.stderr
    assert "playground" in done.stdout or "generate" in done.stdout


@pytest.mark.slow
def test_a_study_runs_there(project, tiny_gpt2):
    """Workers, the report's processes and the door's reading of the results find our packages."""
    small = [
        "name=small",
        f"base_models={{name: tiny, folder: '{tiny_gpt2}'}}",
        "data={train: 12, validation: 4, test: 6, max_characters: 320}",
        "train={batch_tokens: 1024, validations: 1, precision: fp32}",
        "evaluate={max_new_tokens: 12}",
    ]
    done = call(project, "-m", "bakeoff", "run", "quickstart", *small, "--json", seconds=500)
    assert done.returncode == 0, done.stderr
    assert {cell["status"] for cell in json.loads(done.stdout)["cells"]} == {"finished"}
    read = "import bakeoff; result = bakeoff.load('results/small')"
    read += "; print(len(result.verdicts), len(result.figures))"
    done = call(project, "-c", read)
    verdicts, figures = map(int, done.stdout.split())
    assert verdicts == 9 and figures >= 5


@pytest.mark.slow
@pytest.mark.parametrize("bench", [("stats",), ("data", "--rows", "200")])
def test_a_bench_runs_there(project, bench):
    """Both sides of a bench are processes of their own."""
    done = call(project, "-m", "bakeoff", "bench", *bench, "--json", seconds=500)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["ratio"] is not None
