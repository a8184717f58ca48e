"""A study's report: figures, tables, one self-contained page and its Markdown twin, from records alone."""

from __future__ import annotations

import base64
import hashlib
import re
import shlex
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from figures.gallery.draw import Entry, draw_all, slug
from figures.gallery.figure import headline
from figures.report.checklists import checklists, installation, versions
from figures.report.sections import (
    audit,
    data_reports,
    environment,
    examples,
    licences,
    settings,
    signatures,
    worst,
)
from figures.report.texts import disagreements, marked, section_markers
from figures.style import BAND, GRID, INK, MUTED, PAPER, Style
from figures.tables import audiences, costs, decodings, failures, scores, searches, verdicts
from figures.tables.table import Table
from figures.tidy.load import StudyTables, load
from figures.wording import prose
from figures.wording.answer import answer
from figures.wording.escaping import code, fenced, markdown
from figures.wording.evidence import looks_text, recommendation_text
from figures.wording.names import condition_label, joined
from figures.wording.pairs import metric_labels, untuned_methods
from toolkit.errors import UserError, visible
from toolkit.records import StudyRecords, hashes
from toolkit.records.files import whole_folder, write_text
from toolkit.records.folders import from_here, without_paths


def build(
    study_folder: Path,
    root: Path,
    records: StudyRecords | None = None,
    style: Style = Style(),  # noqa: B008 - a frozen value
) -> Path:
    """Write ``study_folder``/report whole, in place of an older one, and return its report.html.

    ``style`` is that of the figures. ``records`` are those that the study's conclusions were drawn from;
    None reads them from ``root``.
    Raises UserError where a record is missing or damaged, where runs may not be compared, and where the
    folder can't be written.
    """
    study = load(study_folder, root, records)
    hashes.forget(study_folder, "report/")
    drawn = study_folder / "report"
    with ExitStack() as drawing:
        folder = drawing.enter_context(whole_folder(drawn))
        figures = draw_all(study, folder / "figures", style)
        made = _tables(study)
        for table in made:
            write_text(folder / "tables" / f"{table.name}.csv", table.csv())
            write_text(folder / "tables" / f"{table.name}.md", table.markdown() + "\n")
            write_text(folder / "tables" / f"{table.name}.tex", table.latex())
        facts = {**_facts(study, figures, made, root), **_files(style)}
        write_text(folder / "report.md", render("report.md.jinja", facts, root))
        write_text(folder / "report.html", render("report.html.jinja", facts, root))
        # Several processes may conclude one study at once: each puts its report there and seals it alone.
        hashes.seal(study_folder, (path for path in drawn.rglob("*") if path.is_file()), place=drawing.close)
    return drawn / "report.html"


def draw_only(study_folder: Path, root: Path, only: Sequence[str], style: Style) -> list[Path]:
    """Draw single figures into ``study_folder``/figures, and return the paths of the files written.

    The report is left as it is. Raises UserError for a figure that the study does not have, or that refuses
    its records.
    """
    folder = study_folder / "figures"
    paths = []
    for entry in draw_all(load(study_folder, root), folder, style, only):
        if entry.refused:
            raise UserError(f"{entry.name} was not drawn: {entry.refused}")
        paths += [folder / f"{entry.name}.{suffix}" for suffix in (*style.formats, "csv")]
    return paths


def _tables(study: StudyTables) -> list[Table]:
    made = [verdicts.verdicts(study.conclusions), verdicts.undecided(study.conclusions)]
    made += [t for t in (searches.claims(study.conclusions), searches.optima(study.conclusions)) if t.rows]
    for panel in study.panels:
        part = study.panel(panel)
        suffix, where = slug(study, panel)
        several = [decodings.effects(part), decodings.settings(part)] if len(part.settings) else []
        for table in (
            scores.results(part, headline(part)),
            audiences.paper(part, headline(part)),
            audiences.readme(part, headline(part)),
            scores.all_metrics(part),
            *several,
            *([failures.failures(part)] if len(part.failures) else []),
            costs.costs(part),
        ):
            made.append(table._replace(name=table.name + suffix, title=table.title + where))
    return made


