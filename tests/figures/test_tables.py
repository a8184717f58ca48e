"""The verdict table, the other tables, and the sentences that open a report."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from eval.statistics.power.changes import MOST_DOCUMENTS, MOST_SEEDS
from figures.gallery.draw import slug
from figures.tables import audiences, costs, scores, searches, verdicts
from figures.tables.table import Table
from figures.tidy.load import load
from figures.wording.answer import answer
from figures.wording.pairs import confidence_text
from toolkit.records import Comparison, Conclusions, Condition
from toolkit.records.conclusions import Claim, ComparisonEvidence, Look, LookPlan
from toolkit.records.study import Optimum

Make = Callable[..., tuple[Path, Path]]
HERE = Condition("smollm2-135m-embedded", "wikibooks")


def with_verdict(conclusions: Conclusions, metric: str, **changes: object) -> Conclusions:
    """The same conclusions, with one comparison of lora-r16 and full changed."""

    def changed(pair: Comparison) -> Comparison:
        mine = (pair.method, pair.baseline, pair.metric) == ("lora-r16", "full", metric)
        return pair.model_copy(update=changes) if mine else pair

    return conclusions.model_copy(update={"comparisons": tuple(map(changed, conclusions.comparisons))})


def test_the_baseline_comes_first_and_metrics_in_the_headline_order(make_study: Make) -> None:
    """lora vs full on 5 metrics, then full and lora vs base: 15 rows."""
    rows = verdicts.verdict_table(load(*make_study()).conclusions)
    assert len(rows) == 15
    assert [row.metric for row in rows[:3]] == ["bits per byte", "perplexity", "BLEU"]
    assert {row.comparison for row in rows[:5]} == {"lora-r16 vs full (both untuned)"}
    assert rows[5].comparison == "full (untuned) vs base"


def test_a_row_holds_both_values_difference_interval_p_and_verdict(make_study: Make) -> None:
    """0.851 - 0.842 = +0.009, 95 % interval 0.002 to 0.016: half width 0.007, so four decimals."""
    conclusions = load(*make_study(tuned=True)).conclusions
    changes = {"difference": 0.009, "low": 0.002, "high": 0.016, "p_holm": 0.0002, "verdict": "worse"}
    row = verdicts.verdict_table(with_verdict(conclusions, "bits_per_byte", **changes))[0]
    assert row.comparison == "lora-r16 vs full"
    assert (row.difference, row.interval, row.p_holm) == ("+0.0090", "+0.0020 to +0.0160", "< 0.001")
    assert row.verdict == "worse"
    assert float(row.value) - float(row.baseline_value) != 0


def test_a_tuned_method_against_an_untuned_one_says_which_is_which(make_study: Make) -> None:
    """Only lora-r16's rate was searched for."""
    conclusions = load(*make_study()).conclusions
    cells = tuple(c.model_copy(update={"tuned": c.method == "lora-r16"}) for c in conclusions.cells)
    rows = verdicts.verdict_table(conclusions.model_copy(update={"cells": cells}))
    assert rows[0].comparison == "lora-r16 vs full (untuned)"


def test_latex_is_escaped_and_has_booktabs_rules(make_study: Make) -> None:
    """A method named `a_b&c` and a minus sign that no LaTeX font has."""
    table = Table("t", "T", ("method", "95 % interval"), [("a_b&c", "−0.1 to +0.2"), ("d", "–")])
    text = table.latex()
    assert "a\\_b\\&c" in text
    assert "95 \\% interval" in text
    assert "$-$0.1" in text
    assert "−" not in text
    assert text.count("\\toprule") == text.count("\\bottomrule") == 1
    assert verdicts.verdicts(load(*make_study()).conclusions).latex().count("\\\\") == 16


def test_markdown_cells_cannot_break_their_row() -> None:
    """A pipe and a line end inside a cell."""
    lines = Table("t", "T", ("a", "b"), [("x|y", "1\n2")]).markdown().splitlines()
    assert len(lines) == 3
    assert "x\\|y" in lines[2]


