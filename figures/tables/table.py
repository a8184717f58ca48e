"""A table that can be written as Markdown, LaTeX or CSV."""

from __future__ import annotations

import textwrap
from typing import NamedTuple

import pandas as pd
from tabulate import tabulate

from figures.wording.escaping import latex, markdown, one_line
from figures.wording.names import method_label


class Table(NamedTuple):
    """A table ready to be printed in any format."""

    name: str
    title: str
    header: tuple[str, ...]
    rows: list[tuple[str, ...]]
    note: str = ""
    """What its signs mean: intervals, bold, untuned."""
    bold: frozenset[tuple[int, int]] = frozenset()
    """Row and column of the cells in bold."""
    numbers: pd.DataFrame | None = None
    """The same facts as numbers, one per row, for the CSV; None if the table has words alone."""

    def markdown(self) -> str:
        """Return a GitHub-flavoured Markdown table, with the note below it; no cell is markup."""
        cells = [
            [f"**{markdown(cell)}**" if (y, x) in self.bold else markdown(cell) for x, cell in enumerate(row)]
            for y, row in enumerate(self.rows)
        ]
        header = [markdown(name) for name in self.header]
        text = tabulate(cells, header, tablefmt="pipe", disable_numparse=True)
        return f"{text}\n\n{markdown(self.note)}" if self.note else text

    def latex(self) -> str:
        r"""Return a LaTeX `table` with its note as caption, escaped; needs `\usepackage{booktabs}`."""
        lines = [
            " & ".join(
                rf"\textbf{{{latex(cell)}}}" if (y, x) in self.bold else latex(cell)
                for x, cell in enumerate(row)
            )
            + r" \\"
            for y, row in enumerate((self.header, *self.rows), start=-1)
        ]
        caption = f"{one_line(self.title)}. {one_line(self.note)}".strip()
        return "\n".join(
            [
                "% needs \\usepackage{booktabs}",
                "\\begin{table}",
                "\\centering",
                *textwrap.wrap(
                    rf"\caption{{{latex(caption)}}}", 100, break_long_words=False, break_on_hyphens=False
                ),
                rf"\label{{tab:{self.name}}}",
                f"\\begin{{tabular}}{{{'l' * len(self.header)}}}",
                "\\toprule",
                lines[0],
                "\\midrule",
                *lines[1:],
                "\\bottomrule",
                "\\end{tabular}",
                "\\end{table}",
                "",
            ]
        )

    def csv(self) -> str:
        """Return CSV: numbers where the table has them, else the words of the other formats.

        A text that a spreadsheet would compute has an apostrophe in front.
        """
        table = self.numbers
        if table is None:
            table = pd.DataFrame(self.rows, columns=list(self.header))
        return table.map(_not_a_formula).to_csv(index=False, lineterminator="\n")


def _not_a_formula(cell: object) -> object:
    """Return a cell; with an apostrophe in front if it is a text that begins like a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell


def with_untuned(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with *untuned* beside the label of every method whose rate was not searched for."""
    if frame.empty:
        return frame
    labels = [
        method_label(str(label), tuned=untuned is not True)
        for label, untuned in zip(frame["label"], frame["untuned"], strict=True)
    ]
    return frame.assign(label=labels)
