"""What single figures draw, worked by hand."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from figures.gallery import every_figure, figure
from figures.plots import curves, forest, values
from figures.plots.curves import moved_apart
from figures.style import PAPER, drawn, gather_legends
from figures.tidy.load import load
from toolkit.errors import UserError

Make = Callable[..., tuple[Path, Path]]


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


def test_differences_on_one_side_leave_the_other_no_more_than_the_margin(make_study: Make) -> None:
    """From -1 to 20 with a margin of 2: the axis goes from -2 to 20 and 8 % beyond; or zero is centred."""
    pairs = load(*make_study()).comparisons
    table = pairs[(pairs["metric"] == "structure_compliance") & (pairs["baseline"] == "full")]
    table = table.assign(low=-0.01, high=0.20, difference=0.1, margin=0.02)
    assert forest.differences(table, axes()).get_xlim() == pytest.approx((-23, 23))
    alone = forest.differences(table, axes(), centred=False)
    assert alone.get_xlim() == pytest.approx((-2 - 0.08 * 22, 20 + 0.08 * 22))


def test_an_interval_far_away_is_an_arrow_and_leaves_the_axis_to_the_others(make_study: Make) -> None:
    """Margin 0.02: 0.21 to 0.4 begins 10.5 margins away; -0.01 to 0.20 does not. Alone, it is drawn."""
    pairs = load(*make_study(methods=("full", "lora-r16", "ia3"), seeds=3)).comparisons
    table = pairs[(pairs["metric"] == "structure_compliance") & (pairs["baseline"] == "full")]
    table = table.assign(low=[-0.01, 0.21], high=[0.20, 0.40], difference=[0.1, 0.3], margin=0.02)
    ax = forest.differences(table, axes(), centred=False)
    assert ax.get_xlim() == pytest.approx((-2 - 0.08 * 22, 20 + 0.08 * 22))
    (arrow,) = [text for text in ax.texts if getattr(text, "arrow_patch", None) is not None]
    assert arrow.xy == (1.0, 1)
    assert "Arrows: more than 10 margins away" in words(ax)
    alone = forest.differences(table[1:], axes(), centred=False)
    assert alone.get_xlim()[1] > 40
    assert "Arrows" not in words(alone)
    assert "Arrows" not in words(forest.differences(table.assign(margin=0.0), axes(), centred=False))


def test_of_many_methods_the_best_comes_first_on_every_panel(make_study: Make, monkeypatch) -> None:
    """Two methods on metrics of which the first decides: in the study's order, then not."""
    study = load(*make_study(methods=("full", "lora-r16", "ia3"), seeds=3))
    first = study.conclusions.headline[0]
    ahead = {"lora-r16": 0.3, "ia3": -0.3} if first.startswith("bits") else {"lora-r16": -0.3, "ia3": 0.3}
    pairs = study.comparisons
    judged = pairs["metric"] == first
    pairs.loc[judged, "difference"] = pairs.loc[judged, "method"].map(ahead)

    def order() -> set[tuple[str, ...]]:
        spec = every_figure.differences(replace(study, comparisons=pairs))
        assert spec is not None
        return {tuple(table["method"]) for _, table in spec.panels}

    assert order() == {("lora-r16", "ia3")}
    monkeypatch.setattr("figures.gallery.methods.IN_ORDER", 1)
    assert order() == {("ia3", "lora-r16")}


def test_refused_comparisons_count_no_seeds_and_documents(make_study: Make) -> None:
    """Of two comparisons one is refused, of 0 seeds and 0 documents: the note is of the other alone."""
    study = load(*make_study(methods=("full", "lora-r16", "ia3"), seeds=3))
    pairs = study.comparisons.astype({"speaks_about": object})
    empty = dict.fromkeys(("difference", "low", "high", "margin"), np.nan)
    refusal = {**empty, "speaks_about": None, "seeds": 0, "documents": 0, "verdict": "refused"}
    one = pairs.copy()
    for name, value in refusal.items():
        one.loc[one["method"] == "lora-r16", name] = value

    def drawn_of(comparisons: pd.DataFrame) -> tuple[str, str]:
        spec = every_figure.differences(replace(study, comparisons=comparisons))
        assert spec is not None
        return words(spec.panels[0][0](spec.panels[0][1], axes())), spec.caption

    note, caption = drawn_of(one)
    assert (
        "Difference to full: 3 seeds × 40 documents. Bars: 95 % interval, about the method (3 seeds" in note
    )
    assert caption.endswith("both taken as drawn at random.")
    note, caption = drawn_of(pairs.assign(**refusal))
    assert "Difference to full: none, all are refused." in note
    assert caption.endswith("which is not equal.")


