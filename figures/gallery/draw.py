"""Draws the planned figures of a study, and writes each as PDF, PNG, SVG and the CSV behind it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from math import ceil
from pathlib import Path

import pandas as pd
from joblib import Parallel, delayed
from matplotlib.figure import Figure

from figures.gallery.figure_list import PLANS, Plan
from figures.plots.sweeps import capacity, sweeps
from figures.style import WIDTH, drawn, gather_legends, gather_notes, save
from figures.tidy.load import StudyTables
from figures.wording.words import condition_label
from toolkit.errors import UserError
from toolkit.records import Condition
from toolkit.records.files import write_text

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


def draw_all(tables: StudyTables, folder: Path) -> list[Entry]:
    """Draw every figure of every condition, then those across conditions, as PDF, PNG and CSV.

    Figures are drawn beside each other, in processes of their own: matplotlib takes a second for each.
    """
    plans = list(_planned(tables))
    together = max(1, min(len(plans), os.cpu_count() or 1, MOST_PROCESSES))
    largest_first = sorted(range(len(plans)), key=lambda n: -len(plans[n].panels))
    entries = Parallel(n_jobs=together, batch_size=1)(
        delayed(_write)(plans[number], folder) for number in largest_first
    )
    return [entry for _, entry in sorted(zip(largest_first, entries, strict=True), key=lambda pair: pair[0])]


def _planned(tables: StudyTables) -> Iterator[Plan]:
    for panel in tables.panels:
        part = tables.panel(panel)
        suffix, where = slug(tables, panel)
        for make in (*PLANS, capacity):
            plan = make(part)
            if plan is not None and plan.panels:
                yield replace(plan, name=plan.name + suffix, title=plan.title + where)
    for plan, which in sweeps(tables):
        suffix = "-" + re.sub(r"[^\w.-]+", "-", which) if which else ""
        title = f"{plan.title} ({which})" if which else plan.title
        yield replace(plan, name=plan.name + suffix, title=title)


def slug(tables: StudyTables, panel: Condition) -> tuple[str, str]:
    """What a panel adds to file names and titles: nothing where it is the only one."""
    if len(tables.panels) == 1:
        return "", ""
    words = condition_label(panel, tables.panels)
    return "-" + re.sub(r"[^\w.-]+", "-", words.replace(" on ", " ")), f" ({words})"


def _write(plan: Plan, folder: Path) -> Entry:
    entry = Entry(name=plan.name, title=plan.title, caption=plan.caption)
    try:
        figure = drawn(partial(_compose, plan))
    except UserError as refusal:
        return replace(entry, refused=str(refusal))
    frames = list({id(table): table for _, table in plan.panels}.values())
    csv = pd.concat(frames).to_csv(index=False, lineterminator="\n")
    write_text(folder / f"{plan.name}.csv", csv)
    note = figure.get_supxlabel().replace("\n", " ")
    return replace(entry, note=note, svg=save(figure, folder / plan.name), csv=csv)


def _compose(plan: Plan) -> Figure:
    figure = Figure(figsize=(WIDTH, sum(plan.heights) + 0.3))
    figure.set_layout_engine("constrained", w_pad=0.06, h_pad=0.05, rect=(0, 0, 1 - plan.right, 1))
    grid = figure.subplots(
        ceil(len(plan.panels) / plan.columns),
        plan.columns,
        squeeze=False,
        sharey="row" if plan.share_y else False,
        height_ratios=list(plan.heights),
    )
    for index, ax in enumerate(grid.flat):
        if index < len(plan.panels):
            plot, table = plan.panels[index]
            plot(table, ax)
        else:
            ax.set_visible(False)
    gather_legends(figure)
    gather_notes(figure)
    return figure
