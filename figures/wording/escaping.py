r"""Text of other people, and of models, as Markdown and LaTeX show it: nothing in it is a command."""

from __future__ import annotations

import re

from toolkit.errors import visible

_LATEX = {
    "\\": "\\textbackslash{}",
    "~": "\\textasciitilde{}",
    "^": "\\textasciicircum{}",
    "<": "\\textless{}",
    ">": "\\textgreater{}",
    "[": "{[}",  # after `\\` or `\midrule` a bracket would be an option
    "*": "{*}",  # after `\\` a star would be one, too
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "−": "$-$",
    "–": "--",
    "±": "$\\pm$",
    "×": "$\\times$",
    "…": "\\ldots{}",
    "≥": "$\\geq$",
    "≤": "$\\leq$",
}


_MARKDOWN = re.compile(r"[\\`*\[\]{}<>|#~$&]|(?<![^\W_])_|_(?![^\W_])")
"""An underscore within a word is no emphasis: `bits_per_byte` stays as it is. Braces give an element
attributes where an extension of Markdown is on, as in our own documentation."""


def one_line(text: object) -> str:
    """Return the text on one line, with control characters shown."""
    return visible(" ".join(str(text).split()))


def markdown(text: object) -> str:
    r"""Return text that Markdown shows as it is, GitHub's with mathematics too: ``<b>`` -> ``\<b\>``."""
    return _MARKDOWN.sub(r"\\\g<0>", one_line(text))


def code(text: object) -> str:
    """Return an inline code span whose fence is longer than any run of backticks in the text."""
    line = one_line(text)
    fence = "`" * (_longest_run(line) + 1)
    space = " " if line[:1] == "`" or line[-1:] == "`" else ""
    return f"{fence}{space}{line}{space}{fence}"


def fenced(text: str) -> str:
    """Return a fenced block whose fence is longer than any run of backticks in the text."""
    fence = "`" * max(3, _longest_run(text) + 1)
    return f"{fence}text\n{visible(text)}\n{fence}"


def latex(text: object) -> str:
    r"""Return text that LaTeX prints as it is; signs that its own fonts lack become its commands."""
    return "".join(_LATEX.get(sign, sign) for sign in one_line(text))


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall(r"`+", text)), default=0)
