"""Draw the figures of a study, and write each as PDF and PNG with the CSV behind it."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from math import ceil
from pathlib import Path

import pandas as pd
from joblib import Parallel, delayed
from matplotlib.figure import Figure

from figures.gallery.every_figure import FIGURES
from figures.gallery.figure import FigureSpec
from figures.gallery.sweeps import sweeps
from figures.style import NARROW, WIDTH, Style, drawn, gather_legends, gather_notes, save
from figures.tidy.load import StudyTables
from figures.wording.names import condition_label
from toolkit.errors import UserError, unknown_name
from toolkit.records import Condition
from toolkit.records.files import write_text

MIN_PANEL = 2.1
"""Inches that a panel needs."""
MOST_PROCESSES = 4
"""Each takes a second to start and 200 MB."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A figure as the report shows it."""

    name: str
    title: str
    caption: str
    note: str = ""
    """What the figure says below itself: n, and what its intervals mean."""
    svg: str | None = None
    csv: str = ""
    refused: str | None = None
    """Why it was not drawn."""


def draw_all(
    tables: StudyTables,
    folder: Path,
    style: Style = Style(),  # noqa: B008 - a frozen value
    only: Sequence[str] = (),
) -> list[Entry]:
    """Draw every figure of every condition, then those across conditions, with the CSV behind each.

    ``only`` names the figures to draw; all if empty. They are drawn beside each other, in processes of their
    own: matplotlib takes a second for each. Raises UserError if a named figure is not one of the study's.
    """
    specs = list(figures_of(tables))
    names = [spec.name for spec in specs]
    for name in only:
        if name not in names:
            raise unknown_name("figure of this study", name, names)
    specs = [spec for spec in specs if not only or spec.name in only]
    together = max(1, min(len(specs), os.cpu_count() or 1, MOST_PROCESSES))
    largest_first = sorted(range(len(specs)), key=lambda n: -len(specs[n].panels))
    with _own_packages_first():
        entries = Parallel(n_jobs=together, batch_size=1)(
            delayed(write_figure)(specs[number], folder, style) for number in largest_first
        )
    return [entry for _, entry in sorted(zip(largest_first, entries, strict=True), key=lambda pair: pair[0])]


@contextmanager
def _own_packages_first() -> Iterator[None]:
    """Search our own folder first for a while: new processes inherit `sys.path`, and import `figures`."""
    home = str(Path(__file__).resolve().parents[2])
    sys.path.insert(0, home)
    try:
        yield
    finally:
        sys.path.remove(home)


def figures_of(tables: StudyTables) -> Iterator[FigureSpec]:
    """Yield every figure that the study has data for, in the order of the report."""
    for panel in tables.panels:
        part = tables.panel(panel)
        suffix, where = slug(tables, panel)
        for make in FIGURES:
            spec = make(part)
            if spec is not None and spec.panels:
                yield replace(spec, name=spec.name + suffix, title=spec.title + where)
    for spec, which in sweeps(tables):
        suffix = "-" + re.sub(r"[^\w.-]+", "-", which) if which else ""
        title = f"{spec.title} ({which})" if which else spec.title
        if spec.panels:
            yield replace(spec, name=spec.name + suffix, title=title)


def slug(tables: StudyTables, panel: Condition) -> tuple[str, str]:
    """What a panel adds to file names and titles: nothing where it is the only one."""
    if len(tables.panels) == 1:
        return "", ""
    words = condition_label(panel, tables.panels)
    return "-" + re.sub(r"[^\w.-]+", "-", words.replace(" on ", " ")), f" ({words})"


def write_figure(spec: FigureSpec, folder: Path, style: Style) -> Entry:
    """Draw a figure and write it into ``folder`` in the style's formats, with the CSV behind it."""
    entry = Entry(name=spec.name, title=spec.title, caption=spec.caption)
    try:
        figure = drawn(partial(compose, spec, style.width), style)
    except UserError as refusal:
        return replace(entry, refused=str(refusal))
    frames = list({id(table): table for _, table in spec.panels}.values())
    csv = (
        pd.concat(frames)
        .drop(columns=["colour", "mark", "dash"], errors="ignore")
        .to_csv(index=False, lineterminator="\n")
    )
    write_text(folder / f"{spec.name}.csv", csv)
    note = figure.get_supxlabel().replace("\n", " ")
    return replace(entry, note=note, svg=save(figure, folder / spec.name, style), csv=csv)


def compose(spec: FigureSpec, width: float = WIDTH, make: Callable[..., Figure] = Figure) -> Figure:
    """Return the figure with its panels, legend and notes, not yet laid out; ``width`` in inches.

    ``make`` creates the figure: matplotlib's own, or pyplot's.
    """
    columns = min(spec.columns, max(1, int(width / MIN_PANEL)))
    number = ceil(len(spec.panels) / columns)
    narrow = width < NARROW and spec.right > 0
    heights = list(spec.heights) if columns == spec.columns else [max(spec.heights)] * number
    heights = [height * (1.45 if narrow else 1) for height in heights]
    figure = make(figsize=(width, sum(heights) + 0.3))
    right = 0 if narrow else spec.right / width
    figure.set_layout_engine("constrained", w_pad=0.06, h_pad=0.05, rect=(0, 0, 1 - right, 1))
    grid = figure.subplots(
        number, columns, squeeze=False, sharey="row" if spec.share_y else False, height_ratios=heights
    )
    for index, ax in enumerate(grid.flat):
        if index < len(spec.panels):
            plot, table = spec.panels[index]
            plot(table, ax)
        else:
            ax.set_visible(False)
    gather_legends(figure)
    gather_notes(figure)
    return figure
