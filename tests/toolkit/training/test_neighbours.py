"""What other work took of the machine: everything that computed but this process."""

from __future__ import annotations

import subprocess
import sys
from collections import namedtuple
from types import SimpleNamespace

import psutil

from toolkit.training.neighbours import seconds_of_others

BURN = "import time\nwhile time.process_time() < 0.6: pass"


def test_all_that_computed_but_this_process(monkeypatch):
    """Of 10 s of user, 1 of nice, 2 of system, 3 stolen: 4 were ours, and 5 of user were a guest's."""
    times = namedtuple("scputimes", "user nice system idle iowait steal guest guest_nice")
    monkeypatch.setattr(psutil, "cpu_times", lambda: times(10.0, 1.0, 2.0, 99.0, 7.0, 3.0, 5.0, 0.0))
    own = SimpleNamespace(user=3.5, system=0.5, children_user=50.0)
    monkeypatch.setattr(psutil, "Process", lambda: SimpleNamespace(cpu_times=lambda: own))
    assert seconds_of_others() == 12.0


def test_another_process_is_seen():
    """One that computes for 0.6 s: at least half a second more than before, whatever else is going on."""
    before = seconds_of_others()
    subprocess.run([sys.executable, "-c", BURN], check=True)
    assert seconds_of_others() - before > 0.5
