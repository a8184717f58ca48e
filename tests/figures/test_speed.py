"""Figures of benches: lengths of bars, points and spans, and machines that are not mixed."""

from __future__ import annotations

import pandas as pd
import pytest
from matplotlib.figure import Figure

from figures.plots import divided, growth, speeds
from toolkit.errors import UserError

SIDES = pd.DataFrame({"label": ["baseline", "ours"], "value": [72.0, 648.0], "ours": [False, True]}).assign(
    unit="tokens per second", machine="m"
)
POINTS = pd.DataFrame(
    {"method": ["full", "full", "lora"], "x": [1024, 256, 256], "value": [300.0, 400.0, 500.0]}
).assign(low=[280.0, None, None], high=[310.0, None, None], axis="tokens", unit="tokens/s", machine="m")
SPANS = pd.DataFrame(
    {"label": ["full", "full", "lora"], "span": ["imports", "step", "imports"], "seconds": [3.0, 1.0, 2.0]}
).assign(machine="m")


def test_a_bar_is_as_long_as_its_side_is_fast():
    """72 and 648, top to bottom, and the axis ends 15 % beyond."""
    ax = speeds(SIDES, Figure().subplots())
    assert [bar.get_width() for bar in ax.patches] == [72.0, 648.0]
    assert ax.get_xlim() == (0, pytest.approx(1.15 * 648))
    assert ax.get_xlabel() == "tokens per second"


def test_a_line_joins_a_methods_points_in_order():
    """Full: 256 then 1,024, with a bar from 280 to 310; LoRA a point; the axis starts at zero."""
    ax = growth(POINTS, Figure().subplots())
    lines = [(list(line.get_xdata()), list(line.get_ydata())) for line in ax.lines]
    assert ([256, 1024], [400.0, 300.0]) in lines
    assert ([1024, 1024], [280.0, 310.0]) in lines
    assert len(lines) == 3
    assert ax.get_ylim() == (0, pytest.approx(1.1 * 500))


def test_spans_follow_each_other():
    """Of full: imports from 0 to 3, its step from 3 to 4; of LoRA: imports from 0 to 2."""
    ax = divided(SPANS, Figure().subplots())
    bars = [(bar.get_x(), bar.get_width()) for bar in ax.patches]
    assert bars == [(0.0, 3.0), (0.0, 2.0), (3.0, 1.0)]


@pytest.mark.parametrize(("plot", "table"), [(speeds, SIDES), (growth, POINTS), (divided, SPANS)])
def test_machines_are_not_mixed_and_something_is_drawn(plot, table):
    """Speeds of two machines say nothing about each other; an empty table is no figure."""
    mixed = table.assign(machine=["m", *["n"] * (len(table) - 1)])
    with pytest.raises(UserError, match="two of machine: m and n"):
        plot(mixed, Figure().subplots())
    with pytest.raises(UserError, match="nothing to draw"):
        plot(table.iloc[:0], Figure().subplots())
