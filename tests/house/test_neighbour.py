"""`make neighbour`: the table of what waiting threads cost, and that a measurement is one."""

from __future__ import annotations

import sys

import pytest

from tests import neighbour
from toolkit.runtime import WAITING


def test_costs_are_of_the_quickest_alone_and_of_twice_that_beside():
    """Quickest alone 10 s, so the fair share is 20 s: 10.2 costs 2 %, 26 is 1.3 times, 50 is 2.5 times."""
    measured = {
        "default": {"alone": [9, 10, 30], "busy": [50], "copy": [40]},
        "bounded": {"alone": [10.2], "busy": [26], "copy": [20]},
    }
    lines = neighbour.table(measured).splitlines()
    assert lines[2:] == [
        "| default | 10.00 | 0.0 % | 50.00 | 2.50x | 40.00 | 2.00x |",
        "| bounded | 10.20 | 2.0 % | 26.00 | 1.30x | 20.00 | 1.00x |",
    ]
    assert lines[0].count("|") == lines[1].count("|") == lines[2].count("|")


def test_what_bakeoff_sets_is_one_of_the_policies():
    """Each sets what libgomp reads, so none is changed by the environment that it is measured in."""
    assert neighbour.POLICIES["bounded"] == WAITING
    assert len(neighbour.POLICIES) == 4
    assert all("GOMP_SPINCOUNT" in policy for policy in neighbour.POLICIES.values())


@pytest.mark.slow
def test_real_steps_take_longer_than_small_ones():
    """SmolLM2-135M has a hundred times the parameters."""
    assert neighbour.measure("bounded", "alone", 1, real=True) > neighbour.measure(
        "bounded", "alone", 1, real=False
    )


@pytest.mark.slow
def test_all_situations_are_measured_and_no_neighbour_is_left(monkeypatch, tmp_path, capsys):
    """One step and one repetition: twelve measurements in a table of four rows."""
    monkeypatch.setattr(neighbour, "HOME", tmp_path)
    monkeypatch.setattr(neighbour.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(sys, "argv", ["neighbour", "--repeats", "1", "--steps", "1"])
    assert neighbour.main() == 0
    captured = capsys.readouterr()
    assert captured.out.count("x |") == 8
    assert captured.err.count(" s\n") == 12
    assert (tmp_path / "seconds.json").is_file()
