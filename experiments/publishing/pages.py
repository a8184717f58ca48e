"""Write docs/board.md and docs/findings.md, with the figures that they show, from the kept studies."""

from __future__ import annotations

import shutil
from pathlib import Path

from experiments.publishing import findings_page
from experiments.publishing.board import page as board_page
from experiments.publishing.board import steps
from experiments.publishing.board.rows import STUDY
from experiments.publishing.kept import RESULTS, Kept, kept, read
from toolkit.records.files import write_text

DOCS = Path(__file__).parents[2] / "docs"
FIGURES = "evidence"
"""The folder of the pages' figures, in docs/."""
SHOWN = {
    "data-size": "train-size-sweep",
    "epochs": "epochs-sweep",
    "learning-rates": "learning-rates",
    "temperatures": "decoding-or-method",
}
"""Study -> the figures of it that its page shows, by the start of their names; of all others `USUAL`."""
USUAL = "differences"


def texts(results: Path = RESULTS, docs: Path = DOCS) -> dict[str, str]:
    """Return the pages by name, as they should be; what is written by hand is taken from ``docs``."""
    studies = {name: read(name, results) for name in kept(results)}
    pictures = {name: [f"{FIGURES}/{file}" for file in _figures(name, results)] for name in studies}
    findings = docs / "findings.md"
    before = findings.read_text(encoding="utf-8") if findings.is_file() else ""
    board: Kept | None = studies.get(STUDY)
    measured = steps.read(board.conclusions.baseline, results) if board else None
    return {
        "board.md": board_page.page(board, next(iter(pictures.get(STUDY, ())), None), measured),
        "findings.md": findings_page.page(studies, pictures, before),
    }


def write(results: Path = RESULTS, docs: Path = DOCS) -> list[Path]:
    """Write both pages and their figures into ``docs``; return the pages' paths."""
    paths = []
    for name, text in texts(results, docs).items():
        write_text(docs / name, text)
        paths.append(docs / name)
    shutil.rmtree(docs / FIGURES, ignore_errors=True)
    for study in kept(results):
        for file, figure in _figures(study, results).items():
            (docs / FIGURES).mkdir(exist_ok=True)
            shutil.copyfile(figure, docs / FIGURES / file)
    return paths


def _figures(study: str, results: Path) -> dict[str, Path]:
    """Name in docs/evidence -> the report's figure; one per condition, if it is drawn for each."""
    drawn = sorted((results / study / "report" / "figures").glob("*.png"))
    for start in (SHOWN.get(study, USUAL), USUAL):
        found = {
            f"{study}{path.name.removeprefix(start)}": path for path in drawn if path.stem.startswith(start)
        }
        if found:
            return found
    return {}
