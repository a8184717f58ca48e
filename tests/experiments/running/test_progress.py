"""What is seen of long work: a table that fits 80 columns, lines that are kept, times worked by hand."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from experiments.running import board as progress
from experiments.running.board import Board, clock, duration, sparkline
from toolkit.events import PhaseStarted, StepTaken


@pytest.fixture
def time(monkeypatch):
    """A clock that the test sets."""
    now = [1000.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def shown(board: Board, width: int = 80) -> list[str]:
    """The live table as lines of text."""
    console = Console(file=io.StringIO(), width=width, height=25)
    console.print(board._table())
    return console.file.getvalue().splitlines()


def step(number: int, loss: float) -> StepTaken:
    """An event of a worker: 100 tokens and half a second per step."""
    return StepTaken(step=number, steps=100, loss=loss, tokens=100 * number, seconds=0.5 * number)


def test_a_sparkline_scales_from_lowest_to_highest():
    """Means of equal stretches: (8, 6), (4, 2), (1, 0) -> 7, 3, .5 -> bars 7, round(2.69)=3, 0."""
    assert sparkline([8, 6, 4, 2, 1, 0], width=3) == "█▄▁"
    assert sparkline([2.0, 2.0]) == "▁▁"
    assert sparkline([]) == ""


def test_times_are_in_words_and_clocks():
    """89 s stays seconds; 125 min is 2 h 5 min; 50 h is 2 d 2 h; 3661 s is 1:01:01."""
    assert [duration(s) for s in (89, 600, 7500, 180_000)] == ["89 s", "10 min", "2 h 5 min", "2 d 2 h"]
    assert [clock(s) for s in (9, 250, 3661)] == ["0:09", "4:10", "1:01:01"]


def test_the_live_table_fits_80_columns_and_shows_speed_loss_and_time_left(time):
    """40 of 100 steps in 20 s: 200 tokens a second and 30 s left; long names give way, numbers do not."""
    board = Board(Console(file=io.StringIO(), force_terminal=True, width=80))
    board.plan(12)
    board.begin("a", 11, "smollm2-135m-embedded lora-r16 at 0.0003, seed 1000")
    board.event("a", PhaseStarted(phase="training"))
    board.event("a", step(0, 3.0))
    for number in range(1, 41):
        time[0] += 0.5
        board.event("a", step(number, 3 - number / 40))
    lines = shown(board)
    assert max(map(len, lines)) <= 80
    text = "\n".join(lines)
    assert "0 of 12 runs done · time left not known yet" in text
    assert "training 40/100" in text
    assert "█▇▆▅▄▃▂▁ 2.00" in text
    assert " 200 " in text
    assert text.rstrip().endswith("0:30")


def test_time_left_follows_from_the_runs_that_ended(time):
    """10 runs, 2 there, 1 left alone; 2 ended in 60 s: 5 remain at 30 s each, 150 s, in words 2 min."""
    said = io.StringIO()
    board = Board(Console(file=said, width=200))
    board.plan(10)
    board.found(2, 1)
    for number, error in ((4, None), (5, "no memory")):
        board.begin(str(number), number, "tiny full")
        time[0] += 30
        board.end(str(number), error)
    text = said.getvalue()
    assert "run 4 of 10 · tiny full: done (30 s)" in text
    assert "run 5 of 10 · tiny full: failed: no memory (30 s)" in text
    assert text.splitlines()[-1] == "3 of 10 runs done, 2 failed · about 2 min left"


def test_a_resumed_runs_rate_counts_only_what_it_did_now(time):
    """It begins at step 60; 10 steps in 10 s, so the 30 that are left take 30 s."""
    board = Board(Console(file=io.StringIO(), width=200))
    board.begin("a", 1, "tiny full")
    board.event("a", PhaseStarted(phase="training", resumed=True))
    board.event("a", step(60, 2.0))
    time[0] += 10
    board.event("a", step(70, 1.9))
    assert board._running["a"].seconds_left == 30


def test_the_log_keeps_what_was_said_and_its_loss_stops_nothing(tmp_path):
    """Lines with dates; a folder that can't be written is told once, and the work goes on."""
    log = tmp_path / "results" / "study.log"
    with Board(Console(file=io.StringIO(), force_terminal=True), log) as board:
        board.plan(1)
        board.begin("a", 1, "tiny full")
        board.end("a", None)
    lines = log.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 2
    assert lines[0].endswith("run 1 of 1 · tiny full: starting")
    assert lines[0][4] == lines[0][7] == "-"

    (tmp_path / "file").write_text("")
    said = io.StringIO()
    with Board(Console(file=said, width=300), tmp_path / "file" / "study.log") as board:
        board.say("one")
        board.say("two")
    assert said.getvalue().count("cannot write") == 1
    assert "two" in said.getvalue()
