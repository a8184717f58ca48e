"""Random generated texts through the parser, tables, LaTeX, Markdown and the terminal."""

from __future__ import annotations

import io
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.console import Console

from eval.metrics.structure.checks import check_structure
from experiments.cli.output import VisibleConsole, print_rows
from experiments.running.board import Board
from figures.report.texts import marked
from figures.tables.table import Table
from figures.wording.escaping import code, fenced
from tests.browsing import PAYLOADS
from tests.fuzzing import LONG, QUICK, TEXT, one_line_and_soon
from toolkit import catalog
from toolkit.data.format import find_markers, parse, section_bodies
from toolkit.errors import visible

RECIPE = catalog.document_format("recipe")
PIECES = st.sampled_from(
    ["RECIPE:", "INGREDIENTS:", "DIRECTIONS:", "[END]", "\n", " ", ", ", "2 eggs", "“", "”", *PAYLOADS[:15]]
)
TEX = ("\\caption{", "\\label{tab:t}")
TEXTS = st.lists(st.one_of(PIECES, TEXT), max_size=15).map("".join)


def through_everything(text):
    """Parser, structure checks, HTML, Markdown, LaTeX, terminal and log."""
    with one_line_and_soon():
        parse(text, RECIPE)
        find_markers(text, RECIPE)
        section_bodies(text, RECIPE)
        check_structure(text, RECIPE, True)
        page = str(marked(text, {"RECIPE:"}, {"loop": f"“{text}”"}))
        assert not re.search(r"<(?!/?(mark|i)\b)", page)
        table = Table("t", text, ("a", text), [(text, "1")])
        lines = table.latex().splitlines()
        caption, label = (next(n for n, line in enumerate(lines) if line.startswith(name)) for name in TEX)
        assert len(lines) - (label - caption) == 12
        assert all(map(str.strip, lines))
        assert len(table.markdown().splitlines()) == 3
        assert "\n" not in code(text)
        fence = fenced(text).partition("text")[0]
        assert len(fence) > max(map(len, re.findall("`+", text)), default=0)
        printed(text)


def printed(text):
    """Print on a terminal and into a log: no control character of the text's is left."""
    shown = io.StringIO()
    with Board(Console(file=shown, width=100)) as board:
        board.line(text)
    console = VisibleConsole()
    console.file = shown
    console.print(text)
    bad = [c for c in shown.getvalue() if c != "\n" and visible(c) != c]
    assert bad == []


@QUICK
@given(text=TEXTS)
@example(text="x" * 10_000)
@example(text="RECIPE:" * 3000)
@example(text="`" * 5000)
@example(text="[" * 5000)
@example(text="“" * 5000)
def test_any_text_goes_through_and_stays_text(text):
    """A model may write anything."""
    through_everything(text)


@pytest.mark.slow
@LONG
@given(text=TEXTS)
def test_any_text_at_length(text):
    """The same, with many examples."""
    through_everything(text)


def test_rows_of_any_text_are_printed(capsys):
    """Every payload as title and cell."""
    for text in PAYLOADS:
        print_rows(text, [{"a": text}])
    assert "\x1b]0;" not in capsys.readouterr().out
