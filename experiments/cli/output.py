"""What commands print: tables for people, JSON for programs, verdicts with the report's place."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from toolkit.records import Conclusions

out = Console()
err = Console(stderr=True)


def print_rows(title: str, rows: Sequence[Any]) -> None:
    """A table of dictionaries or named tuples; a column with nothing in it is left out."""
    rows = [row if isinstance(row, dict) else row._asdict() for row in rows]
    table = Table(title=title, title_justify="left")
    shown = [key for key in (rows[0] if rows else ()) if any(row[key] not in (None, "") for row in rows)]
    for key in shown:
        table.add_column(key.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(plain("" if row[key] is None else str(row[key])) for key in shown))
    out.print(table)


def plain(text: str) -> Text:
    """Text in which square brackets are no markup: `[END]` is to be seen."""
    return Text(text)


def print_json(value: Any) -> None:
    """Print one JSON value; characters that the output's encoding may lack as JSON escapes."""
    escape = not str(sys.stdout.encoding).lower().startswith("utf")
    sys.stdout.write(json.dumps(value, indent=1, ensure_ascii=escape, allow_nan=False) + "\n")


def show_conclusions(conclusions: Conclusions, page: Path, *, as_json: bool) -> None:
    """The verdict table and where the report is."""
    from figures.tables.searches import claims, optima
    from figures.tables.verdicts import verdict_table
    from figures.wording.evidence import recommendation_text

    if as_json:
        print_json({**conclusions.model_dump(mode="json", exclude={"data"}), "report": str(page)})
        return
    print_rows("verdicts", verdict_table(conclusions))
    for table in (claims(conclusions), optima(conclusions)):
        if table.rows:
            print_rows(table.title, [dict(zip(table.header, row, strict=True)) for row in table.rows])
    for recommendation in conclusions.recommendations:
        text = recommendation_text(recommendation, conclusions.conditions)
        out.print(f"\n{text}", soft_wrap=True, highlight=False, markup=False)
    out.print(f"\nReport: {page}", soft_wrap=True, highlight=False)


def show_bench(measured: dict[str, Any], as_json: bool) -> int:
    """What a bench measured; exit code 0."""
    if as_json:
        print_json(measured)
    else:
        rows = [{"what": key, "measured": value} for key, value in measured.items()]
        print_rows(str(measured["name"]), rows)
    return 0
