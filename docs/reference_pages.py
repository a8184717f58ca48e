"""Write pages of the docs: commands, metrics, records and the door's columns from the code; the walkthrough.

MkDocs calls the two `on_…` functions while it builds (`hooks` in mkdocs.yml), so no page can be out of date.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

if (HOME := str(Path(__file__).resolve().parents[1])) not in sys.path:
    sys.path.insert(0, HOME)  # MkDocs loads this file from its own folder

WALKTHROUGH = Path(HOME) / "experiments" / "walkthrough.ipynb"

SOURCES = Path(HOME) / "docs" / "metric-sources.yaml"

COLUMNS = "<!-- columns -->"
"""Where `python.md` gets the tables of the door's columns."""


def commands() -> str:
    """Return the command reference, from the commands' own help."""
    from experiments.cli import app

    text = str(app.generate_docs(output_format="markdown"))
    opening, _, rest = text.partition("## Table of Contents")
    _, _, sections = rest.partition("\n## ")  # the site has a table of contents of its own
    return f"{opening.replace('# bakeoff', '# Commands', 1)}\n## {sections}"


def metrics() -> str:
    """Return the metric reference, from the metric classes."""
    import yaml

    from eval.metrics import all_metrics, unavailable

    sources = yaml.safe_load(SOURCES.read_text(encoding="utf-8"))
    pages = ["# Metrics\n\nEvery metric with its formula and signature. Those with a verdict come first.\n"]
    for name, item in all_metrics().items():
        module = inspect.getdoc(sys.modules[type(item).__module__]) or ""
        margin = "none" if item.margin is None else f"{item.margin:g} ({item.margin_kind})"
        facts = {
            "Name": f"`{name}`",
            "Formula": sources[name]["formula"],
            "Source": sources[name]["source"],
            "Unit": item.unit,
            "Better": item.direction,
            "Equivalence margin": margin,
            "Verdict by default": "yes" if item.headline else "no",
            "Statistics per document": inspect.getdoc(item.statistics),
            "Value": inspect.getdoc(item.aggregate),
            "Signature": f"`{item.signature}`",
        }
        about = f"{module}\n\n{inspect.getdoc(type(item)) or ''}"
        pages.append(f"## {item.label}\n\n{about}\n\n{_table(('', ''), facts)}")
    missing = unavailable()
    if missing:
        pages.append("## Not installed\n\n" + "\n".join(f"- {text}" for text in missing.values()) + "\n")
    return "\n".join(pages)


def records() -> str:
    """Return the record reference, from the models of `toolkit.records`."""
    from toolkit import records as room

    kinds = [getattr(room, name) for name in room.__all__]
    models = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, room.Record)]
    pages = ["# Records\n\nEvery field of every record on disk. What is unknown is `null`.\n"]
    for model in sorted(models, key=lambda kind: kind.__name__):
        if not model.model_fields:
            continue
        rows = {
            f"`{name}`": f"`{_type(field.annotation)}` | {' '.join((field.description or '').split())}"
            for name, field in model.model_fields.items()
        }
        head = ("field", "type | meaning")
        pages.append(f"## {model.__name__}\n\n{inspect.getdoc(model)}\n\n{_table(head, rows, escape=False)}")
    return "\n".join(pages)


def columns() -> str:
    """Return the tables of the door's columns."""
    from bakeoff import columns as documented

    frames = {name: getattr(documented, name.upper()) for name in ("verdicts", "scores", "costs")}
    return "\n".join(
        f"### `result.{name}`\n\n"
        + _table(("column", "meaning"), {f"`{column}`": text for column, text in table.items()})
        for name, table in frames.items()
    )


def walkthrough() -> str:
    """Return the walkthrough's text and code as a page. Nothing is executed."""
    notebook = json.loads(WALKTHROUGH.read_text(encoding="utf-8"))
    parts = []
    for cell in notebook["cells"]:
        text = "".join(cell["source"])
        markdown = cell["cell_type"] == "markdown"
        parts.append(text.replace("](../docs/", "](") if markdown else f"```python\n{text}\n```")
    return "\n\n".join(parts) + "\n"


PAGES = {
    "reference/commands.md": commands,
    "reference/metrics.md": metrics,
    "reference/records.md": records,
    "walkthrough.md": walkthrough,
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages to the site."""
    from mkdocs.structure.files import File

    for path, make in PAGES.items():
        files.append(File.generated(config, path, content=make()))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Put the tables of columns into the page on Python."""
    return markdown.replace(COLUMNS, columns())


def _table(head: tuple[str, str], rows: Mapping[str, Any], *, escape: bool = True) -> str:
    """Return a Markdown table of two columns; with ``escape`` false the second may hold further columns."""
    count = 2 if escape else 3
    lines = [f"| {head[0]} | {head[1]} |", "|" + " --- |" * count]
    for name, value in rows.items():
        text = " ".join(str(value).split())
        lines.append(f"| {name} | {text.replace('|', chr(92) + '|') if escape else text} |")
    return "\n".join(lines) + "\n"


def _type(annotation: Any) -> str:
    """Return a type as it is written in the source, without the names of modules."""

    text = (
        annotation.__name__ if isinstance(annotation, type) and not hasattr(annotation, "__origin__") else ""
    )
    text = text or re.sub(r"\b[a-z_]+\.(?=[a-zA-Z_])", "", str(annotation)).replace("NoneType", "None")
    return text.replace("|", "or")
