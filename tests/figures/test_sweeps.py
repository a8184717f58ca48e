"""Figures along an axis, tables of the search and of published findings: made-up numbers, worked by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from figures.gallery import draw, every_figure, sweeps
from figures.plots import curves, sweep
from figures.style import PAPER
from figures.tables import searches
from figures.tidy.load import StudyTables, load
from toolkit.errors import UserError
from toolkit.records import Claim, Conclusions, Optimum, RatioEvidence

Make = Callable[..., tuple[Path, Path]]
METHODS = ("full", "lora-r16")
HERE = {"base_model": "smollm2-135m-embedded", "dataset": "wikibooks"}
RATIO = RatioEvidence(
    what="peak_memory_bytes", method="lora", against="full", expected_low=0.0, expected_high=0.9, value=0.5,
    low=None, high=None, seeds=1, support="undecided",
)  # fmt: skip


def in_two_sizes(folder: Path, root: Path) -> StudyTables:
    """The made-up study twice over, as if trained on 100 and on 200 documents; worse by 0.1 on the fewer."""
    path = folder / "comparisons.json"
    one = Conclusions.read(path)
    twice = {
        name: tuple(
            item.model_copy(update={"train_size": size, "epochs": 1.0})
            for size in (100, 200)
            for item in getattr(one, name)
        )
        for name in ("cells", "estimates", "comparisons")
    }
    one.model_copy(update=twice).write(path)
    return load(folder, root)


def test_sizes_of_one_study_are_drawn_along_their_axis(make_study: Make) -> None:
    """Two sizes, two methods: a line each over 100 and 200, the base as a reference, and n below."""
    study = in_two_sizes(*make_study(seeds=3, tuned=True))
    plan, which = next(sweeps.sweeps(study))
    assert (plan.name, which) == ("train-size-sweep", "")
    plot, table = plan.panels[0]
    ax = plot(table, Figure().subplots())
    lines = [line for line in ax.lines if list(line.get_xdata()) == pytest.approx([100, 200], rel=0.03)]
    assert sorted(str(line.get_label()) for line in lines) == ["full", "lora-r16"]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["100", "200"]
    assert ax.get_xlabel() == "Training documents"
    assert any(text.get_text().startswith("base") for text in ax.texts)


def test_a_figure_of_each_condition_and_one_across_them_are_written(
    make_study: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """File names carry the size; the sweep has none; none is refused. Drawn with one plan, for speed."""
    monkeypatch.setattr(draw, "FIGURES", (every_figure.metrics,))
    entries = draw.draw_all(in_two_sizes(*make_study(seeds=3, tuned=True)), tmp_path)
    names = {entry.name for entry in entries}
    assert "metrics-smollm2-135m-embedded-wikibooks-100-training-documents" in names
    assert "train-size-sweep" in names
    assert [entry.refused for entry in entries if entry.refused] == []


def test_a_sweep_has_a_panel_for_each_metric_that_is_known(make_study: Make) -> None:
    """Of five headline metrics two are known of no method: a row of three panels. Without any, no figure."""
    study = in_two_sizes(*make_study(seeds=3, tuned=True, extra=True))
    names = list(dict.fromkeys(study.estimates["metric"]))[:5]
    wanted = replace(study, conclusions=study.conclusions.model_copy(update={"headline": tuple(names)}))
    unknown = study.estimates["metric"].isin(names[:2])
    estimates = study.estimates.assign(value=study.estimates["value"].mask(unknown))
    plan, _ = next(sweeps.sweeps(replace(wanted, estimates=estimates)))
    assert (len(names), len(plan.panels), len(plan.heights)) == (5, 3, 1)
    assert len(draw.compose(plan).axes) == 3
    nothing = replace(wanted, estimates=study.estimates.assign(value=float("nan")))
    assert not any(spec.name.endswith("sweep") for spec in draw.figures_of(nothing))


def test_twenty_methods_lie_closer_than_their_levels(make_study: Make) -> None:
    """All 20 points of 100 documents are left of all of 200; a base without a value is not drawn."""
    study = in_two_sizes(*make_study(seeds=3, tuned=True))
    table = study.estimates[study.estimates["metric"] == "bits_per_byte"]
    one = table[table["method"] == "full"]
    many = pd.concat([one.assign(method=f"m{n}", label=f"m{n}") for n in range(20)])
    base = table[table["method"] == "base"].assign(value=float("nan"))
    ax = sweep.along(pd.concat([many, base]), Figure().subplots(), "train_size")
    lines = [line.get_xdata() for line in ax.lines if str(line.get_label()).startswith("m")]
    assert len(lines) == 20
    assert max(x[0] for x in lines) < min(x[1] for x in lines)
    assert not any("base" in text.get_text() for text in ax.texts)


def test_a_study_of_one_condition_has_no_sweep(make_study: Make) -> None:
    """Nothing to draw along."""
    assert list(sweeps.sweeps(load(*make_study()))) == []


def test_capacity_is_parameters_over_tokens() -> None:
    """3,000 parameters on 1,000 tokens lie at 3, and 500 at 0.5: the line of 1 lies between."""
    table = pd.DataFrame(
        {
            "method": ["lora-r1", "lora-r4", "full"],
            "label": ["lora-r1", "lora-r4", "full"],
            "capacity": [0.5, 3.0, 900.0],
            "value": [0.9, 0.8, 0.79],
            "low": [0.88, 0.79, 0.78],
            "high": [0.92, 0.81, 0.80],
            "metric": "bits_per_byte",
            "metric_label": "bits per byte",
            "unit": "bits per byte",
            "direction": "lower",
            "seeds": 3,
            "documents": 40,
            "speaks_about": "methods",
            "base_model": "b",
            "dataset": "d",
            "test": "t",
        }
    )
    ax = sweep.along(table, Figure().subplots(), "capacity")
    (label,) = [text for text in ax.texts if "as many as tokens" in text.get_text()]
    line = next(line for line in ax.lines if list(line.get_xdata()) == [1, 1])
    on_paper = line.get_transform().transform((1, 0))[0]
    assert ax.transAxes.transform(label.xy)[0] == pytest.approx(on_paper)
    with pytest.raises(UserError, match="more than one test part"):
        sweep.along(table.assign(test=["t", "u", "t"]), Figure().subplots(), "capacity")


def test_the_search_is_drawn_from_tuning_runs_and_marks_the_optimum(make_study: Make) -> None:
    """Confirming runs move no point; the optimum of LoRA is a mark at its rate, its interval a line."""
    table = load(*make_study(seeds=3, rates=3, tuned=True)).costs
    table = table[table["learning_rate"].notna()]
    tune = table[(table["phase"] == "tune") & (table["method"] == "full")]
    ax = curves.learning_rates(table, Figure().subplots(), optima={"lora-r16": (9e-4, 5e-4, 2e-3)})
    line = next(line for line in ax.lines if line.get_label() == "full")
    expected = tune.groupby("learning_rate")["validation_bits_per_byte"].mean()
    assert list(line.get_ydata()) == pytest.approx(list(expected))
    marks = [list(line.get_xdata()) for line in ax.lines]
    assert [9e-4] in marks
    assert [5e-4, 2e-3] in marks
    assert any("tried, with its 95 % interval" in text.get_text() for text in ax.texts)
    alone = curves.learning_rates(table, Figure().subplots(), optima={"lora-r16": (9e-4, None, None)})
    assert any("the best rate between those tried." in text.get_text() for text in alone.texts)


def test_a_rate_that_a_seed_diverged_at_has_no_mean(make_study: Make) -> None:
    """Three rates, two tuning seeds: one run of LoRA diverged at the middle rate, and both of full's last.

    A diverged run keeps its last validation: LoRA's mean has a gap in the middle, full's at the end.
    """
    table = load(*make_study(seeds=3, rates=3, tuned=True)).costs
    table = table[table["learning_rate"].notna()]
    other = table[table["phase"] == "tune"].assign(seed=1)
    table = pd.concat([table, other], ignore_index=True)
    tune = table["phase"] == "tune"
    rates = {m: sorted(set(table.loc[tune & (table["method"] == m), "learning_rate"])) for m in METHODS}
    lost = tune & (table["learning_rate"] == rates["lora-r16"][1]) & (table["seed"] == 1)
    lost |= tune & (table["learning_rate"] == rates["full"][2])
    assert lost.sum() == 3
    table.loc[lost, "status"] = "diverged"
    ax = curves.learning_rates(table, Figure().subplots())
    means = {str(line.get_label()): np.asarray(line.get_ydata(), dtype=float) for line in ax.lines}
    assert [list(np.isnan(means[m])) for m in METHODS] == [[False, False, True], [False, True, False]]
    assert any("Not drawn: 3 runs that diverged." in text.get_text() for text in ax.texts)
    circles = [line for line in ax.lines if line.get_marker() == "o" and line.get_markersize() == 11]
    assert np.isfinite(np.concatenate([np.asarray(line.get_ydata()) for line in circles])).all()
    with pytest.raises(UserError, match="nothing to draw"):
        curves.learning_rates(table.assign(status="diverged"), Figure().subplots())


def test_short_runs_of_a_search_are_not_mixed_with_long_ones(make_study: Make) -> None:
    """Half the budget with absurd values changes nothing."""
    table = load(*make_study(seeds=3, rates=3, tuned=True)).costs
    table = table[table["learning_rate"].notna()]
    short = table[table["phase"] == "tune"].assign(budget=0.5, validation_bits_per_byte=9.0)
    ax = curves.learning_rates(pd.concat([table, short]), Figure().subplots())
    line = next(line for line in ax.lines if line.get_label() == "full")
    assert max(line.get_ydata()) < 9


def test_optima_and_findings_are_tables(make_study: Make) -> None:
    """A ratio with its interval, a search that ended outside its grid, and a finding with its evidence."""
    conclusions = load(*make_study()).conclusions
    conclusions = conclusions.model_copy(
        update={
            "optima": (
                Optimum(
                    **HERE, method="full", learning_rate=1.04e-4, low=8e-5, high=1.4e-4, seeds=3, outside=0
                ),
                Optimum(
                    **HERE,
                    method="lora-r16",
                    learning_rate=1.1e-3,
                    low=None,
                    high=None,
                    seeds=1,
                    outside=2,
                    ratio=10.6,
                    ratio_low=4.0,
                    ratio_high=28.0,
                ),
                Optimum(**HERE, method="ia3", learning_rate=None, low=None, high=None, seeds=0, outside=3),
            ),
            "claims": (
                Claim(
                    **HERE, name="n", text="LoRA is X", source="A 2025", verdict="undecided", ratios=(RATIO,)
                ),
            ),
        }
    )
    found = [row[2:] for row in searches.optima(conclusions).rows]
    assert found == [
        ("0.0001", "8e-05 to 0.00014", "3 of 3", "–", "–", "–"),
        ("0.0011", "–", "1 of 3", "–", "11", "4 to 28"),
        ("not between the rates tried", "–", "0 of 3", "–", "–", "–"),
    ]
    assert searches.claims(conclusions).rows == [
        (
            "LoRA is X",
            "undecided",
            "peak memory of lora over that of full: 0.5 from one seed, no interval (expected below 0.9)",
            "A 2025",
        )
    ]


def test_differences_are_drawn_along_the_axis_with_their_verdicts(make_study: Make) -> None:
    """LoRA minus full at 100 and 200 documents: a line, an interval and a verdict each, and the margin."""
    study = in_two_sizes(*make_study(seeds=3, tuned=True))
    plan = next(spec for spec, _ in sweeps.sweeps(study) if spec.name == "train-size-sweep-differences")
    assert plan.title == "Differences to full against training documents"
    plot, table = plan.panels[0]
    table = table[table["method"] == "lora-r16"]
    ax = plot(table, Figure().subplots())
    (line,) = [line for line in ax.lines if line.get_label() == "lora-r16"]
    assert list(line.get_xdata()) == [100, 200]
    assert list(line.get_ydata()) == pytest.approx(list(table["difference"]))
    written = [text.get_text() for text in ax.texts]
    assert all(written.count(verdict) >= 1 for verdict in table["verdict"])
    (band,) = ax.collections
    margin = table["margin"].iloc[0]
    heights = band.get_paths()[0].vertices[:, 1]
    assert (min(heights), max(heights)) == pytest.approx((-margin, margin))
    assert any("Difference to full: 3 seeds" in text for text in written)
    assert "below is better" in ax.get_ylabel()


def test_a_refused_difference_is_not_drawn_along_the_axis(make_study: Make) -> None:
    """Refused at one of two sizes: nothing is left to draw along; the values are."""
    study = in_two_sizes(*make_study(seeds=3, tuned=True))
    one = study.comparisons["difference"].mask(study.comparisons["train_size"] == 100)
    names = [
        spec.name
        for spec, _ in sweeps.sweeps(replace(study, comparisons=study.comparisons.assign(difference=one)))
    ]
    assert names == ["train-size-sweep"]


def test_a_difference_without_an_interval_is_a_hollow_point(make_study: Make) -> None:
    """Metrics of a whole set have none: points without bars, with their verdicts; then one of two has."""
    study = in_two_sizes(*make_study(seeds=3, tuned=True))
    pairs = study.comparisons[study.comparisons["method"] == "lora-r16"]
    pairs = pairs[(pairs["baseline"] == "full") & (pairs["metric"] == "bits_per_byte")]
    without = pairs.assign(low=None, high=None, margin=None, verdict="undecided", unit="share")
    ax = sweep.differences_along(without, Figure().subplots(), "train_size")
    hollow = [line for line in ax.lines if line.get_markerfacecolor() == PAPER]
    assert [list(line.get_xdata()) for line in hollow] == [[100], [200]]
    assert [text.get_text() for text in ax.texts].count("undecided") == 2
    assert "difference in points" in ax.get_ylabel()
    ends = ("low", "high")
    half = pairs.assign(
        **{end: pairs[end].astype(object).where(pairs["train_size"] == 100, None) for end in ends}
    )
    ax = sweep.differences_along(half, Figure().subplots(), "train_size")
    assert [list(line.get_xdata()) for line in ax.lines if line.get_markerfacecolor() == PAPER] == [[200]]


def test_the_name_of_another_axis_has_its_unit(make_study: Make) -> None:
    """Sizes at one and at two epochs: two figures, told apart by `1 epoch` and `2 epochs`."""
    study = in_two_sizes(*make_study(seeds=3, tuned=True))
    more = study.estimates.assign(epochs=2.0)
    both = replace(study, estimates=pd.concat([study.estimates, more]))
    names = [which for spec, which in sweeps.sweeps(both) if spec.name == "train-size-sweep"]
    assert names == ["1 epoch", "2 epochs"]
    assert {which for spec, which in sweeps.sweeps(both) if spec.name == "epochs-sweep"} == {
        "100 training documents", "200 training documents",
    }  # fmt: skip
