"""Training without quantization imports neither bitsandbytes nor datasets, and leaves both usable."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace as N  # noqa: N814 - many of them in a line

import pytest

from experiments.running.job import IMPORTED_AHEAD, UNUSED, unused_packages_hidden

ROOT = Path(__file__).parents[3]
CODE = """
import sys
from types import SimpleNamespace as N
from experiments.running.job import unused_packages_hidden
run = N(method=N(quantization=None), model=N(trust_remote_code=False))
with unused_packages_hidden(N(run=run, report_to=())):
    import toolkit.training.train
early = [name for name in ("bitsandbytes", "datasets") if name in sys.modules]
import datasets, bitsandbytes
print(early, datasets.__name__, bitsandbytes.__name__)
"""


def in_a_fresh_interpreter(code: str) -> str:
    """What it prints."""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.slow  # imports everything that a run does, and both packages: seconds
def test_training_imports_neither_and_leaves_both_usable():
    """After the imports of training neither is loaded; importing them then works as ever."""
    pytest.importorskip("bitsandbytes")
    assert in_a_fresh_interpreter(CODE) == "[] datasets bitsandbytes"


@pytest.fixture
def nothing_imported(monkeypatch):
    """As in a fresh process: neither transformers nor the packages are imported."""
    for name in ("transformers", *UNUSED):
        monkeypatch.delitem(sys.modules, name, raising=False)


def job(quantization=None, trust_remote_code=False, report_to=()):
    """The settings of a job that decide."""
    run = N(method=N(quantization=quantization), model=N(trust_remote_code=trust_remote_code))
    return N(run=run, report_to=report_to)


def seen_within(planned) -> list[object]:
    """What is in place of each package while training is imported: None if it is hidden, 0 if nothing."""
    before = [sys.modules.get(name, 0) for name in UNUSED]
    with unused_packages_hidden(planned):
        seen = [sys.modules.get(name, 0) for name in UNUSED]
    assert [sys.modules.get(name, 0) for name in UNUSED] == before
    return seen


@pytest.mark.usefixtures("nothing_imported")
def test_both_are_hidden_from_an_ordinary_run_and_none_from_one_that_might_need_it():
    """A quantised base, code that comes with the weights and a tracker might."""
    assert seen_within(job()) == [None, None]
    assert seen_within(job(quantization={"load_in_4bit": True})) == [0, 0]
    assert seen_within(job(trust_remote_code=True)) == [0, 0]
    assert seen_within(job(report_to=("wandb",))) == [0, 0]


@pytest.mark.usefixtures("nothing_imported")
def test_what_is_imported_already_stays(monkeypatch):
    """A loaded module cannot be taken away; and transformers may have noted that both are there."""
    monkeypatch.setitem(sys.modules, "datasets", "loaded")
    assert seen_within(job()) == [None, "loaded"]
    monkeypatch.setitem(sys.modules, "transformers", "loaded")
    assert seen_within(job()) == [0, "loaded"]


@pytest.mark.usefixtures("nothing_imported")
def test_a_process_that_imported_ahead_hides_them_still(monkeypatch):
    """Its transformers was imported while they were hidden, so it knows of neither."""
    monkeypatch.setitem(sys.modules, "transformers", "loaded")
    monkeypatch.setitem(sys.modules, IMPORTED_AHEAD, "loaded")
    assert seen_within(job()) == [None, None]
