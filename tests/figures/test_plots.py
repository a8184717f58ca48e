"""Figures show n, keep a method's colour, refuse what may not be compared, and are equal to the byte."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures.gallery import every_figure, figure
from figures.plots import curves, forest, reference_marks, values
from figures.style import FAMILIES, drawn, gather_legends, look
from figures.tidy.load import StudyTables, load
from toolkit.errors import UserError

Make = Callable[..., tuple[Path, Path]]
PLANS = {
    "differences": every_figure.differences,
    "metrics": every_figure.metrics,
    "learning-curves": every_figure.learning,
    "structure": every_figure.structure,
    "costs": every_figure.costs,
    "sections": every_figure.sections,
    "learning-rates": every_figure.rates,
}


def axes() -> Axes:
    """An empty Axes of its own figure."""
    return Figure().subplots()


def words(ax: Axes) -> str:
    """All text of an Axes."""
    parts = [text.get_text() for text in ax.texts]
    parts += [ax.get_title(loc="left"), ax.get_title(), ax.get_xlabel(), ax.get_ylabel()]
    return "\n".join(
        [*parts, *(label.get_text() for label in (*ax.get_xticklabels(), *ax.get_yticklabels()))]
    )


def panels(tables: StudyTables, name: str) -> list[tuple[figure.Plot, pd.DataFrame]]:
    """The panels of one planned figure."""
    plan = PLANS[name](tables)
    assert plan is not None
    return list(plan.panels)


def test_a_method_keeps_its_colour_whoever_else_is_drawn() -> None:
    """The look follows from the name: known families, ranks as shades, unknown names by their hash."""
    assert look("lora-r16").colour == FAMILIES["lora"][0] == "#0072b2"
    assert look("full") != look("lora-r16") != look("base")
    assert look("lora-r4").mark == look("lora-r64").mark == look("lora-r16").mark
    assert len({look(f"lora-r{rank}").colour for rank in (1, 4, 16, 64, 256)}) == 5
    assert look("mine") == look("mine")


def test_rank_four_is_a_quarter_of_the_way_to_white() -> None:
    """#0072b2 = (0, 114, 178); 0.75 x + 0.25 x 255 = (64, 149, 197) = #4095c5."""
    assert look("lora-r4").colour == "#4095c5"


@pytest.mark.parametrize("name", PLANS)
def test_every_panel_says_how_many_seeds_it_rests_on(make_study: Make, name: str) -> None:
    """Three seeds of each method."""
    tables = load(*make_study(seeds=3, rates=3, tuned=True))
    for plot, table in panels(tables, name):
        ax = axes()
        assert plot(table, ax) is ax
        assert "3 seeds" in words(ax) or (name == "learning-rates" and "1 seed" in words(ax))


@pytest.mark.parametrize("name", [name for name in PLANS if name != "learning-rates"])
def test_every_panel_says_how_many_documents_it_rests_on(make_study: Make, name: str) -> None:
    """40 validation or test documents."""
    for plot, table in panels(load(*make_study()), name):
        assert "40 documents" in words(plot(table, axes()))


@pytest.mark.parametrize("name", [name for name in PLANS if name != "learning-rates"])
def test_every_figure_labels_untuned_methods(make_study: Make, name: str) -> None:
    """No method of the study had its learning rate searched for."""
    for plot, table in panels(load(*make_study()), name):
        ax = axes()
        plot(table, ax)
        legend = ax.get_legend()
        named = "\n".join(text.get_text() for text in legend.get_texts()) if legend else ""
        assert "lora-r16 (untuned)" in words(ax) + named


@pytest.mark.parametrize("name", PLANS)
def test_every_figure_refuses_mixed_test_parts(make_study: Make, name: str) -> None:
    """The last row of each table is said to come from another test part."""
    study = make_study(rates=3, methods=("full", "lora-r16", "ia3"))
    for plot, table in panels(load(*study), name):
        mixed = table.copy()
        mixed.loc[mixed.index[-1], "test"] = "ffff"
        with pytest.raises(UserError, match="more than one test part"):
            plot(mixed, axes())


@pytest.mark.parametrize("name", PLANS)
def test_every_figure_refuses_an_empty_table(make_study: Make, name: str) -> None:
    """No row is left."""
    for plot, table in panels(load(*make_study(rates=3)), name):
        with pytest.raises(UserError, match="nothing to draw"):
            plot(table.iloc[:0], axes())


