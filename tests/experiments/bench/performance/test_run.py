"""`bench all` measures what is missing, names what fails, and stops in time."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from experiments.bench.performance import results, run
from experiments.bench.performance.parts import PARTS, Part, chosen, for_gpu
from tests.experiments.bench.performance.made_up import ENVIRONMENT
from toolkit.errors import UserError


def part(name: str, code: str) -> Part:
    """A part whose command is Python code."""
    return Part(name=name, arguments=(code,), quick=(code,), minutes=1)


@pytest.fixture(autouse=True)
def _commands_are_code(monkeypatch):
    """Run the code that stands in for a bench: `bakeoff bench CODE --json`."""
    monkeypatch.setattr(run, "module_command", lambda module, *words: [sys.executable, "-c", words[1]])


def test_a_failing_part_is_named_and_the_others_are_measured(tmp_path):
    """Of three parts the second exits with 3 and a last line; the third is measured all the same."""
    parts = [
        part("one", "print('{\"ratio\": 1}')"),
        part("two", "import sys; print('first', file=sys.stderr); sys.exit('no luck')"),
        part("three", "print('{\"ratio\": 3}')"),
    ]
    lines: list[str] = []
    outcomes = run.measure(parts, tmp_path, ENVIRONMENT, lines.append)
    assert [one.status for one in outcomes] == ["measured", "failed", "measured"]
    assert outcomes[1].error == "exit code 1: no luck"
    assert "[2/3] two: failed: exit code 1: no luck" in lines
    assert sorted(file.name for file in tmp_path.iterdir()) == ["one.json", "three.json"]
    assert results.PartResult.read(tmp_path / "three.json").measured == {"ratio": 3}


def test_a_finished_part_is_not_measured_again_unless_its_command_changes(tmp_path):
    """The code prints the time: the same after a second call, another after another command."""
    clock = "import time; print(time.time_ns())"
    first, again = (run.measure([part("one", clock)], tmp_path, ENVIRONMENT, print) for _ in range(2))
    assert (first[0].status, again[0].status) == ("failed", "failed")  # a number is no object
    clock = "import time; print('{\"at\": %d}' % time.time_ns())"
    first, again = (run.measure([part("one", clock)], tmp_path, ENVIRONMENT, print) for _ in range(2))
    before = results.PartResult.read(tmp_path / "one.json").measured
    assert (first[0].status, again[0].status) == ("measured", "kept")
    changed = run.measure([part("one", clock + " ")], tmp_path, ENVIRONMENT, print)
    assert changed[0].status == "measured"
    assert results.PartResult.read(tmp_path / "one.json").measured != before
    later = replace(part("one", clock + " "), edition=2)
    outcomes = [run.measure([later], tmp_path, ENVIRONMENT, print)[0].status for _ in range(2)]
    assert outcomes == ["measured", "kept"]


def test_it_stops_in_time_with_all_that_a_part_has_started(tmp_path):
    """A part that would sleep half an hour in a child is stopped after 0.6 s; the next is not begun."""
    started = tmp_path / "started"
    child = f"import pathlib, time; pathlib.Path({str(started)!r}).touch(); time.sleep(1800)"
    slow = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    began = time.monotonic()
    outcomes = run.measure(
        [part("slow", slow), part("next", "print('{}')")], tmp_path, ENVIRONMENT, print, minutes=0.01
    )
    assert time.monotonic() - began < 600
    assert [one.status for one in outcomes] == ["no time left", "no time left"]
    assert not list(tmp_path.glob("*.json"))


def test_parts_are_chosen_by_name_in_the_pages_order():
    """`data` stands for its three sizes; train is before stats; an unknown name is refused."""
    assert [one.name for one in chosen("stats, train")] == ["train", "stats"]
    assert len(chosen("data")) == 3
    assert chosen(None) == list(PARTS)
    with pytest.raises(UserError, match="unknown part 'trian'. Did you mean 'train'"):
        chosen("trian")


def test_a_gpu_measures_growth_once_and_no_large_files():
    """Fourteen of seventeen parts; training keeps its three turns."""
    parts = {one.name: one.arguments for one in for_gpu()}
    assert len(parts) == 14
    assert parts["size"] == ("growth", "size", "--repeats", "1")
    assert parts["train"] == ("train",)
    assert "data-2M" not in parts


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("name", [one.name for one in PARTS])
def test_every_part_is_a_command_that_is_understood(name, quick):
    """Its arguments parse, with nothing left over."""
    from experiments.cli.app import app

    (entry,) = chosen(name)
    _, bound, _ = app.parse_args([*entry.command(quick), "--json"], exit_on_error=False, print_error=False)
    assert bound.arguments["as_json"] is True


def test_results_of_a_machine_have_a_folder_by_its_name():
    """Letters and digits alone, and a trial apart from what counts."""
    assert results.folder_for("CPU: AMD EPYC, 2 cores", False, Path("x")) == Path("x/cpu-amd-epyc-2-cores")
    assert results.folder_for("NVIDIA H100", True, Path("x")) == Path("x/nvidia-h100-quick")