def test_csv_has_numbers_where_the_others_have_words(make_study: Make) -> None:
    """Header and 15 rows; the difference reads as a number and equals value less baseline."""
    rows = list(csv.DictReader(io.StringIO(verdicts.verdicts(load(*make_study()).conclusions).csv())))
    assert len(rows) == 15
    for row in rows:
        assert float(row["difference"]) == pytest.approx(float(row["value"]) - float(row["baseline_value"]))
    part = load(*make_study())
    for table in (
        scores.results(part, ["bleu"]), scores.all_metrics(part), audiences.paper(part, ["bleu"]),
        audiences.readme(part, ["bleu"]), costs.costs(part),
    ):  # fmt: skip
        read = list(csv.DictReader(io.StringIO(table.csv())))
        assert read
        assert all(row["method"] for row in read)
    assert float(read[0]["peak_memory_bytes"]) == 3.9e9


def test_a_text_that_a_spreadsheet_would_compute_has_an_apostrophe_in_front() -> None:
    """`=1+1` as a method's label in words and in numbers; a negative number stays a number."""
    numbers = pd.DataFrame({"method": ["=1+1", "full"], "value": [-1.5, 2.0]})
    for table in (Table("t", "T", ("method",), [("=1+1",)]), Table("t", "T", (), [], numbers=numbers)):
        assert table.csv().splitlines()[1].startswith("'=1+1")
    assert "-1.5" in table.csv()
    assert "'-" not in table.csv()


def test_searches_and_findings_are_numbers_too() -> None:
    """An optimum of 0.0032 with its interval; a finding of one comparison, and one of none: two rows."""
    shared = {"base_model": "b", "dataset": "d", "train_size": 10, "epochs": 1.0}
    optimum = Optimum(**shared, method="lora", learning_rate=0.0032, low=0.001, high=0.01, seeds=2, outside=0)
    compared = ComparisonEvidence(
        method="lora", against="full", metric="bits_per_byte", expected=("better", "equivalent"),
        difference=-0.01, low=-0.02, high=0.0, verdict="undecided", support="undecided",
    )  # fmt: skip
    claim = Claim(**shared, name="n", text="t", source="s", verdict="undecided", comparisons=(compared,))
    conclusions = SimpleNamespace(
        optima=(optimum,), claims=(claim, claim.model_copy(update={"comparisons": ()})), baseline="full",
        conditions=(optimum.condition,), looks={},
    )  # fmt: skip
    (row,) = csv.DictReader(io.StringIO(searches.optima(conclusions).csv()))
    assert [float(row[name]) for name in ("learning_rate", "low", "high")] == [0.0032, 0.001, 0.01]
    rows = list(csv.DictReader(io.StringIO(searches.claims(conclusions).csv())))
    assert [row["evidence_difference"] for row in rows] == ["-0.01", ""]
    assert rows[0]["evidence_expected"] == "better or equivalent"


def test_the_best_is_bold_only_if_a_verdict_says_so(make_study: Make) -> None:
    """Undecided: nothing is bold. lora worse than full: full's cell is, in all formats."""
    study = load(*make_study())
    assert scores.results(study, ["bits_per_byte"]).bold == frozenset()
    pair = (study.comparisons["method"] == "lora-r16") & (study.comparisons["baseline"] == "full")
    pair &= study.comparisons["metric"] == "bits_per_byte"
    decided = replace(study, comparisons=study.comparisons.assign(
        verdict=study.comparisons["verdict"].mask(pair, "worse")))  # fmt: skip
    table = scores.results(decided, ["bits_per_byte"])
    assert table.bold == {(1, 1)}
    assert "**0.8" in table.markdown()
    assert r"\textbf{0.8" in table.latex()
    assert audiences.paper(decided, ["bits_per_byte"]).bold == {(1, 1)}


