"""Processes of our own import our code from any folder, idle threads sleep, the processor has a name."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.cli.app import main
from toolkit.runtime import WAITING, child_environment, module_command, processor_name, wait_passively


def test_a_process_of_ours_ignores_packages_of_our_names_in_the_working_directory(tmp_path):
    """Both `toolkit` and `experiments` there raise on import; ours are imported and the module runs."""
    for package in ("toolkit", "experiments"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text("raise RuntimeError('foreign')")
    done = subprocess.run(
        module_command("experiments.cli", "--help"),
        cwd=tmp_path,
        env=child_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "bakeoff" in done.stdout


def test_idle_threads_sleep_unless_the_user_says_how_they_wait(monkeypatch):
    """Without a setting all three are set; with one of them none is added."""
    for name in ("OMP_WAIT_POLICY", "KMP_BLOCKTIME", "GOMP_SPINCOUNT"):
        monkeypatch.delenv(name, raising=False)
    assert child_environment()["OMP_WAIT_POLICY"] == "PASSIVE"
    assert child_environment({"OMP_WAIT_POLICY": "ACTIVE"})["OMP_WAIT_POLICY"] == "ACTIVE"
    own = {"GOMP_SPINCOUNT": "5"}
    wait_passively(own)
    assert own == {"GOMP_SPINCOUNT": "5"}


def test_a_users_folder_on_the_path_comes_after_ours(tmp_path, monkeypatch):
    """A script's own folder is the first entry of `sys.path`; with an `eval` in it, ours goes before it."""
    (tmp_path / "eval").mkdir()
    home = str(Path(__file__).parents[2])
    monkeypatch.setattr(sys, "path", ["", str(tmp_path), "/elsewhere", home])
    assert child_environment()["PYTHONPATH"].split(os.pathsep) == [home, str(tmp_path), "/elsewhere", home]
    (tmp_path / "eval").rmdir()
    assert child_environment()["PYTHONPATH"].split(os.pathsep) == [str(tmp_path), "/elsewhere", home]


@pytest.mark.parametrize("arguments", [["catalog", "methods", "--json"], ["--help"], ["no-such-command"]])
def test_every_command_lets_idle_threads_sleep(arguments, monkeypatch):
    """Before anything imports torch, and whatever the command does then."""
    names = ("OMP_WAIT_POLICY", "KMP_BLOCKTIME", "GOMP_SPINCOUNT")
    for name in names:
        monkeypatch.setenv(name, "")  # so that it is put back
        monkeypatch.delenv(name)
    with pytest.raises(SystemExit):
        main(arguments)
    assert {name: os.environ.get(name) for name in names} == WAITING


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("AMD EPYC", "AMD EPYC (family 26, model 2)"),
        ("AMD EPYC 9654 96-Core Processor", "AMD EPYC 9654 96-Core Processor"),
    ],
)
def test_a_processor_without_a_number_in_its_name_is_told_by_family_and_model(tmp_path, model, name):
    """Virtual machines call several generations by one name, and their costs are not comparable."""
    cpuinfo = tmp_path / "cpuinfo"
    block = (
        f"processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 26\nmodel\t\t: 2\nmodel name\t: {model}\n"
    )
    cpuinfo.write_text(f"{block}\n{block}")
    assert processor_name(cpuinfo) == name


def test_a_processor_is_named_where_the_kernel_has_no_such_file(tmp_path):
    """Then Python's own name for it is taken."""
    assert processor_name(tmp_path / "missing") == (platform.processor() or platform.machine())
