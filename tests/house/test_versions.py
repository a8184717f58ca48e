"""`make versions`: what is installed for the lowest and the newest versions of the stack."""

from __future__ import annotations

import subprocess
import sys
import tomllib

import pytest

from tests import versions
from tests.house.imports import ROOT


def test_a_lower_bound_becomes_a_pin_and_torch_is_left_out():
    """`>=5.23,<6` is tried at 5.23; a torch of its own is gigabytes, so `constraints` pins another."""
    dependencies = ["peft>=0.19", "torch>=2.6", "transformers>=5.23,<6", "ruamel.yaml>=0.18.6"]
    assert versions.lower_bounds(dependencies) == ["peft==0.19", "transformers==5.23", "ruamel.yaml==0.18.6"]
    with pytest.raises(ValueError, match=r"pyproject.toml: 'peft' has no lower bound"):
        versions.lower_bounds(["peft"])


def test_every_stack_pins_one_torch_and_the_lowest_pins_every_other_dependency():
    """torch is that of constraints.txt unless one is named; `newest` pins nothing else."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    (torch,) = [line for line in lines if line.startswith("torch==")]
    assert versions.constraints("newest", "") == [torch]
    assert versions.constraints("newest", "2.15.0") == ["torch==2.15.0"]
    lowest = versions.constraints("lowest", "")
    assert len(lowest) == len(project["dependencies"]) > 20
    assert lowest[0] == torch
    assert sorted(versions.constraints("tested", "")) == sorted(line for line in lines if "==" in line)


def test_the_tools_are_those_of_the_group_dev_and_the_script_needs_no_package():
    """It starts with an interpreter that has nothing installed: -I and -S leave the standard library."""
    assert [one.split(">=")[0] for one in versions.tools()] == list(versions.TOOLS)
    command = [sys.executable, "-I", "-S", str(ROOT / "tests" / "versions.py"), "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "--stack {tested,lowest,newest}" in done.stdout