def test_an_anchor_beyond_the_axis_is_an_arrow_and_does_not_stretch_it(make_study: Make) -> None:
    """BLEU of the references is 100 where the methods have about 6."""
    ax = values.metric_values(figure.with_seeds(load(*make_study()), "bleu"), axes())
    assert "100.0 →" in words(ax)
    assert "references" in words(ax)
    assert ax.get_xlim()[1] < 10


def test_a_failed_check_is_a_share_of_the_documents(make_study: Make) -> None:
    """The base fails `ingredients present` on round(40 x 1/7) = 6 of 40 documents: 15 %."""
    spec = every_figure.structure(load(*make_study()))
    assert spec is not None
    ((plot, table),) = spec.panels
    assert "15 %" in words(plot(table, axes()))


def test_a_metric_that_nobody_measured_has_no_panel(make_study: Make) -> None:
    """Nothing of longest copy: one panel less, and nobody reads of 0 documents."""
    study = load(*make_study(extra=True))
    whole = every_figure.more_metrics(study)
    estimates = study.estimates.copy()
    estimates.loc[estimates["metric"] == "longest_copy", "value"] = float("nan")
    part = every_figure.more_metrics(replace(study, estimates=estimates))
    assert whole is not None
    assert part is not None
    shown, all_metrics = ([table["metric"].iloc[0] for _, table in one.panels] for one in (part, whole))
    assert [name for name in all_metrics if name not in shown] == ["longest_copy"]


def test_a_check_that_no_generation_fails_is_named_in_the_caption(make_study: Make) -> None:
    """Every text has ingredients: a row less than there are checks. If no check fails there is no figure."""
    study = load(*make_study())
    whole = every_figure.structure(study)
    details = study.details.copy()
    details.loc[details["part"] == "failed: ingredients present", "value"] = 0
    spec = every_figure.structure(replace(study, details=details))
    assert whole is not None
    assert spec is not None
    shown, all_checks = (set(one.panels[0][1]["part"]) for one in (spec, whole))
    assert all_checks - shown == {"ingredients present"}
    assert spec.caption.endswith("No generation of any method fails: ingredients present.")
    assert every_figure.structure(replace(study, details=details.assign(value=0))) is None


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


def test_a_slow_seed_is_drawn_to_its_end(make_study: Make) -> None:
    """One seed takes three times as long: the axis holds its last validation."""
    steps = load(*make_study(seeds=2)).steps
    steps = steps[steps["validation_bits_per_byte"].notna() & (steps["method"] == "full")].copy()
    slow = steps["run_id"] == steps["run_id"].iloc[0]
    steps.loc[slow, "seconds"] *= 3
    ax = curves.learning_curve(steps, axes(), x="seconds")
    drawn = max(float(np.nanmax(np.asarray(line.get_xdata(), dtype=float))) for line in ax.lines)
    mean = float(np.asarray(ax.lines[-1].get_xdata(), dtype=float)[-1])
    assert ax.get_xlim()[1] > drawn > 1.2 * mean


def test_a_mean_ends_where_the_first_seed_does(make_study: Make) -> None:
    """One of two seeds stopped early: the thick line has as many points, as the note tells."""
    steps = load(*make_study(seeds=2)).steps
    steps = steps[steps["validation_bits_per_byte"].notna() & (steps["method"] == "full")]
    first = steps["run_id"].iloc[0]
    last = steps.loc[steps["run_id"] == first, "step"].max()
    ax = curves.learning_curve(steps[(steps["run_id"] != first) | (steps["step"] < last)], axes())
    thick = next(line for line in ax.lines if line.get_label() == "full")
    assert len(thick.get_xdata()) == len(steps[steps["run_id"] == first]) - 1
    assert "thick: their mean, up to where the first ends." in words(ax)


def test_a_conversion_without_costs_leaves_gpu_memory_on_its_axis(make_study: Make) -> None:
    """All runs that were trained here know what they allocated on the GPU; a conversion has no costs."""
    study = load(*make_study(methods=("full", "lora-r16", "ia3")))
    costs = study.costs.assign(cuda_allocated_bytes=2e9)
    converted = costs["method"] == "ia3"
    costs.loc[converted, ["cuda_allocated_bytes", "train_seconds", "peak_memory_bytes"]] = float("nan")
    spec = every_figure.costs(replace(study, costs=costs))
    assert spec is not None
    ax = spec.panels[0][0](spec.panels[0][1], axes())
    assert "allocated on the GPU" in ax.get_xlabel()


