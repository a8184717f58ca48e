"""What commands print: tables for people, JSON for programs, verdicts with the report's place."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from toolkit.errors import visible
from toolkit.records import Conclusions


class VisibleConsole(Console):
    """A console on which titles, generations and error messages are text: no markup, no escape sequence."""

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, markup=False, highlight=False)

    def print(self, *objects: Any, **options: Any) -> None:
        """Print; lines of text aren't folded at the terminal's width, so that a path stays in one piece."""
        options.setdefault("soft_wrap", all(isinstance(one, str) for one in objects))
        super().print(*objects, **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render with control characters of the text replaced by visible ones; rich's own are kept."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=visible(segment.text))


out = VisibleConsole()
err = VisibleConsole(stderr=True)


GROUP = "condition"
"""The column whose value is printed once for the rows below each other that share it."""


def print_rows(title: str, rows: Sequence[Any]) -> None:
    """A table of dictionaries or named tuples, under a title if it has one; empty columns are left out."""
    rows = [row if isinstance(row, dict) else row._asdict() for row in rows]
    table = Table(title=title or None, title_justify="left")
    shown = [key for key in (rows[0] if rows else ()) if any(row[key] not in (None, "") for row in rows)]
    for key in shown:
        table.add_column(key.replace("_", " "), overflow="fold")
    above: object = None
    for row in rows:
        repeated = row.get(GROUP) == above
        if not repeated:
            table.add_section()
        above = row.get(GROUP)
        cells = ("" if row[key] is None or (repeated and key == GROUP) else str(row[key]) for key in shown)
        table.add_row(*map(plain, cells))
    out.print(table)


def plain(text: str) -> Text:
    """Return text in which square brackets are no markup, and control characters have the width they show."""
    return Text(visible(text))


def print_json(value: Any) -> None:
    """Print one JSON value; as JSON escapes what the output's encoding may lack and what a terminal obeys."""
    escape = not str(sys.stdout.encoding).lower().startswith("utf")
    text = json.dumps(value, indent=1, ensure_ascii=escape, allow_nan=False)
    if visible(text) != text:  # such a character stands within a string, where JSON may escape it
        text = "".join(c if visible(c) == c else f"\\u{ord(c):04x}" for c in text)
    sys.stdout.write(text + "\n")


def show_conclusions(conclusions: Conclusions, page: Path, *, as_json: bool) -> None:
    """The verdict table and where the report is."""
    from figures.tables.searches import claims, optima
    from figures.tables.verdicts import VERDICT_HEADER, verdict_table
    from figures.wording.evidence import looks_text, recommendation_text
    from figures.wording.pairs import metric_labels, untuned_methods

    if as_json:
        print_json({**conclusions.model_dump(mode="json", exclude={"data"}), "report": str(page)})
        return
    rows = [row._asdict() for row in verdict_table(conclusions)]
    print_rows("verdicts", [{VERDICT_HEADER[key]: value for key, value in row.items()} for row in rows])
    for table in (claims(conclusions), optima(conclusions)):
        if table.rows:
            print_rows(table.title, [dict(zip(table.header, row, strict=True)) for row in table.rows])
    if conclusions.sequential:
        out.print(f"\n{looks_text(conclusions.sequential)}")
    for recommendation in conclusions.recommendations:
        raw = untuned_methods(conclusions, recommendation.condition)
        text = recommendation_text(recommendation, conclusions.conditions, raw, metric_labels(conclusions))
        out.print(f"\n{text}")
    out.print(f"\nReport: {page}")


def show_bench(measured: dict[str, Any], as_json: bool) -> int:
    """What a bench measured, with a table of its own for what has rows; exit code 0."""
    if as_json:
        print_json(measured)
        return 0
    of_rows = [k for k, v in measured.items() if isinstance(v, list) and v and isinstance(v[0], dict)]
    rows = [{"what": key, "measured": value} for key, value in measured.items() if key not in of_rows]
    print_rows(str(measured["name"]), rows)
    for key in of_rows:
        names = dict.fromkeys(name for row in measured[key] for name in row)
        print_rows(key, [{name: row.get(name) for name in names} for row in measured[key]])
    return 0
