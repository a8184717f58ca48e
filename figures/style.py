"""How figures look: sizes, fonts, notes, legends, and files that are equal to the byte."""

from __future__ import annotations

import io
import re
import shutil
import textwrap
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any, Literal, cast

from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.style import context as style_context
from matplotlib.text import Annotation, Text
from matplotlib.ticker import FuncFormatter

from toolkit.errors import UserError, unknown_name
from toolkit.records.files import whole_file, writable, write_text

INK = "#1f2430"
MUTED = "#687182"
GRID = "#dfe3ea"
BAND = "#eceff4"
PAPER = "#fefefe"
"""Each is used for one purpose only, so that a page with a dark side can replace it."""

WIDTH = 7.0
"""Inches: the text width of a paper's page."""
NARROW = 5.0
"""Inches: a figure less wide than this is a column of a page."""

RC: dict[str, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so that every machine draws the same
    "text.parse_math": False,  # a label is text: a dollar sign in it is no formula
    "font.size": 8,
    "axes.titlesize": 8.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 8,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "xtick.major.size": 2.5,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "legend.fontsize": 7.5,
    "lines.linewidth": 1.6,
    "lines.markersize": 5,
    "figure.dpi": 200,  # text is laid out as the PNG shows it
    "pdf.fonttype": 42,  # TrueType: what publishers ask for
    "svg.fonttype": "path",
    "svg.hashsalt": "bakeoff",
}


def note(ax: Axes, text: str) -> None:
    """Note under an Axes what it shows: n, and what the interval means; `gather_notes` moves it."""
    ax.annotate(
        text,
        xy=(0, 0),
        xycoords="axes fraction",
        xytext=(0, -30),
        textcoords="offset points",
        fontsize=6.5,
        color=MUTED,
        va="top",
        gid="note",
    )


def settle_notes(ax: Axes) -> None:
    """Put an Axes' own notes below its label, wrapped to its width: for an Axes in somebody's own figure."""
    notes = [child for child in ax.texts if child.get_gid() == "note"]
    figure = ax.get_figure(root=True)
    if not notes or figure is None:
        return
    texts = list(dict.fromkeys(child.get_text() for child in notes))
    for child in notes:
        child.remove()
    wide = int(20 * figure.get_figwidth() * ax.get_position().width)
    note(ax, "\n".join(line for text in texts for line in textwrap.wrap(text, max(20, wide))))
    box, labels = ax.get_window_extent(), ax.xaxis.get_tightbbox()
    lowest = box.y0 if labels is None else min(box.y0, labels.y0)
    cast("Annotation", ax.texts[-1]).xyann = (0, 72 * (lowest - box.y0) / figure.dpi - 4)


def gather_notes(figure: Figure) -> None:
    """Move the notes of all Axes below the figure, each once, and make the figure as much higher."""
    notes = [child for ax in figure.axes for child in ax.texts if child.get_gid() == "note"]
    texts = list(dict.fromkeys(child.get_text() for child in notes))
    for child in notes:
        child.remove()
    if texts:
        wide = int(20 * figure.get_figwidth())
        lines = [line for text in texts for line in textwrap.wrap(text, wide)]
        figure.supxlabel("\n".join(lines), x=0.01, ha="left", fontsize=6.5, color=MUTED)
        figure.set_figheight(figure.get_figheight() + 0.11 * len(lines))


def gather_legends(figure: Figure) -> None:
    """Show the entries of all Axes' legends once, above them, and make the figure as much higher."""
    # By label and colour: two long names may be one when they are shortened.
    entries: dict[tuple[str, str], Any] = {}
    for ax in figure.axes:
        if (legend := ax.get_legend()) is not None:
            handles, labels = ax.get_legend_handles_labels()
            for handle, label in zip(handles, labels, strict=True):
                colour = str(handle.get_color()) if hasattr(handle, "get_color") else ""
                entries.setdefault((label, colour), handle)
            legend.remove()
    if entries:
        labels = [label for label, _ in entries]
        widest = 0.5 + 0.07 * max(map(len, labels))  # inches: a mark, and characters of 7.5 points
        columns = max(1, min(5, len(entries), int(figure.get_figwidth() / widest)))
        figure.legend([*entries.values()], labels, loc="outside upper left", ncols=columns)
        figure.set_figheight(figure.get_figheight() + 0.16 * (ceil(len(entries) / columns) - 1))


