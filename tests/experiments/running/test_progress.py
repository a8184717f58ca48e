"""What is seen of long work: bars that fit 80 columns, lines that are kept, times worked by hand."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from experiments.running.board import Board
from experiments.running.lines import duration, sparkline
from toolkit.events import Advanced, Halted, PhaseStarted, StepTaken


class Clock:
    """A clock that the test sets."""

    now = 1000.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now


@pytest.fixture
def clock():
    """A clock that the test sets."""
    return Clock()


def shown(board: Board, width: int = 80) -> list[str]:
    """The bars as lines of text."""
    console = Console(file=io.StringIO(), width=width, height=25)
    console.print(board._progress.get_renderable())
    return console.file.getvalue().splitlines()


def step(number: int, loss: float) -> StepTaken:
    """An event of a worker: 100 tokens and half a second per step."""
    return StepTaken(step=number, steps=100, loss=loss, tokens=100 * number, seconds=0.5 * number)


def test_a_sparkline_scales_from_lowest_to_highest():
    """Means of equal stretches: (8, 6), (4, 2), (1, 0) -> 7, 3, .5 -> bars 7, round(2.69)=3, 0."""
    assert sparkline([8, 6, 4, 2, 1, 0], width=3) == "█▄▁"
    assert sparkline([2.0, 2.0]) == "▁▁"
    assert sparkline([]) == ""


def test_times_are_in_words():
    """89 s stays seconds; 125 min is 2 h 5 min; 50 h is 2 d 2 h."""
    assert [duration(s) for s in (89, 600, 7500, 180_000)] == ["89 s", "10 min", "2 h 5 min", "2 d 2 h"]


def test_the_bars_fit_80_columns_and_show_speed_loss_and_time_left(clock):
    """40 of 100 steps in 20 s: 200 tokens per second and 30 s left; long names give way, numbers do not."""
    board = Board(Console(file=io.StringIO(), force_terminal=True, width=80), clock=clock)
    board.expect(12)
    board.begin("a", 11, "smollm2-135m-embedded lora-r16 at 0.0003, seed 1000")
    board.event("a", PhaseStarted(phase="training"))
    board.event("a", step(0, 3.0))
    for number in range(1, 41):
        clock.now += 0.5
        board.event("a", step(number, 3 - number / 40))
    lines = shown(board)
    assert max(map(len, lines)) <= 80
    text = "\n".join(lines)
    assert "0 of 12 runs done" in text
    assert "training 40/100" in text
    assert "█▇▆▅▄▃▂▁ 2.00" in text
    assert "200 tok/s" in text
    assert text.rstrip().endswith("00:30")


def test_time_left_follows_from_the_runs_that_ended(clock):
    """10 runs, 2 done before, 1 left alone; 2 ended in 60 s: 5 remain at 30 s each, 150 s: 2 min."""
    printed = io.StringIO()
    board = Board(Console(file=printed, width=200), clock=clock)
    board.expect(10)
    board.skip(2, 1)
    for number, error in ((4, None), (5, "no memory")):
        board.begin(str(number), number, "tiny full")
        clock.now += 30
        board.end(str(number), error)
    text = printed.getvalue()
    assert "run 4 of 10 · tiny full: done (30 s)" in text
    assert "run 5 of 10 · tiny full: failed: no memory (30 s)" in text
    assert text.splitlines()[-1] == "3 of 10 runs done, 2 failed · about 2 min left"


def test_a_run_that_never_began_counts_as_failed_and_late_events_of_one_that_ended_as_nothing(clock):
    """Run 1 of 2 is lost before it starts: 0 done, 1 failed. Run 2 ends, and then its process is stopped."""
    printed = io.StringIO()
    board = Board(Console(file=printed, width=120), clock=clock)
    board.expect(2)
    board.end("1", "its node was lost")
    board.begin("2", 2, "tiny full")
    clock.now += 30
    board.end("2", None)
    board.event("2", Halted(process=4711))
    lines = printed.getvalue().splitlines()
    assert lines[0] == "run 1 of 2: failed: its node was lost"
    assert lines[-1] == "run 2 of 2 · tiny full: done (30 s)"


def test_a_resumed_runs_rate_counts_only_what_it_did_now(clock):
    """It resumes at step 60 and takes one step per second: after 20 of them, the last 20 take 20 s."""
    printed = io.StringIO()
    board = Board(Console(file=printed, width=200), clock=clock)
    board.expect(1)
    board.begin("a", 1, "tiny full")
    board.event("a", PhaseStarted(phase="training", resumed=True))
    board.event("a", step(60, 2.0))
    for number in range(61, 81):
        clock.now += 1
        board.event("a", step(number, 1.9))
    assert "training, resumed from a checkpoint" in printed.getvalue()
    assert printed.getvalue().splitlines()[-1].endswith("training 80/100 · loss 1.900 · 20 s left")


def test_work_of_this_process_is_counted_in_lines_that_are_not_too_many(clock):
    """A count without an end every second for a minute: a line after 20, 40 and 60 s; short work has none."""
    printed = io.StringIO()
    board = Board(Console(file=printed, width=200), clock=clock)
    listen = board.listener("preparing data")
    for seconds in range(61):
        listen(Advanced(work="rows read", done=2000 * (seconds + 1)))
        clock.now += 1
    board.close("preparing data")
    assert printed.getvalue().splitlines() == [
        f"preparing data · rows read {2000 * n:,}" for n in (21, 41, 61)
    ]


def test_a_console_that_is_gone_stops_nothing(tmp_path):
    """Standard output is full: lines go on into the log, and no error is raised."""
    log = tmp_path / "study.log"
    with open("/dev/full", "w") as full, Board(Console(file=full), log) as board:  # noqa: PTH123
        for number in range(3):
            board.line(f"line {number} {'x' * 10_000}")
    assert len(log.read_text(encoding="utf-8").splitlines()) == 3


def test_the_log_keeps_the_lines_and_its_loss_stops_nothing(tmp_path):
    """Lines with dates; a folder that can't be written is reported once, and the work goes on."""
    log = tmp_path / "results" / "study.log"
    with Board(Console(file=io.StringIO(), force_terminal=True), log) as board:
        board.expect(1)
        board.begin("a", 1, "tiny full")
        board.end("a", None)
    lines = log.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 2
    assert lines[0].endswith("run 1 of 1 · tiny full: starting")
    assert lines[0][4] == lines[0][7] == "-"

    (tmp_path / "file").write_text("")
    printed = io.StringIO()
    with Board(Console(file=printed, width=300), tmp_path / "file" / "study.log") as board:
        board.line("one")
        board.line("two")
    assert printed.getvalue().count("cannot write") == 1
    assert "two" in printed.getvalue()


def test_a_stopped_process_is_named_with_what_continues_it(clock):
    """Process 4711: a line that stays, with the command."""
    said = io.StringIO()
    board = Board(Console(file=said, width=120), clock=clock)
    board.expect(1)
    board.begin("a", 1, "tiny full")
    board.event("a", Halted(process=4711))
    line = "run 1 of 1 · tiny full: process 4711 was stopped by a signal; `kill -CONT 4711` continues it"
    assert said.getvalue().splitlines()[-1] == line


def test_a_study_that_grows_counts_its_runs_anew(clock):
    """Ten runs, then a second size of fourteen, ten of them there: eleven are done after one more."""
    board = Board(Console(file=io.StringIO()), clock=clock)
    board.expect(10)
    for number in range(10):
        board.end(str(number), None)
    board.count_anew()
    board.expect(14)
    board.skip(10, 0)
    board.begin("10", 11, "full")
    clock.now += 20
    board.end("10", None)
    assert board._summary() == "11 of 14 runs done · about 60 s left"
