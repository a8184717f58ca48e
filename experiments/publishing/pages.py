"""Write docs/board.md, docs/findings.md and the README's results from the kept studies."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from experiments.publishing.board import page as board_page
from experiments.publishing.board import steps
from experiments.publishing.board.rows import STUDY
from experiments.publishing.findings import across, opening
from experiments.publishing.findings import page as findings_page
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
README = "../README.md"
RESULTS_BLOCK = re.compile(r"(?<=<!-- results -->\n).*?(?=<!-- end -->)", re.DOTALL)
"""The part of the README that is written from the records."""


def texts(results: Path = RESULTS, docs: Path = DOCS) -> dict[str, str]:
    """Return the pages and the README by their path from ``docs``, as they should be.

    What is written by hand is taken from the files that are there.
    """
    studies = {name: read(name, results) for name in kept(results)}
    pictures = {name: [f"{FIGURES}/{file}" for file in _figures(name, results)] for name in studies}
    findings = docs / "findings.md"
    before = findings.read_text(encoding="utf-8") if findings.is_file() else ""
    board: Kept | None = studies.get(STUDY)
    measured = steps.read(board.conclusions.baseline, results) if board else None
    found = {
        "board.md": board_page.page(board, next(iter(pictures.get(STUDY, ())), None), measured),
        "findings.md": findings_page.page(studies, pictures, before),
    }
    readme, shown = docs / README, across.table(studies)
    if readme.is_file() and shown:
        block = "\n\n".join((opening.use(studies), shown.markdown(), across.NOTE))
        found[README] = RESULTS_BLOCK.sub(lambda _: f"{block}\n", readme.read_text(encoding="utf-8"))
    return found


def write(results: Path = RESULTS, docs: Path = DOCS) -> list[Path]:
    """Write the pages and their figures into ``docs``, and the README's results; return the paths."""
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
