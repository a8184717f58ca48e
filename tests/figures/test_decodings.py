"""What is decoding and what is method, and how texts fail, as the report shows it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from figures.gallery import every_figure
from figures.gallery.draw import compose
from figures.plots import decodings
from figures.report import sections
from figures.report.page import build
from figures.tables import decodings as decoding_tables
from figures.tables import failures
from figures.tidy.load import StudyTables, load
from tests.figures.conftest import ONE_FORMAT
from tests.figures.test_plots import axes, words
from toolkit.errors import UserError

CSV_NUMBERS = {
    "verdicts": ["difference", "low", "high", "margin"],
    "undecided": ["smallest_detectable", "needed_documents"],
    "settings": ["value", "low", "high", "documents"],
    "decoding-or-method": ["over_decodings", "over_methods", "share_noise"],
    "failures": ["failing_so", "failing", "texts"],
    "costs": ["peak_memory_bytes", "seed"],
}
"""Tables of a report with several settings, and columns of their CSV that are numbers."""
Make = Callable[..., tuple[Path, Path]]
SEVERAL = ("t0.8-p0.9", "t0.3-p0.9", "greedy")


@pytest.fixture
def several(make_study: Make) -> StudyTables:
    """A study with two prompts and three decodings."""
    return load(*make_study(decodings=SEVERAL))


def test_a_figure_has_a_panel_a_metric_and_prompt(several: StudyTables) -> None:
    """One metric of texts, two prompts: two panels with base, full and lora at three decodings."""
    plan = every_figure.decoding_values(several)
    assert plan is not None
    assert len(plan.panels) == 2
    ax = axes()
    assert plan.panels[1][0](plan.panels[1][1], ax) is ax
    assert "prompt through the ingredients" in words(ax)
    assert "1 seed × 40 documents" in words(ax)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["t0.8\np0.9", "t0.3\np0.9", "greedy"]
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == [
        "base",
        "full",
        "lora-r16",
    ]


def test_mixed_prompts_are_refused(several: StudyTables) -> None:
    """Values from two prompts in one Axes would be compared."""
    with pytest.raises(UserError, match="more than one prompt mode"):
        decodings.decoding_values(several.settings, axes())
    with pytest.raises(UserError, match="more than one prompt mode"):
        decodings.decoding_shares(several.effects, axes())


def test_a_metric_that_one_prompt_does_not_have_stands_beside_no_other(several: StudyTables) -> None:
    """Ingredients in the prompt: their match is not measured. Its place is empty, bars keep their names."""
    measured = several.settings[several.settings["value"].notna()]
    title = measured[
        (measured["metric"] == measured["metric"].iloc[0]) & (measured["prompt_mode"] == "title")
    ]
    more = title.assign(metric="ingredient_match", metric_label="ingredient match")
    headline = (*several.conclusions.headline, "ingredient_match")
    plan = every_figure.decoding_values(
        replace(
            several,
            settings=pd.concat([several.settings, more]),
            conclusions=several.conclusions.model_copy(update={"headline": headline}),
        )
    )
    assert plan is not None
    assert (len(plan.panels), plan.columns) == (4, 2)
    first, second = (plot(table, axes()) for plot, table in plan.panels[2:])
    assert "prompt through the title" in words(first)
    assert "not measured with this prompt" in words(second)
    known = several.effects[several.effects["share_noise"].notna()]
    more = known.assign(metric="ingredient_match", metric_label="ingredient match")
    both = pd.concat([known, more[more["prompt_mode"] == "title"]])
    uneven = every_figure.decoding_or_method(replace(several, effects=both))
    alike = every_figure.decoding_or_method(replace(several, effects=known))
    assert uneven is not None
    assert alike is not None
    assert (uneven.share_y, alike.share_y) == (False, True)
    shown = compose(uneven)
    assert [len(ax.get_yticklabels()) for ax in shown.axes] == [2, 1]


def test_bars_add_up_to_all_of_it(several: StudyTables) -> None:
    """75 + 15 + 0 + 10 per cent, end to end; a metric without shares has no bar."""
    plan = every_figure.decoding_or_method(several)
    assert plan is not None
    plot, table = plan.panels[0]
    ax = plot(table, axes())
    widths = [bar.get_width() for bar in ax.patches]
    assert widths == pytest.approx([75, 15, 0, 10])
    assert ax.patches[-1].get_x() + widths[-1] == pytest.approx(100)
    assert "noise is that of documents alone" in words(ax)


def test_one_setting_has_no_figure_and_no_table_of_settings(make_study: Make) -> None:
    """The plainest study."""
    part = load(*make_study())
    assert every_figure.decoding_values(part) is None
    assert every_figure.decoding_or_method(part) is None
    assert len(part.settings) == len(part.effects) == 0


def test_the_tables_say_ranges_shares_and_every_setting(several: StudyTables) -> None:
    """BLEU moves 1.5 over decodings, .7 over methods; six rows of settings, full at 6.1 + 1 to begin with."""
    rows = decoding_tables.effects(several).rows
    assert rows[0] == ("BLEU", "title", "1.5", "0.70", "75 %", "15 %", "0 %", "10 %")
    assert len(rows) == 2
    settings = decoding_tables.settings(several)
    assert settings.header[3:] == ("base", "full (untuned)", "lora-r16 (untuned)")
    assert len(settings.rows) == 6
    assert settings.rows[0] == (
        "BLEU",
        "title",
        "t0.8-p0.9",
        "2.9 [1.9, 3.9]",
        "7.1 [6.1, 8.1]",
        "6.4 [5.4, 7.4]",
    )


def test_failures_are_shares_of_all_seeds_texts_with_people_last(make_study: Make) -> None:
    """Two seeds of 40 texts, 20 fail each: 80 texts, 50 %; of the references 1 of 40 is 2 %."""
    table = failures.failures(load(*make_study(seeds=2)))
    assert table.header[:6] == ("method", "prompt through", "decoding", "texts", "failing", "missing marker")
    full = next(row for row in table.rows if row[0].startswith("full"))
    assert full[2:] == ("t0.8-p0.9", "80", "50 %", "50 %", "25 %")
    assert table.note == "In no text: out of order."
    assert table.rows[-1][0] == "references"
    assert table.rows[-1][2:5] == ("–", "40", "2 %")


def test_a_class_that_nobody_has_is_not_drawn(make_study: Make) -> None:
    """Out of order occurs in no text."""
    plan = every_figure.failures(load(*make_study()))
    assert plan is not None
    plot, table = plan.panels[0]
    assert set(table["part"]) == {"missing marker", "loop"}
    assert isinstance(table, pd.DataFrame)
    assert "2 %" in words(plot(table, axes()))


def test_the_worst_texts_are_those_with_most_classes(make_study: Make) -> None:
    """The sixth text has two classes, the fourth one: in that order, at most two a method."""
    shown = sections.worst(load(*make_study()), "here")["texts"]
    assert [(text["method"], text["order"]) for text in shown] == [
        ("base", 5), ("base", 3), ("full", 5), ("full", 3), ("lora-r16", 5), ("lora-r16", 3),
    ]  # fmt: skip
    assert list(shown[0]["wrong"].items()) == [
        ("missing marker", "lacks [END]"),
        ("loop", "“<i>so on</i>” 9 times"),
    ]


def test_what_is_wrong_is_said_and_escaped(report: Path) -> None:
    """Words that quote a model are text, in HTML and in Markdown."""
    text = report.read_text(encoding="utf-8")
    assert "<b>loop</b>: “&lt;i&gt;so on&lt;/i&gt;” 9 times" in text
    assert "<i>" not in text
    assert r"loop: “\<i\>so on\</i\>” 9 times" in report.with_name("report.md").read_text(encoding="utf-8")


def test_a_report_with_several_settings_has_them_in_figures_and_files(make_study: Make) -> None:
    """Two more figures, each with its CSV, and two more tables."""
    page = build(*make_study(decodings=SEVERAL), style=ONE_FORMAT)
    for name in ("decodings", "decoding-or-method"):
        assert (page.parent / "figures" / f"{name}.csv").stat().st_size > 200
        assert f'id="figure-{name}"' in page.read_text(encoding="utf-8")
    for name, numbers in CSV_NUMBERS.items():
        frame = pd.read_csv(page.parent / "tables" / f"{name}.csv")
        assert len(frame), name
        assert all(pd.api.types.is_numeric_dtype(frame[column]) for column in numbers), name
        assert frame[numbers[0]].notna().any(), name
    assert len(re.findall(r"not drawn", page.read_text(encoding="utf-8"))) == 0
