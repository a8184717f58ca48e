"""A table that can be written as Markdown, LaTeX or CSV."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd
from tabulate import tabulate

from figures.wording.names import MINUS, MISSING, method_label

LATEX = {
    MINUS: "$-$",
    MISSING: "--",
    "±": "$\\pm$",
    "×": "$\\times$",
    "…": "\\ldots{}",
    "≥": "$\\geq$",
    "≤": "$\\leq$",
}
"""Signs that LaTeX's own fonts lack, spelled as its commands."""


class Table(NamedTuple):
    """A table ready to be printed in any format."""

    name: str
    title: str
    header: tuple[str, ...]
    rows: list[tuple[str, ...]]

    def markdown(self) -> str:
        """As a GitHub-flavoured Markdown table."""
        cells = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in self.rows]
        return tabulate(cells, self.header, tablefmt="pipe", disable_numparse=True)

    def latex(self) -> str:
        r"""As a LaTeX `tabular` with booktabs rules, escaped; for a preamble with `\usepackage{booktabs}`."""
        text = tabulate(self.rows, self.header, tablefmt="latex_booktabs", disable_numparse=True)
        for sign, command in LATEX.items():
            text = text.replace(sign, command)
        return f"% {self.title}; needs \\usepackage{{booktabs}}\n{text}\n"

    def csv(self) -> str:
        """As CSV, with the words of the other formats."""
        return pd.DataFrame(self.rows, columns=list(self.header)).to_csv(index=False, lineterminator="\n")


def with_untuned(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with *untuned* beside the label of every method whose rate was not searched for."""
    if frame.empty:
        return frame
    labels = [
        method_label(str(label), tuned=untuned is not True)
        for label, untuned in zip(frame["label"], frame["untuned"], strict=True)
    ]
    return frame.assign(label=labels)
