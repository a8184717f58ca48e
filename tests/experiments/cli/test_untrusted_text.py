"""Titles, generations and errors of other people on the terminal and in the log: text, never a command."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from experiments.cli import output
from experiments.cli.app import main
from experiments.running.board import Board
from toolkit.events import PhaseStarted

HOSTILE = "\x1b]0;owned\x1b\\\x1b[2J\u202eevil [red]x[/blue] [END]"
SHOWN = "\\x1b]0;owned\\x1b\\\\x1b[2J\\u202eevil [red]x[/blue] [END]"


@pytest.fixture
def printed(monkeypatch):
    """What the command's console prints on a terminal in colour."""
    stream = io.StringIO()
    monkeypatch.setattr(output.out, "_force_terminal", True)
    monkeypatch.setattr(output.out, "_width", 300)
    monkeypatch.setattr(output.out, "_file", stream)  # `file` would be bound to a stream when undone
    return stream


def test_a_table_shows_its_titles_and_cells_as_text(printed):
    """Title, a cell and a line: square brackets are no markup, and no escape of the text's is left."""
    output.print_rows(HOSTILE, [{"title": HOSTILE}])
    output.out.print(HOSTILE, soft_wrap=True)
    assert printed.getvalue().count(SHOWN) == 3
    assert "\x1b]0;" not in printed.getvalue()
    assert "\u202e" not in printed.getvalue()


def test_json_escapes_what_a_terminal_obeys_and_reads_back_equal(capsys):
    """One-byte CSI, delete and an override are legal in JSON as they are, so they are escaped."""
    value = [HOSTILE, "\x9b\x7f\u202e", "\\x9b"]
    output.print_json(value)
    text = capsys.readouterr().out
    assert json.loads(text) == value
    assert text.replace("\n", "").isprintable()


def test_an_error_that_quotes_hostile_text_is_one_harmless_line(capsys):
    """A study whose name holds an escape sequence."""
    with pytest.raises(SystemExit) as ended:
        main(["report", "a\x1b]0;owned\x07"])
    assert ended.value.code == 2
    assert "\x1b" not in capsys.readouterr().err


@pytest.mark.parametrize("terminal", [True, False])
def test_the_board_and_its_log_show_a_hostile_method_as_text(tmp_path, terminal):
    """A run's name, phase and error: nothing forged, in the log one line for each entry."""
    stream, log = io.StringIO(), tmp_path / "study.log"
    with Board(Console(file=stream, force_terminal=terminal, width=400), log) as board:
        board.expect(1)
        board.begin("a", 1, HOSTILE)
        board.event("a", PhaseStarted(phase=HOSTILE))
        board.end("a", f"{HOSTILE}\n2026-01-01 00:00:00+0000 all runs done")
    assert SHOWN in stream.getvalue()
    for text in (stream.getvalue(), log.read_text(encoding="utf-8")):
        assert "\x1b]0;" not in text
        assert "\x1b[2J" not in text
        assert "\u202e" not in text
        assert "\n2026-01-01" not in text