@dataclass(frozen=True, kw_only=True)
class Style:
    """How a study's figures are drawn and written."""

    width: float = WIDTH
    """Inches. Panels stand below each other in a figure that is too narrow for them."""
    font: Literal["sans", "serif"] = "sans"
    formats: tuple[str, ...] = ("pdf", "png", "svg")
    """File types to write, of `FORMATS`."""

    @property
    def rc(self) -> dict[str, Any]:
        """Settings of matplotlib."""
        return {**RC, "font.family": {"sans": "DejaVu Sans", "serif": "DejaVu Serif"}[self.font]}


FORMATS = ("pdf", "png", "svg", "pgf")
WIDTHS = {"paper": WIDTH, "slides": 5.5}
"""Style -> inches. A slide shows a figure larger than a page does, so that less width means larger text."""


def style_of(
    style: str = "paper", width: str | None = None, font: str = "sans", formats: str | None = None
) -> Style:
    """Return the style that a command's options ask for; raise UserError for one that is not understood."""
    inches = WIDTHS[style] if width is None else _inches(width)
    names = tuple(Style().formats if formats is None else filter(None, formats.replace(" ", "").split(",")))
    for name in names:
        if name not in FORMATS:
            raise unknown_name("file format", name, FORMATS)
    return Style(width=inches, font="serif" if font == "serif" else "sans", formats=names)


def _inches(width: str) -> float:
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(in|cm|mm|pt)?\s*", width)
    per_inch = {"in": 1.0, "cm": 2.54, "mm": 25.4, "pt": 72.27}
    inches = float(match.group(1)) / per_inch[match.group(2) or "in"] if match else 0.0
    if not 2.5 <= inches <= 20:
        raise UserError(f"width '{width}': expected 2.5 to 20 inches, such as `3.3in`, `84mm` or `240pt`")
    return inches


@contextmanager
def _in(style: Style) -> Iterator[None]:
    """The style's settings; a sign that the font lacks is drawn as a box, without a warning for each."""
    with style_context(["default", style.rc]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph \d+")
        yield


def drawn(draw: Callable[[], Figure], style: Style = Style()) -> Figure:  # noqa: B008 - a frozen value
    """Call ``draw`` under the style, lay the figure out, and leave matplotlib's settings as they were."""
    with _in(style):
        figure = draw()
        if (layout := figure.get_layout_engine()) is not None:
            layout.execute(figure)
        figure.set_layout_engine(None)  # laid out once: all files then agree, and take half the time
        return figure


def save(figure: Figure, stem: Path, style: Style = Style()) -> str:  # noqa: B008 - a frozen value
    """Write ``stem`` in the style's formats, and return the figure as SVG; same figure, same bytes.

    PNG has 200 dpi. Raises UserError for PGF on a machine without LaTeX, which measures its texts.
    """

    def file(suffix: str) -> Path:
        return stem.with_name(f"{stem.name}.{suffix}")  # not `with_suffix`: a name may have dots

    def write(suffix: str, **settings: Any) -> None:
        with whole_file(file(suffix)) as neighbour:
            figure.savefig(neighbour, format=suffix, **settings)

    with _in(style):
        stream = io.StringIO()
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
        if "svg" in style.formats:
            write_text(file("svg"), stream.getvalue())
        if "pdf" in style.formats:
            dateless = {"CreationDate": None, "Creator": "bakeoff", "Producer": None}
            write("pdf", metadata=dateless)
        if "png" in style.formats:
            write("png", dpi=200, metadata={"Software": None})
        if "pgf" in style.formats:
            _save_pgf(figure, file("pgf"))
    return stream.getvalue()


PGF = str.maketrans(
    {"\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "_": r"\_",
     "~": r"\textasciitilde{}"}
)  # fmt: skip
"""Signs that LaTeX would read as commands; the backend itself escapes `^` and `%`."""


def _save_pgf(figure: Figure, path: Path) -> None:
    system = str(rcParams["pgf.texsystem"])
    if shutil.which(system) is None:
        raise UserError(
            f"{path.name}: PGF needs {system} to measure texts, and it is not installed. "
            "Install LaTeX, or ask for pdf"
        )
    escape_for_latex(figure)
    with writable(path):  # not `whole_file`: pictures inside lie beside it, by its name
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path)


def escape_for_latex(figure: Figure) -> None:
    """Escape every text of a figure, names at ticks included: these are formatted anew when it is drawn."""
    for text in figure.findobj(Text):
        text.set_text(text.get_text().translate(PGF))
    for axis in (axis for ax in figure.axes for axis in (ax.xaxis, ax.yaxis)):
        given = axis.get_major_formatter()
        if isinstance(given, FuncFormatter):
            axis.set_major_formatter(
                FuncFormatter(lambda value, place, given=given: given(value, place).translate(PGF))
            )
