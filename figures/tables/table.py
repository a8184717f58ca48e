"""A table that can be written as Markdown, LaTeX or CSV."""

from __future__ import annotations

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

    def markdown(self) -> str:
        """Return a GitHub-flavoured Markdown table; no cell is markup."""
        cells = [[markdown(cell) for cell in row] for row in self.rows]
        header = [markdown(name) for name in self.header]
        return tabulate(cells, header, tablefmt="pipe", disable_numparse=True)

    def latex(self) -> str:
        r"""Return a LaTeX `tabular` with booktabs rules, escaped; needs `\usepackage{booktabs}`."""
        lines = [" & ".join(latex(cell) for cell in row) + r" \\" for row in (self.header, *self.rows)]
        return "\n".join(
            [
                f"% {one_line(self.title)}; needs \\usepackage{{booktabs}}",
                f"\\begin{{tabular}}{{{'l' * len(self.header)}}}",
                "\\toprule",
                lines[0],
                "\\midrule",
                *lines[1:],
                "\\bottomrule",
                "\\end{tabular}",
                "",
            ]
        )

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