def test_of_three_methods_a_best_value_without_a_verdict_is_not_bold(make_study: Make) -> None:
    """dora is better than full, and nobody compared dora with lora."""
    study = load(*make_study(methods=("full", "lora-r16", "dora-r16")))
    pair = (study.comparisons["method"] == "dora-r16") & (study.comparisons["baseline"] == "full")
    verdicts_ = study.comparisons["verdict"].mask(pair, "better")
    decided = study.comparisons.assign(verdict=verdicts_)
    assert scores.decided_best(replace(study, comparisons=decided), "bleu") is None
    of_lora = decided["method"] == "lora-r16"
    converted = decided.assign(family=decided["family"].mask(of_lora, "conversions"))
    assert scores.decided_best(replace(study, comparisons=converted), "bleu") == "dora-r16"


def test_a_papers_table_has_half_the_interval_and_explains_it(make_study: Make) -> None:
    """BLEU's interval is ± 1.3 / 1.5 = 0.87 wide on each side."""
    table = audiences.paper(load(*make_study()), ["bleu"])
    assert all(row[1].endswith("± 0.87") for row in table.rows)
    assert "±: half the width of the 95 % interval" in table.markdown()
    assert "$\\pm$ 0.87" in table.latex()


def test_an_interval_that_lies_unevenly_about_its_value_is_no_plus_minus(make_study: Make) -> None:
    """0.3 in [0.0, 4.3]: the middle 2.15 misses it by 1.85, over a quarter of the half width 2.15."""
    study = load(*make_study())
    base = study.estimates["method"] == "base"
    uneven = {
        name: study.estimates[name].mask(base, number)
        for name, number in (("value", 0.3), ("low", 0.0), ("high", 4.3))
    }
    table = audiences.paper(replace(study, estimates=study.estimates.assign(**uneven)), ["bleu"])
    assert table.rows[0] == ("base", "0.3 [0.0, 4.3]")
    assert table.rows[1][1].endswith("± 0.87")
    assert "In brackets instead" in table.note


def test_a_latex_table_explains_plus_minus_in_its_caption(make_study: Make) -> None:
    """The note is typeset, not a comment; a word with a hyphen is not divided."""
    text = audiences.paper(load(*make_study()), ["bleu"]).latex()
    caption = text[text.index("\\caption{") : text.index("\\label{tab:paper}")]
    assert "Headline metrics. $\\pm$: half the width" in caption
    assert "95 \\% interval" in caption.replace("\n", " ")
    assert [line for line in text.splitlines() if line.startswith("%")] == ["% needs \\usepackage{booktabs}"]
    long = Table("t", "T", ("a",), [("b",)], note=f"{'x' * 60} low-rank-adaptation-of-every-layer-of-a-model")
    assert "low-rank-adaptation-of-every-layer-of-a-model" in long.latex()


def test_a_readmes_table_has_the_verdict_beside_the_value(make_study: Make) -> None:
    """lora-r16 is undecided on bits per byte; the baseline has no verdict."""
    rows = audiences.readme(load(*make_study()), ["bits_per_byte"]).rows
    assert [row[1].endswith("(undecided)") for row in rows] == [False, False, True]


def test_anchors_stand_in_the_table_of_results(make_study: Make) -> None:
    """References have BLEU 100 and no bits per byte."""
    study = load(*make_study())
    table = scores.results(study, ["bits_per_byte", "bleu"])
    assert ("references", "–", "100.0") in table.rows
    assert table.rows[0][0] == "base"


def test_every_metric_of_the_evaluations_is_in_a_table(make_study: Make) -> None:
    """Five metrics; three methods and two anchors beside metric and direction."""
    table = scores.all_metrics(load(*make_study()))
    assert [row[0] for row in table.rows][:2] == ["bits per byte", "perplexity"]
    assert len(table.rows) == 5
    assert table.header[1:] == (
        "better",
        "base",
        "full (untuned)",
        "lora-r16 (untuned)",
        "references",
        "unrelated text",
    )


