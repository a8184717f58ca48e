"""What a study concluded, as pandas frames and matplotlib figures, read from its records alone."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.style import context as style_context

from bakeoff import columns
from figures.gallery.draw import compose, figures_of
from figures.gallery.figure import FigureSpec, Plot
from figures.style import RC, drawn, settle_notes
from figures.tidy import load as tidy
from figures.tidy.load import StudyTables
from toolkit.errors import UserError, unknown_name

__all__ = ["Result", "load"]


class Result:
    """What a study concluded: verdicts, scores and costs as frames, and every figure of its report."""

    def __init__(self, folder: Path, tables: StudyTables) -> None:
        self.folder = folder
        """`results/<study>/`."""
        self._tables = tables

    def __repr__(self) -> str:
        return f"Result({str(self.folder)!r}, {len(self.verdicts)} verdicts)"

    @property
    def verdicts(self) -> pd.DataFrame:
        """One row per comparison and metric; the columns are `bakeoff.columns.VERDICTS`."""
        return self._tables.comparisons[list(columns.VERDICTS)].copy()

    @property
    def scores(self) -> pd.DataFrame:
        """One row per method and metric, over its seeds; the columns are `bakeoff.columns.SCORES`."""
        return self._tables.estimates[list(columns.SCORES)].copy()

    @property
    def costs(self) -> pd.DataFrame:
        """One row per training run; the columns are `bakeoff.columns.COSTS`."""
        frame = self._tables.costs
        return frame[frame["phase"] != "base"][list(columns.COSTS)].reset_index(drop=True)

    @property
    def failed(self) -> dict[str, str]:
        """Runs that failed, as run id -> what went wrong; `run(retry_failed=True)` tries them again."""
        cells = self._tables.conclusions.cells
        return {cell.run_id: str(cell.error) for cell in cells if cell.status == "failed"}

    @property
    def report(self) -> Path:
        """The report, one self-contained HTML page."""
        return self.folder / "report" / "report.html"

    @property
    def figures(self) -> dict[str, str]:
        """Every figure that `plot` draws, as name -> title, in the order of the report."""
        return {name: spec.title for name, spec in self._figures.items()}

    @cached_property
    def _figures(self) -> dict[str, FigureSpec]:
        return {spec.name: spec for spec in figures_of(self._tables)}

    def plot(self, name: str, ax: Axes | None = None, *, metric: str | None = None) -> Axes:
        """Draw a figure of the report and return its Axes; `ax.figure.savefig` is yours.

        Parameters
        ----------
        name
            A key of `figures`, e.g. ``differences``.
        ax
            Axes to draw one panel into; None draws the whole figure, all its panels, in a new one.
        metric
            The panel to draw, of a figure with one panel per metric; the first one if None.

        Returns
        -------
        Axes
            ``ax``, or the first Axes of the new figure (``ax.figure.axes`` has them all).

        Raises
        ------
        UserError
            For an unknown figure or metric, and if the records cannot be drawn together.
        """
        import matplotlib.pyplot as plt

        # Loads a notebook's backend here: loaded inside the style, its interactive drawing would end with it.
        plt.draw_if_interactive()  # type: ignore[no-untyped-call]
        if name not in self._figures:
            raise unknown_name("figure of this study", name, self._figures)
        spec = self._figures[name]
        if ax is None:
            one = spec if metric is None else _alone(spec, metric)
            return drawn(lambda: compose(one, make=plt.figure)).axes[0]
        plot, table = _panel(spec, metric)
        with style_context(["default", RC]):
            plot(table, ax)
            settle_notes(ax)
        return ax


def _alone(spec: FigureSpec, metric: str) -> FigureSpec:
    """The figure with the panel of one metric."""
    return replace(spec, panels=[_panel(spec, metric)], columns=1, heights=[max(spec.heights)])


def _panel(spec: FigureSpec, metric: str | None) -> tuple[Plot, pd.DataFrame]:
    if metric is None:
        return spec.panels[0]
    shown = {
        str(table["metric"].iloc[0]): (plot, table)
        for plot, table in spec.panels
        if "metric" in table and table["metric"].nunique() == 1
    }
    if metric not in shown:
        raise unknown_name(f"metric of figure '{spec.name}'", metric, shown)
    return shown[metric]


def load(folder: str | Path, *, root: str | Path | None = None) -> Result:
    """Load a study's results from its folder, e.g. ``results/quickstart``.

    Parameters
    ----------
    folder
        `results/<study>/`, as `bakeoff run` writes it.
    root
        Folder that holds `runs/`; None: two levels above ``folder``.

    Raises
    ------
    UserError
        If the folder holds no results, or a record is missing or damaged.
    """
    if not isinstance(folder, str | Path):
        raise UserError(f"expected the folder of a study's results, got {folder!r:.60}")
    place = Path(folder).resolve()
    if not place.is_dir():
        raise UserError(f"{folder} is not a folder; give the results of a study, e.g. results/quickstart")
    return Result(place, tidy.load(place, place.parent.parent if root is None else Path(root)))
