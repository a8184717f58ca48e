"""A kept study's tables, figures and report, drawn again from nothing but its records."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from experiments.analysis.conclude import read as conclusions_of
from experiments.analysis.verify import verify
from experiments.publishing.kept import RESULTS, archive
from experiments.sharing.incoming.importing import import_archive
from figures.report.page import build
from figures.style import Style
from toolkit.errors import UserError
from toolkit.records.files import whole_folder
from toolkit.records.folders import Root

SHOWN = ("report.md", "figures/*.png", "figures/*.csv", "tables/*.csv", "tables/*.md")
"""What is kept of a report: the page with its figures and tables. `bakeoff import` draws all of it."""


class Rebuilt(NamedTuple):
    """What was drawn, and what had to hold first."""

    folder: Path
    values: int
    """Metric values that were computed again from the statistics of single documents, and were the same."""
    verdicts: int
    """Comparisons of which the same is true."""


def rebuild(study: str, results: Path = RESULTS, to: Path | None = None) -> Rebuilt:
    """Draw a kept study's report into ``to``; into its own folder, in place of the older one, if None.

    Every hash and record is checked, and every value and verdict computed again, before anything is drawn.
    Raises UserError if any of it does not hold.
    """
    target = to or results / study / "report"
    with TemporaryDirectory() as folder, archive(study, results) as packed:
        root = Path(folder)
        import_archive(packed, root)
        checked = verify(conclusions_of(root, study), root)
        if checked.problems:
            first = checked.problems[0]
            where = f"{len(checked.problems)} problems, the first in {Path(first.where).name}"
            raise UserError(f"{study}: {where}: {first.what}")
        report = build(Root(root).results(study).path, root, style=Style(formats=("png",))).parent
        with whole_folder(target) as fresh:
            for pattern in SHOWN:
                for file in sorted(report.glob(pattern)):
                    place = fresh / file.relative_to(report)
                    place.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(file, place)
    return Rebuilt(target, checked.values, checked.verdicts)
