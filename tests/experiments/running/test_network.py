"""A study on a local base and packaged recipes asks nothing of the network: no hub, telemetry or tracker."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.experiments.running.test_executors import command
from tests.experiments.small import environment

CLOSED = """
import os, socket, traceback

def _refuse(what):
    def call(*arguments, **options):
        if what != "getaddrinfo" and getattr(arguments[0], "family", None) == socket.AF_UNIX:
            return _real[what](*arguments, **options)
        file = os.open(os.environ["ATTEMPTS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(file, f"{what} {arguments[-1]}\\n{''.join(traceback.format_stack(limit=12))}\\n".encode())
        os.close(file)
        raise OSError("no network in this test")
    return call

_real = {name: getattr(socket.socket, name) for name in ("connect", "connect_ex", "sendto")}
for _name in _real:
    setattr(socket.socket, _name, _refuse(_name))
socket.getaddrinfo = _refuse("getaddrinfo")
"""


def closed(folder: Path) -> tuple[dict[str, str], Path]:
    """An environment whose Python processes write down what they would connect to, and are refused."""
    (folder / "closed").mkdir()
    (folder / "closed" / "sitecustomize.py").write_text(CLOSED)
    own = environment()
    own.pop("HF_HUB_OFFLINE", None)
    paths = os.pathsep.join([str(folder / "closed"), own["PYTHONPATH"]])
    return {**own, "PYTHONPATH": paths, "ATTEMPTS": str(folder / "attempts")}, folder / "attempts"


def test_the_watch_sees_a_connection(tmp_path):
    """What the next test rests on: a connection to a port of this machine is refused and written down."""
    own, attempts = closed(tmp_path)
    code = "import urllib.request as r; r.urlopen('http://127.0.0.1:9/')"
    done = subprocess.run([sys.executable, "-P", "-c", code], env=own, capture_output=True, text=True)
    assert "no network in this test" in done.stderr
    assert attempts.read_text().startswith("getaddrinfo") or "connect" in attempts.read_text()


def test_a_study_from_data_to_report_connects_to_nothing(tmp_path, tiny_gpt2):
    """Three runs, their evaluations and the report, with a hub that could be asked: no attempt."""
    own, attempts = closed(tmp_path)
    root = tmp_path / "root"
    done = subprocess.run(command(root, tiny_gpt2), env=own, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (root / "results" / "small" / "report" / "report.html").is_file()
    assert not attempts.exists(), attempts.read_text()