def _facts(study: StudyTables, figures: list[Entry], made: list[Table], root: Path) -> dict[str, Any]:
    """All that the templates show."""
    conclusions, about = study.conclusions, settings(study)
    panels = [
        {"title": condition_label(panel, study.panels), "answer": answer(conclusions, panel)}
        for panel in study.panels
    ]
    return {
        "conclusions": conclusions,
        "panels": panels,
        "figures": figures,
        "tables": made,
        "examples": [
            examples(study.panel(panel), condition_label(panel, study.panels)) for panel in study.panels
        ],
        "worst": [worst(study.panel(panel), condition_label(panel, study.panels)) for panel in study.panels],
        "disagreements": [
            disagreements(study.panel(panel), condition_label(panel, study.panels)) for panel in study.panels
        ],
        "markers": section_markers(study.generations["reference"]),
        "checklists": checklists(study),
        "versions": versions(study),
        "installation": installation(study),
        "data": data_reports(conclusions),
        "audit": audit(conclusions),
        "signatures": signatures(study),
        "environment": environment(study),
        "settings": {**about, "study": without_paths(about["study"], root) if about["study"] else None},
        "licences": licences(study),
        "recommendations": [
            recommendation_text(
                one,
                conclusions.conditions,
                untuned_methods(conclusions, one.condition),
                metric_labels(conclusions),
            )
            for one in conclusions.recommendations
        ],
        "looks": looks_text(conclusions.sequential) if conclusions.sequential else None,
        "how_to_read": prose.how_to_read(conclusions),
        "limits": prose.LIMITS,
        "lost": [
            cell.model_copy(update={"error": cell.error and without_paths(cell.error, root)})
            for cell in conclusions.cells
            if cell.status != "finished"
        ],
    }


def _files(style: Style) -> dict[str, Any]:
    """The file types of a figure: one that a page shows, those it links beside, and all of them in words."""
    return {
        "image": next((suffix for suffix in ("png", "svg") if suffix in style.formats), None),
        "linked": [suffix for suffix in ("pdf", "pgf") if suffix in style.formats],
        "formats": joined([suffix.upper() for suffix in style.formats]),
    }


def render(template: str, facts: dict[str, Any], root: Path) -> str:
    """Fill in a template of this room; ``root``: the folder whose paths are given from there on."""
    # Titles and generations are other people's text, and a model's: everything is escaped but our own SVG.
    environment_ = Environment(
        loader=PackageLoader("figures.report"),
        autoescape=template.endswith(".html.jinja"),
        undefined=StrictUndefined,
        finalize=partial(_shown, root=root),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment_.filters.update(
        inline_svg=_inline_svg,
        csv_link=_csv_link,
        marked=marked,
        md=markdown,
        fenced=fenced,
        code=code,
        shell=shlex.quote,
    )
    script = environment_.loader.get_source(environment_, "report.js")[0] if environment_.loader else ""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment_.get_template(template).render(facts, script=Markup(script), script_hash=digest)  # noqa: S704 - ours


def _shown(value: object, root: Path) -> object:
    """Return a template's value with control characters shown and paths of this machine cut.

    Drawings and escaped text stay as they are.
    """
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return visible(from_here(value, root))


def _inline_svg(entry: Entry) -> Markup:
    """The figure as part of the page: its ids made its own, and its ink taken from the page's colours."""
    svg = (entry.svg or "")[(entry.svg or "").index("<svg") :]
    colours = {INK: "ink", MUTED: "muted", GRID: "grid", BAND: "band", PAPER: "page"}
    for colour, variable in colours.items():
        svg = svg.replace(colour, f"var(--{variable})")
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{entry.name}-", svg)
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    label = Markup.escape(f"{entry.title}. {entry.caption} {entry.note}")
    svg = re.sub(r' (?:width|height)="[\d.]+pt"', "", svg, count=2)
    return Markup(svg.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1))  # noqa: S704 - drawn here


def _csv_link(entry: Entry) -> str:
    """The figure's numbers as a data URI, so that the page alone is enough."""
    return "data:text/csv;base64," + base64.b64encode(entry.csv.encode()).decode()
