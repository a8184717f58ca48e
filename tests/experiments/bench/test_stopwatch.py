"""Seconds are divided among spans, each without those inside it."""

from __future__ import annotations

import importlib
import sys
import time
from types import SimpleNamespace

import pytest

from experiments.bench.training import stopwatch
from experiments.bench.training.stopwatch import Stopwatch


@pytest.fixture
def clock(monkeypatch):
    """A clock that goes on only when a test says by how many seconds."""
    now = SimpleNamespace(seconds=100.0)
    monkeypatch.setattr(stopwatch.time, "perf_counter", lambda: now.seconds)
    return now


def test_an_inner_span_is_not_counted_twice(clock):
    """1 s outside, 2 s loading, within it 4 s of imports, 8 s loading again: 1, 10 and 4 of 15 seconds."""
    watch = Stopwatch()
    clock.seconds += 1
    with watch.span("loading"):
        clock.seconds += 2
        with watch.span("imports"):
            clock.seconds += 4
        clock.seconds += 8
    assert watch.stop() == {"other": 1, "loading": 10, "imports": 4}


def test_calls_are_counted_even_if_they_raise(clock):
    """3 s in a call that returns, 5 s in one that raises: 8 s, and the rest is outside again."""

    def work(seconds):
        clock.seconds += seconds
        if seconds == 5:
            raise ValueError("no")
        return seconds

    owner = SimpleNamespace(work=work)
    watch = Stopwatch()
    watch.watch(owner, "work", "working")
    assert owner.work(3) == 3
    with pytest.raises(ValueError, match="no"):
        owner.work(5)
    clock.seconds += 2
    assert watch.stop() == {"working": 8, "other": 2}


def test_seconds_before_it_began_are_those_of_starting_python(clock, monkeypatch):
    """Started at 50 by the clock on the wall, made at 53: 3 s."""
    monkeypatch.setattr(stopwatch.time, "time", lambda: 53.0)
    assert Stopwatch(began=50.0).stop() == {"python": 3.0, "other": 0.0}


def test_imports_are_counted_wherever_they_happen(clock, monkeypatch, tmp_path):
    """A module that takes 6 s and imports one that takes 1 s: 7 s, once; later imports take none."""
    (tmp_path / "slow_outer.py").write_text("import slow_inner, stopped_clock\nstopped_clock.pass_by(6)\n")
    (tmp_path / "slow_inner.py").write_text("import stopped_clock\nstopped_clock.pass_by(1)\n")
    monkeypatch.syspath_prepend(tmp_path)
    passing = SimpleNamespace(pass_by=lambda seconds: setattr(clock, "seconds", clock.seconds + seconds))
    monkeypatch.setitem(sys.modules, "stopped_clock", passing)
    monkeypatch.setattr("builtins.__import__", __import__)  # restored after the test
    monkeypatch.setattr(importlib, "import_module", importlib.import_module)
    watch = Stopwatch()
    watch.watch_imports()
    with watch.span("loading"):
        importlib.import_module("slow_outer")
        importlib.import_module("slow_outer")
        clock.seconds += 2
    assert time.perf_counter() == clock.seconds
    assert watch.stop() == {"other": 0, "imports": 7, "loading": 2}