def test_a_diverged_run_is_in_no_mean_and_stretches_no_axis(make_study: Make) -> None:
    """Three seeds, one of LoRA at 9 bits: its mean is of the other two, and the axis ends far below 9."""
    study = load(*make_study(seeds=3))
    bits = "validation_bits_per_byte"
    lost = study.costs.loc[study.costs["method"] == "lora-r16", "run_id"].iloc[2]
    steps = study.steps.copy()
    steps.loc[(steps["run_id"] == lost) & steps[bits].notna() & (steps["step"] > 0), bits] = 9.0
    costs = study.costs.copy()
    costs.loc[costs["run_id"] == lost, "status"] = "diverged"
    spec = every_figure.learning(replace(study, steps=steps, costs=costs))
    assert spec is not None
    ax = spec.panels[0][0](spec.panels[0][1], axes())
    rest = steps[(steps["method"] == "lora-r16") & (steps["run_id"] != lost) & steps[bits].notna()]
    mean = next(line for line in ax.lines if line.get_label() == "lora-r16")
    assert list(mean.get_ydata()) == pytest.approx(list(rest.groupby("step")[bits].mean()))
    assert max(np.nanmax(np.asarray(line.get_ydata())) for line in ax.lines) == 9.0
    assert ax.get_ylim()[1] < 2
    assert "2 to 3 seeds" in words(ax)
    assert "Diverged, and in no mean: lora-r16 (1 run)." in words(ax)
    alone = curves.learning_curve(steps[steps["run_id"] == lost], axes(), diverged=[lost])
    assert [line.get_label() for line in alone.lines] == ["lora-r16"]
    assert alone.get_ylim()[1] > 9


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


def test_two_names_that_are_shortened_to_one_keep_an_entry_each() -> None:
    """Their lines have colours of their own; a method that several Axes show has one entry."""

    def draw() -> Figure:
        figure = Figure(figsize=(7, 3), layout="constrained")
        for ax in figure.subplots(1, 2):
            ax.plot([0, 1], [0, 1], label="lora-rank16…-decay", color="#111111")
            ax.plot([0, 1], [1, 0], label="lora-rank16…-decay", color="#222222")
            ax.legend()
        gather_legends(figure)
        return figure

    (legend,) = drawn(draw).legends
    assert [text.get_text() for text in legend.get_texts()] == ["lora-rank16…-decay"] * 2


def test_end_values_are_moved_apart_as_little_as_possible() -> None:
    """1, 1.5 and 2 at a gap of 1: the middle stays, the others move by 0.5; 9 is free; nothing below 1."""
    assert moved_apart([1.0, 1.5, 2.0, 9.0], 1.0, 0.0) == [0.5, 1.5, 2.5, 9.0]
    assert moved_apart([1.0, 1.5, 2.0], 1.0, 1.0) == [1.0, 2.0, 3.0]


def test_no_line_runs_through_a_number(make_study: Make) -> None:
    """Values and reference values stand on a blank of the page's colour, dark where the page is."""
    table = figure.with_seeds(load(*make_study(extra=True)), "self_bleu")
    texts = values.metric_values(table, axes()).texts
    blanks = [text for text in texts if re.fullmatch(r"\d+\.\d+", text.get_text())]
    assert len(blanks) == 6
    assert all(to_hex(text.get_bbox_patch().get_facecolor()) == PAPER for text in blanks)


@pytest.mark.parametrize(
    ("headline", "measured", "shown"),
    [
        (["bleu", "content_bits_per_byte"], ["bits_per_byte"], "content_bits_per_byte"),
        (["bleu", "general_bits_per_byte"], ["bits_per_byte"], "bits_per_byte"),
        (["bleu"], ["rouge_l"], "bleu"),
        ([], [], None),
    ],
)
def test_costs_are_shown_against_the_studys_bits_per_byte(
    headline: list[str], measured: list[str], shown: str | None
) -> None:
    """The headline's own if it has one, never that of general text; without any, its first metric."""
    estimates = pd.DataFrame({"metric": [*headline, *measured]}, dtype=object)
    part = SimpleNamespace(conclusions=SimpleNamespace(headline=headline), estimates=estimates)
    assert figure.quality(part) == shown  # type: ignore[arg-type]  # holds the two that are read
