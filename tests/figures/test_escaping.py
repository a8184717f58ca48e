"""Hostile text in Markdown and LaTeX: nothing in it is a command, a link, an element or mathematics."""

from __future__ import annotations

import re

import pytest

from figures.tables.table import Table
from figures.wording.escaping import code, fenced, latex, markdown

HOSTILE = [
    "<script>alert(1)</script>",
    "[a](javascript:alert(1))",
    "![a](https://example.com/a.png)",
    "$\\frac{$",
    "\\input{/etc/passwd}",
    "| --- |\n# heading\n\n- item",
    "`code` *bold* _it_ ~~gone~~ &lt;b&gt;",
    "\x1b]0;title\x07\u202eevil",
    "x {: onclick=1 }",
]
SPECIAL = "\\`*_[]{}<>|#~$&"


@pytest.mark.parametrize("text", HOSTILE)
def test_every_sign_of_markdown_is_escaped_and_a_text_stays_on_its_line(text):
    """Once the escaped signs are taken out, no special one is left."""
    shown = markdown(text)
    assert not set(re.sub(r"\\[^a-z0-9\s]", "", shown)) & set(SPECIAL)
    assert "\n" not in shown
    assert shown.isprintable()


def test_markdown_is_worked_by_hand():
    """A link, and an escape sequence."""
    assert markdown("[a](b)") == "\\[a\\](b)"
    assert markdown("_it_ bits_per_byte") == "\\_it\\_ bits_per_byte"
    assert markdown("\x1b[1m") == "\\\\x1b\\[1m"


def test_code_and_fences_are_longer_than_any_in_the_text():
    """Two backticks inside: three around; four inside a block: five around it."""
    assert code("a``b") == "```a``b```"
    assert code("`a") == "`` `a ``"
    assert fenced("a\n````\nb\x1b") == "`````text\na\n````\nb\\x1b\n`````"


@pytest.mark.parametrize("text", HOSTILE)
def test_latex_has_no_command_but_those_of_escaping(text):
    """What is left after our own commands are taken out holds no sign that LaTeX acts on."""
    ours = r"\\text(backslash|asciitilde|asciicircum|less|greater)\{\}|\\[&%$#_{}]|\{\[\}|\{\*\}"
    assert not set(re.sub(ours, "", latex(text))) & set("\\&%$#_{}~^[*")


def test_a_table_keeps_its_rows_whatever_its_cells_hold():
    """Two rows of hostile cells under a hostile title: caption, header, rules and rows, a line each."""
    table = Table("t", "T\n\\input{x}", ("a|\n", "b&"), [(HOSTILE[5], HOSTILE[4]), ("[END]", "*")])
    lines = table.latex().splitlines()
    assert len(lines) == 14
    assert lines[3] == r"\caption{T \textbackslash{}input\{x\}.}"
    assert lines[10] == "{[}END] & {*} \\\\"
    assert len(table.markdown().splitlines()) == 4
