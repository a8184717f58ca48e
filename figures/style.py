"""How figures look: a colour and a mark for each method by its name, and files that are equal to the byte."""

from __future__ import annotations

import hashlib
import io
import re
import textwrap
from collections.abc import Callable
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.style import context as style_context

INK = "#1f2430"
MUTED = "#687182"
GRID = "#dfe3ea"
BAND = "#eceff4"
"""Each is used for one purpose only, so that a page with a dark side can replace it."""

WIDTH = 7.0
"""Inches: the text width of a paper's page."""

RC: dict[str, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so that every machine draws the same
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

# Okabe and Ito's colours, which stay apart in the common kinds of colour blindness; without their yellow and
# black, as one vanishes on a light page and the other on a dark one.
BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILION = "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00"
FREE = (GREEN, PURPLE, SKY, ORANGE, BLUE, VERMILION)
MARKS = ("o", "s", "D", "^", "v", "P", "X", "p")
FAMILIES = {
    "base": ("#868c98", "d"),
    "full": (VERMILION, "s"),
    "lora": (BLUE, "o"),
    "dora": (SKY, "D"),
    "rslora": (BLUE, "^"),
    "pissa": (PURPLE, "v"),
    "adalora": (GREEN, "P"),
    "ia3": (ORANGE, "X"),
    "bitfit": (GREEN, "p"),
    "vera": (PURPLE, "o"),
    "oft": (GREEN, "^"),
    "boft": (GREEN, "v"),
    "loha": (ORANGE, "D"),
    "lokr": (ORANGE, "o"),
    "prompt": (PURPLE, "X"),
    "prefix": (PURPLE, "P"),
}
"""The methods most often compared, in colours far apart; any other name gets a look from its hash."""


class Look(NamedTuple):
    """How a method is drawn."""

    colour: str
    mark: str


def look(method: str) -> Look:
    """A method's colour and mark, from its name alone: the same whoever else is drawn.

    The name's first word is its family (`lora-r16` is a lora); within a family, the rank moves the shade.
    """
    family, _, _ = method.lower().partition("-")
    if family not in FAMILIES:
        number = int(hashlib.sha256(family.encode()).hexdigest(), 16)
        colour, mark = FREE[number % len(FREE)], MARKS[number // len(FREE) % len(MARKS)]
    else:
        colour, mark = FAMILIES[family]
    rank = re.search(r"-r(\d+)\b", method.lower())
    return Look(_shade(colour, int(rank.group(1))) if rank else colour, mark)


def _shade(colour: str, rank: int) -> str:
    """Lighter below rank 16, darker above: a quarter of the way for each factor of four, at most 60 %."""
    steps = (max(rank, 1).bit_length() - 5) / 2
    toward = 0.0 if steps > 0 else 1.0
    share = min(0.6, abs(steps) * 0.25)
    red, green, blue = ((1 - share) * part + share * toward for part in mpl.colors.to_rgb(colour))
    return mpl.colors.to_hex((red, green, blue))


def note(ax: Axes, text: str) -> None:
    """Say under an Axes what it shows: n, and what the interval means. `gather_notes` may move it."""
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


def gather_notes(figure: Figure) -> None:
    """Where several Axes of a figure say the same below themselves, say it once, below the figure."""
    notes = [child for ax in figure.axes for child in ax.texts if child.get_gid() == "note"]
    texts = list(dict.fromkeys(child.get_text() for child in notes))
    for child in notes:
        child.remove()
    if texts:
        wide = int(20 * figure.get_figwidth())
        lines = [line for text in texts for line in textwrap.wrap(text, wide)]
        figure.supxlabel("\n".join(lines), x=0.01, ha="left", fontsize=6.5, color=MUTED)


def gather_legends(figure: Figure) -> None:
    """Where all Axes of a figure have the same legend, show it once, above them."""
    legends = [legend for legend in (ax.get_legend() for ax in figure.axes) if legend is not None]
    names = {tuple(text.get_text() for text in legend.get_texts()) for legend in legends}
    if len(names) == 1:
        handles, labels = legends[0].axes.get_legend_handles_labels()
        for legend in legends:
            legend.remove()
        widest = 0.45 + 0.06 * max(map(len, labels))  # inches: a mark, and characters of 7.5 points
        columns = max(1, min(5, len(labels), int(figure.get_figwidth() / widest)))
        figure.legend(handles, labels, loc="outside upper left", ncols=columns)
        figure.set_figheight(figure.get_figheight() + 0.16 * (ceil(len(labels) / columns) - 1))


def drawn(draw: Callable[[], Figure]) -> Figure:
    """Call ``draw`` under the style, and leave matplotlib's settings as they were."""
    with style_context(["default", RC]):
        figure = draw()
        if (layout := figure.get_layout_engine()) is not None:
            layout.execute(figure)
        figure.set_layout_engine(None)  # laid out once: the three files then agree, and take half the time
        return figure


def save(figure: Figure, stem: Path) -> str:
    """Write ``stem``.pdf and .png (200 dpi), and return the figure as SVG; same figure, same bytes."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    with style_context(["default", RC]):
        dateless = {"CreationDate": None, "Creator": "bakeoff", "Producer": None}
        figure.savefig(stem.with_suffix(".pdf"), metadata=dateless)
        figure.savefig(stem.with_suffix(".png"), dpi=200, metadata={"Software": None})
        stream = io.StringIO()
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return stream.getvalue()