def test_cost_and_time_are_not_compared_across_devices(make_study: Make) -> None:
    """LoRA ran on a GPU, the rest on a CPU: tokens may be compared, seconds and memory may not."""
    tables = load(*make_study(devices={"lora-r16": "a GPU"}))
    costs = every_figure.costs(tables)
    assert costs is not None
    with pytest.raises(UserError, match=r"more than one device: .*a GPU \(lora-r16\)"):
        costs.panels[0][0](costs.panels[0][1], axes())
    steps = tables.steps[tables.steps["validation_bits_per_byte"].notna()]
    with pytest.raises(UserError, match="more than one device"):
        curves.learning_curve(steps, axes(), x="seconds")
    assert curves.learning_curve(steps, axes(), x="tokens").lines


def test_a_difference_is_drawn_in_points_with_its_margin_and_verdict(make_study: Make) -> None:
    """Shares are shown times 100: a margin of 0.02 is a band from -2 to +2."""
    pairs = load(*make_study()).comparisons
    table = pairs[(pairs["metric"] == "structure_compliance") & (pairs["baseline"] == "full")]
    ax = forest.differences(table, axes())
    band = ax.patches[0].get_bbox()
    assert (round(band.x0, 9), round(band.x1, 9)) == (-2.0, 2.0)
    assert table["verdict"].iloc[0] in words(ax)
    assert "better →" in ax.get_xlabel()


def test_an_anchor_beyond_the_axis_is_an_arrow_and_does_not_stretch_it(make_study: Make) -> None:
    """BLEU of the references is 100 where the methods have about 6."""
    ax = values.metric_values(figure.with_seeds(load(*make_study()), "bleu"), axes())
    assert "references 100.0 →" in words(ax)
    assert ax.get_xlim()[1] < 10


def test_a_failed_check_is_a_share_of_the_documents(make_study: Make) -> None:
    """The base fails `ingredients present` on round(40 x 1/7) = 6 of 40 documents: 15 %."""
    ((plot, table),) = panels(load(*make_study()), "structure")
    assert "15 %" in words(plot(table, axes()))


def test_two_seeds_are_two_thin_lines_and_their_mean(make_study: Make) -> None:
    """A method has one line with a gap after each of its 2 seeds, and their mean, which lies halfway."""
    steps = load(*make_study(seeds=2)).steps
    steps = steps[steps["validation_bits_per_byte"].notna()]
    ax = curves.learning_curve(steps, axes())
    assert len(ax.lines) == 4
    thin, mean = (np.asarray(line.get_ydata()) for line in ax.lines[:2])
    first, second, nothing = np.split(thin, np.flatnonzero(np.isnan(thin)) + 1)
    assert (len(first), len(second), len(nothing)) == (len(mean) + 1, len(mean) + 1, 0)
    assert mean == pytest.approx((first[:-1] + second[:-1]) / 2)


def test_a_legend_of_thirty_methods_stays_within_its_figure() -> None:
    """Names of 25 characters: three columns of 7 inches, and the figure grows by nine lines."""

    def draw() -> Figure:
        figure = Figure(figsize=(7, 3), layout="constrained")
        ax = figure.subplots()
        for number in range(30):
            ax.plot([0, 1], [0, number], label=f"a-method-of-length-{number:02} (t)")
        ax.legend()
        gather_legends(figure)
        return figure

    figure = drawn(draw)
    (legend,) = figure.legends
    assert legend._ncols == 3
    box = legend.get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.x1
    assert figure.get_figheight() == pytest.approx(3 + 9 * 0.16)


def test_marks_close_together_are_named_together() -> None:
    """0.50 and 0.52 of an axis from 0 to 1 share a label, 0.9 has its own, 2 and 3 lie beyond the edge."""
    ax = axes()
    ax.set_xlim(0, 1)
    reference_marks.reference_marks(ax, [(0.9, "d"), (0.52, "b"), (0.5, "a"), (3, "f"), (2, "e")])
    named = [text.get_text() for text in ax.texts]
    assert [name for name in named if name] == ["a\nb", "d", "e\nf →"]
    assert len(ax.lines) == 3