def test_a_metric_without_an_interval_shows_its_mean_over_seeds(make_study: Make) -> None:
    """Estimates of BLEU are taken away; the base has one seed, so its mean is its value."""
    study = load(*make_study())
    bare = replace(study, estimates=study.estimates[study.estimates["metric"] != "bleu"])
    row = next(row for row in scores.all_metrics(bare).rows if row[0] == "BLEU")
    value = study.scores[(study.scores["method"] == "base") & (study.scores["metric"] == "bleu")][
        "value"
    ].iloc[0]
    assert row[2] == f"{value:.3f}"


def test_a_cost_that_nobody_measured_has_no_column(make_study: Make) -> None:
    """Runs on a CPU have no GPU memory; peak memory of one seed is 3.90 and 2.20 GB."""
    table = costs.costs(load(*make_study()))
    assert "peak GPU memory" not in table.header
    place = table.header.index("peak memory")
    assert [row[place] for row in table.rows] == ["3.90 GB", "2.20 GB"]


def test_undecided_is_said_to_be_undecided_and_what_would_decide(make_study: Make) -> None:
    """Never equal, never equivalent."""
    text = " ".join(answer(load(*make_study()).conclusions, HERE))
    assert text.startswith("On bits per byte, it is undecided whether lora-r16 or full is better")
    assert "about 310 documents would decide" in text
    assert "equal" not in text
    assert "equivalent" not in text


def test_what_an_undecided_comparison_would_need_is_a_table(make_study: Make) -> None:
    """lora vs full on bits per byte: 1.4 x the half width of 0.02 = 0.028 would have been seen."""
    table = verdicts.undecided(load(*make_study()).conclusions)
    assert len(table.rows) == 4
    assert table.rows[0][2:] == ("bits per byte", "0.028", "about 310 documents")
    assert table.rows[3][2:] == ("structure compliance", "21.0 points", "about 310 documents")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"seeds": 3}, "no study of up to 100 seeds or a million documents, with 80 % power, if the"),
        ({"seeds": 1}, "no study of up to a million documents at one seed, with 80 % power, if the"),
        ({"low": 0.001}, "nothing that is known: the p-value alone is too large"),
        ({"low": 0.001, "direction": "neither"}, "nothing: there is a difference, and neither way is better"),
        ({"low": None, "reason": "one document has no interval"}, "one document has no interval"),
        ({"smallest_detectable": None}, "–"),
    ],
)
def test_if_nothing_decides_the_table_says_why(
    changes: dict[str, object], words: str, make_study: Make
) -> None:
    """+.009, -.011 to .029: no size within the search decides; .001 to .029: p alone is too large."""
    known = {"difference": 0.009, "low": -0.011, "high": 0.029, "needed_documents": None}
    conclusions = with_verdict(load(*make_study()).conclusions, "bits_per_byte", **{**known, **changes})
    assert verdicts.undecided(conclusions).rows[0][-1].startswith(words)
    assert (MOST_SEEDS, MOST_DOCUMENTS) == (100, 1_000_000)


def test_worse_is_said_with_both_values(make_study: Make) -> None:
    """+0.009 [0.002, 0.016]."""
    conclusions = load(*make_study(tuned=True)).conclusions
    changes = {"difference": 0.009, "low": 0.002, "high": 0.016, "verdict": "worse"}
    first = answer(with_verdict(conclusions, "bits_per_byte", **changes), HERE)[0]
    assert first.startswith("On bits per byte, lora-r16 is worse than full: 0.84")
    assert first.endswith("(difference +0.0090, 95 % interval +0.0020 to +0.0160).")


def test_equivalent_is_said_with_its_margin(make_study: Make) -> None:
    """-0.001 [-0.004, 0.002] inside 0.0085."""
    conclusions = load(*make_study(tuned=True)).conclusions
    changes = {"difference": -0.001, "low": -0.004, "high": 0.002, "verdict": "equivalent"}
    first = answer(with_verdict(conclusions, "bits_per_byte", **changes), HERE)[0]
    assert "is equivalent to full" in first
    assert "within the margin of 0.0085" in first


def test_a_refused_pair_gets_its_reason_and_no_number(make_study: Make) -> None:
    """The audit refused it."""
    conclusions = load(*make_study()).conclusions
    changes = {"verdict": "refused", "reason": "not the same training stream", "difference": None}
    first = answer(with_verdict(conclusions, "bits_per_byte", **changes), HERE)[0]
    assert first == "lora-r16 and full may not be compared on bits per byte: not the same training stream."


