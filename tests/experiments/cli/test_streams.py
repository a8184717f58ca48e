"""Where output goes: streams of any encoding, closed, full, or read by someone who stops reading."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
COMMAND = [sys.executable, "-m", "experiments.cli"]
USER = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"}


@pytest.mark.parametrize("setting", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}])
@pytest.mark.parametrize("arguments", [["catalog"], ["catalog", "--json"]])
def test_a_terminal_without_unicode_gets_escapes(setting, arguments):
    """The catalog holds characters beyond ASCII; the command ends well, and JSON stays JSON."""
    done = subprocess.run(
        [*COMMAND, *arguments], env={**USER, **setting}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "smollm2-135m-embedded" in done.stdout
    assert done.stdout.isascii()
    if "--json" in arguments:
        assert json.loads(done.stdout)["models"]


@pytest.mark.parametrize("setting", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}])
@pytest.mark.parametrize("command", ["report", "audit"])
def test_a_study_is_reported_without_unicode(setting, command, done):
    """What is printed is ASCII; the page itself is UTF-8, whatever the locale."""
    root, _, _ = done
    answer = subprocess.run(
        [*COMMAND, command, "small", "--root", str(root)],
        env={**USER, **setting}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.isascii()
    assert "small" in answer.stdout
    if command == "report":
        (page,) = root.glob("results/small/report/*.html")
        assert "–" in page.read_text(encoding="utf-8")


def test_a_full_disk_behind_standard_output_is_one_line():
    """`bakeoff catalog > /dev/full`: one line that reports it, exit code 1."""
    with open("/dev/full", "w") as full:  # noqa: PTH123 - a device
        done = subprocess.run(
            [*COMMAND, "catalog", "studies"],
            env=USER, stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.strip() == "bakeoff: cannot write to standard output: No space left on device"


def test_standard_output_that_is_closed_is_no_error():
    """`bakeoff catalog >&-`: nothing to print on, and nothing on standard error."""
    done = subprocess.run(
        ["/bin/sh", "-c", f"{sys.executable} -m experiments.cli catalog studies >&-"],
        env=USER, stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_a_reader_that_stops_reading_is_no_error():
    """`bakeoff catalog --json | head -1`: no message."""
    done = subprocess.run(
        ["/bin/sh", "-c", f"{sys.executable} -m experiments.cli catalog --json | head -1"],
        env=USER, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("{\n", "")


def test_the_version_is_that_of_the_package():
    """`bakeoff --version` prints what pip knows."""
    done = subprocess.run([*COMMAND, "--version"], env=USER, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == metadata.version("bakeoff")
