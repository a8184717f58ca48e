"""Every figure of the gallery, on five made-up studies: n, refusals, looks, and texts that do not overlap."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from figures.gallery.draw import compose, figures_of, slug
from figures.gallery.every_figure import FIGURES
from figures.gallery.figure import FigureSpec
from figures.style import Style, drawn
from tests.figures.studies import STUDIES
from toolkit.errors import UserError

TOUCH = 0.5  # pixels that two boxes may share


def collisions(figure: Figure) -> list[tuple[str, str]]:
    """Pairs of visible texts whose boxes overlap."""
    figure.draw_without_rendering()
    undrawn = _undrawn(figure)
    texts = [t for t in figure.findobj(Text) if isinstance(t, Text) and t not in undrawn]
    texts = [t for t in texts if t.get_visible() and t.get_text().strip()]
    boxes = [(t.get_text(), t.get_window_extent()) for t in texts]
    found = []
    for index, (one, box) in enumerate(boxes):
        for other, beside in boxes[index + 1 :]:
            wide = min(box.x1, beside.x1) - max(box.x0, beside.x0)
            high = min(box.y1, beside.y1) - max(box.y0, beside.y0)
            if wide > TOUCH and high > TOUCH:
                found.append((one, other))
    return found


def _undrawn(figure: Figure) -> set[Text]:
    """Texts of ticks outside their axis's limits and of hidden Axes, which are not drawn."""
    texts: set[Text] = set()
    for ax in figure.axes:
        for axis in (ax.xaxis, ax.yaxis):
            ticks = [*axis.get_major_ticks(), *axis.get_minor_ticks()]
            drawn_ticks = axis._update_ticks() if ax.get_visible() else []  # type: ignore[attr-defined]
            texts |= {label for tick in ticks for label in (tick.label1, tick.label2)}
            texts -= {label for tick in drawn_ticks for label in (tick.label1, tick.label2)}
    return texts


@pytest.fixture(scope="module", params=STUDIES)
def specs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[FigureSpec]:
    """The figures of one made-up study: those of its first condition, and those across conditions."""
    tables = STUDIES[request.param](tmp_path_factory.mktemp(request.param))
    others = tuple(slug(tables, panel)[0] for panel in tables.panels[1:])
    return [spec for spec in figures_of(tables) if not (others and spec.name.endswith(others))]


def wordings(ax: Axes) -> str:
    """All text of an Axes."""
    return "\n".join(text.get_text() for text in ax.findobj(Text) if isinstance(text, Text))


def test_the_studies_draw_every_figure_of_the_gallery(tmp_path: Path) -> None:
    """Each function of the gallery's list has data in one of the studies, so that the tests below see it."""
    seen = set()
    for name, study in STUDIES.items():
        tables = study(tmp_path / name)
        parts = [tables.panel(panel) for panel in tables.panels]
        seen |= {make.__name__ for make in FIGURES for part in parts if (spec := make(part)) and spec.panels}
    assert seen == {make.__name__ for make in FIGURES}


def test_every_panel_shows_n_and_refuses_mixed_and_empty_tables(specs: list[FigureSpec]) -> None:
    """Documents and seeds below each; a last row of another test part; no row at all."""
    assert len(specs) >= 8
    for spec in specs:
        assert spec.panels
        for plot, table in spec.panels:
            ax = Figure().subplots()
            assert plot(table, ax) is ax
            assert re.search(r"\d seeds?\b", wordings(ax)), spec.name
            if not spec.name.startswith("learning-rates"):  # a validation result of the whole part
                assert "40 documents" in wordings(ax), spec.name
            if len(table) > 1:
                mixed = table.copy()
                mixed.loc[mixed.index[-1], "test"] = "ffff"
                with pytest.raises(UserError, match="more than one test part"):
                    plot(mixed, Figure().subplots())
            with pytest.raises(UserError, match="nothing to draw"):
                plot(table.iloc[:0], Figure().subplots())


def test_no_two_texts_of_a_figure_overlap_and_untuned_is_noted_once(specs: list[FigureSpec]) -> None:
    """Boxes of all drawn texts, in every figure as it is written; *untuned* is one line below it, or none."""
    noted = 0
    for spec in specs:
        figure = drawn(partial(compose, spec))
        assert collisions(figure) == [], spec.name
        texts = [t.get_text() for t in figure.findobj(Text) if isinstance(t, Text)]
        times = "\n".join(texts).lower().count("untuned")
        assert times <= 1, spec.name
        noted += times
    tuned = not any(table["untuned"].any() for _, table in specs[0].panels)
    assert (noted == 0) == tuned


def test_a_column_of_a_page_has_no_overlaps_either(tmp_path: Path) -> None:
    """3.3 inches: panels below each other, a verdict above its bar."""
    for spec in figures_of(STUDIES["plain"](tmp_path)):
        assert collisions(drawn(partial(compose, spec, 3.3), Style(width=3.3))) == [], spec.name


def test_overlapping_texts_are_found() -> None:
    """Two words at one place, and one elsewhere."""
    figure = Figure()
    for place, word in ((0.5, "one"), (0.51, "two"), (0.9, "three")):
        figure.text(place, place, word)
    assert collisions(figure) == [("one", "two")]