def test_of_several_methods_a_refused_one_gets_its_reason_too(make_study: Make) -> None:
    """Two methods against full: the reason stands in the sentence and in the verdict table."""
    conclusions = load(*make_study(methods=("full", "lora-r16", "ia3"))).conclusions
    changes = {"verdict": "refused", "reason": "not the same training stream", "difference": None}
    conclusions = with_verdict(conclusions, "bits_per_byte", **changes)
    first = answer(conclusions, HERE)[0]
    assert "2 methods against full" in first
    assert first.endswith("; not compared: lora-r16 (not the same training stream).")
    cells = [row.verdict for row in verdicts.verdict_table(conclusions)]
    assert cells.count("refused: not the same training stream") == 1
    assert "refused" not in cells


def test_one_seed_and_no_search_are_said_in_the_answer(make_study: Make) -> None:
    """One seed, untuned; three seeds, tuned."""
    weak = " ".join(answer(load(*make_study()).conclusions, HERE))
    assert "about these checkpoints, not about the methods" in weak
    assert "Untuned: the learning rate of full and lora-r16 was not chosen among as many" in weak
    strong = " ".join(answer(load(*make_study(seeds=3, tuned=True)).conclusions, HERE))
    assert "3 seeds per method, 40 test documents." in strong
    assert "ntuned" not in strong


def test_texts_of_fewer_documents_are_counted_in_the_answer(make_study: Make) -> None:
    """BLEU rests on 24 texts where bits per byte rest on 40."""
    conclusions = load(*make_study(seeds=3, tuned=True)).conclusions
    fewer = tuple(
        e.model_copy(update={"documents": 24}) if e.metric == "bleu" else e for e in conclusions.estimates
    )
    assert "bleu" in conclusions.headline
    text = " ".join(answer(conclusions.model_copy(update={"estimates": fewer}), HERE))
    assert "3 seeds per method, 24 to 40 test documents, by metric." in text


def test_a_rate_at_the_edge_is_said_to_be_that(make_study: Make) -> None:
    """It was chosen among as many as the others had, so that can't be what is wrong with it."""
    conclusions = load(*make_study(seeds=3, tuned=True)).conclusions
    at_edge = {"tuned": False, "rate_choice": "edge"}
    cells = tuple(
        cell.model_copy(update=at_edge) if (cell.method, cell.phase) == ("full", "confirm") else cell
        for cell in conclusions.cells
    )
    words = " ".join(answer(conclusions.model_copy(update={"cells": cells}), HERE))
    assert "Untuned: the best learning rate of full was the first or last one tried; another" in words


def test_the_last_look_of_a_growing_study_sets_the_confidence_of_intervals(make_study: Make) -> None:
    """A look at the level 0.0387: 96.1 % in the sentences and in the header of the verdicts."""
    conclusions = load(*make_study(seeds=3)).conclusions
    assert "95 % interval" in verdicts.verdicts(conclusions).header
    plan = LookPlan(
        planned=(Look(seeds=3, documents=40, level=0.0387),), taken=1, state="decided", budget_seconds=60,
        concluded_before=False, methods=("full", "lora-r16"), metrics=("bits_per_byte",),
    )  # fmt: skip
    grown = conclusions.model_copy(update={"sequential": plan})
    assert "96.1 % interval" in verdicts.verdicts(grown).header
    assert "96.1 % interval" in " ".join(answer(grown, HERE))
    assert "95 % interval" not in " ".join(answer(grown, HERE))


@pytest.mark.parametrize(
    ("level", "words"),
    [(0.05, "95 %"), (0.013, "98.7 %"), (0.0008, "99.92 %"), (0.00015, "99.985 %"), (1.5e-5, "99.9985 %")],
)
def test_a_small_level_is_no_interval_of_a_hundred_percent(
    make_study: Make, level: float, words: str
) -> None:
    """Early looks of a long plan have levels far below a thousandth."""
    plan = LookPlan(
        planned=(Look(seeds=3, documents=40, level=level),), taken=1, state="continue", budget_seconds=60,
        concluded_before=False, methods=("full", "lora-r16"), metrics=("bits_per_byte",),
    )  # fmt: skip
    conclusions = load(*make_study(seeds=3)).conclusions
    assert confidence_text(conclusions.model_copy(update={"sequential": plan})) == words


def test_methods_that_stand_alike_to_the_base_share_a_sentence(make_study: Make) -> None:
    """full, lora-r16 and dora, alike on all five metrics; then dora is undecided on one of them."""
    conclusions = load(*make_study(methods=("full", "lora-r16", "dora"))).conclusions
    alike = tuple(
        pair.model_copy(update={"verdict": "better"}) if pair.baseline == "base" else pair
        for pair in conclusions.comparisons
    )
    text = " ".join(answer(conclusions.model_copy(update={"comparisons": alike}), HERE))
    assert "Against the untouched base, full, lora-r16 and dora are better on all 5 metrics." in text
    other = tuple(
        pair.model_copy(update={"verdict": "undecided"})
        if (pair.baseline, pair.method, pair.metric) == ("base", "dora", "bleu")
        else pair
        for pair in alike
    )
    text = " ".join(answer(conclusions.model_copy(update={"comparisons": other}), HERE))
    assert "full and lora-r16 are better on all 5 metrics; dora is better on" in text


def test_a_study_with_nothing_finished_is_told_what_to_run(make_study: Make) -> None:
    """All three runs failed; then the untouched base alone was evaluated."""
    conclusions = load(*make_study()).conclusions
    failed = tuple(c.model_copy(update={"status": "failed"}) for c in conclusions.cells)
    nothing = conclusions.model_copy(update={"cells": failed, "estimates": (), "comparisons": ()})
    first, *rest = answer(nothing, HERE)
    assert first.startswith("No run has finished, so nothing can be compared")
    assert first.endswith("run `bakeoff run made-up --retry-failed`.")
    assert any("3 of 3 runs did not finish" in sentence for sentence in rest)
    cells = (conclusions.cells[0], *failed[1:])
    base = tuple(e for e in conclusions.estimates if e.method == "base")
    only_base = conclusions.model_copy(update={"cells": cells, "estimates": base, "comparisons": ()})
    assert answer(only_base, HERE)[0].startswith("No trained run has finished")
    diverged = tuple(c.model_copy(update={"status": "diverged"}) for c in conclusions.cells[1:])
    every = only_base.model_copy(update={"cells": (conclusions.cells[0], *diverged)})
    assert answer(every, HERE)[0].endswith("diverged, so nothing can be compared: try lower learning rates.")


def test_what_was_trained_elsewhere_is_not_told_how_to_tune(make_study: Make) -> None:
    """Its cells have no learning rate; LoRA was searched less than others."""
    conclusions = load(*make_study(seeds=3, tuned=True)).conclusions
    cells = tuple(
        c.model_copy(update={"tuned": False} | ({"learning_rate": None} if c.method == "full" else {}))
        if c.phase == "confirm"
        else c
        for c in conclusions.cells
    )
    words = " ".join(answer(conclusions.model_copy(update={"cells": cells}), HERE))
    assert "Untuned: full was not tuned here; the learning rate of lora-r16 was not chosen among" in words


def test_of_a_metric_without_a_better_way_it_is_asked_whether_two_differ(make_study: Make) -> None:
    """The length of texts against the references': neither way is better."""
    conclusions = load(*make_study(seeds=3)).conclusions
    pairs = tuple(
        pair.model_copy(update={"direction": "neither", "verdict": "undecided"})
        for pair in conclusions.comparisons
    )
    words = answer(conclusions.model_copy(update={"comparisons": pairs}), HERE)[0]
    assert "it is undecided whether lora-r16 and full differ:" in words


def test_a_study_of_one_method_is_compared_with_the_base(make_study: Make) -> None:
    """full alone: no comparison with it, and five with the untouched base."""
    sentences = answer(load(*make_study(methods=("full",))).conclusions, HERE)
    assert sentences[0] == "full is the only method of the study, so nothing is compared with it."
    assert sentences[1] == "Against the untouched base, full is better on all 5 metrics."
    assert sentences[2].startswith("One seed per method, 40 test documents")


def test_many_methods_are_grouped_by_verdict(make_study: Make) -> None:
    """Three methods against full: ia3 is worse, the other two undecided."""
    study = load(*make_study(methods=("full", "lora-r16", "dora-r16", "ia3")))
    first = answer(study.conclusions, HERE)[0]
    about = "On bits per byte (lower is better), 3 methods against full, with 95 % intervals: worse: ia3 (+0."
    assert first.startswith(about)
    assert re.search(r"undecided: lora-r16 \([+−]0\.\d+, [+−]0\.\d+ to [+−]0\.\d+\) and dora-r16 \(", first)
    small = with_verdict(study.conclusions, "bits_per_byte", verdict="better", within_margin=True)
    first, *others = answer(small, HERE)
    assert "intervals: better, but by less than the margin: lora-r16 (" in first
    small = with_verdict(study.conclusions, "perplexity", verdict="better", within_margin=True)
    assert "1 better, but by less than the margin; " in " ".join(answer(small, HERE))


def test_a_size_beside_the_margin_is_part_of_every_verdict(make_study: Make) -> None:
    """lora-r16 better on BLEU within the margin: in the verdict table, the sentences and a README's table."""
    part = load(*make_study())
    small = with_verdict(part.conclusions, "bleu", verdict="better", within_margin=True)
    text = "better, but by less than the margin"
    assert [row.verdict for row in verdicts.verdict_table(small) if row.metric == "BLEU"][0] == text
    assert f"{text}, on BLEU" in " ".join(answer(small, HERE))
    mine = (part.comparisons["metric"] == "bleu") & (part.comparisons["baseline"] == "full")
    frame = part.comparisons.assign(
        verdict=part.comparisons["verdict"].mask(mine, "better"),
        within_margin=part.comparisons["within_margin"] | mine,
    )
    (row,) = [r for r in audiences.readme(replace(part, comparisons=frame), ["bleu"]).rows if "lora" in r[0]]
    assert row[1].endswith(f"({text})")


def test_a_run_that_failed_is_named_in_the_answer(make_study: Make) -> None:
    """One of three cells."""
    conclusions = load(*make_study()).conclusions
    cells = tuple(
        c.model_copy(update={"status": "failed"}) if c.method == "lora-r16" else c for c in conclusions.cells
    )
    text = " ".join(answer(conclusions.model_copy(update={"cells": cells}), HERE))
    assert "1 of 3 runs did not finish: lora-r16 (seed 0, failed)." in text


def test_two_panels_are_named_in_the_table_and_kept_apart_in_the_frames(make_study: Make) -> None:
    """The same runs under a second data set's name: 30 rows, 15 a panel, and file names that differ."""
    folder, root = make_study()
    path = folder / "comparisons.json"
    one = Conclusions.read(path)
    twice: dict[str, object] = {
        name: (
            *getattr(one, name),
            *(r.model_copy(update={"dataset": "rezepte"}) for r in getattr(one, name)),
        )
        for name in ("cells", "estimates", "comparisons")
    }
    one.model_copy(update=twice).write(path)
    study = load(folder, root)
    rows = verdicts.verdict_table(study.conclusions)
    assert len(rows) == 30
    assert sum(row.panel == "smollm2-135m-embedded on rezepte" for row in rows) == 15
    assert verdicts.verdicts(study.conclusions).header[0] == "condition"
    assert len(study.scores) == 30
    assert len(study.panel(study.panels[1]).scores) == 15
    assert {slug(study, panel)[0] for panel in study.panels} == {
        "-smollm2-135m-embedded-wikibooks",
        "-smollm2-135m-embedded-rezepte",
    }
