"""The board: what may be called better, what is as good and cheaper, and the page that shows it."""

from __future__ import annotations

import re

import pytest

from experiments.analysis.recommend import choose
from experiments.design import study as studies
from experiments.publishing.board import page as board_page
from experiments.publishing.board import steps
from experiments.publishing.board.rows import STUDY, cheaper_on, rows_of, standing_of, without_value
from experiments.publishing.board.rule import may_be_called_better
from experiments.publishing.findings import page as findings_page
from experiments.publishing.kept import Kept
from tests.experiments.bench.performance.made_up import result
from tests.figures.conftest import write_study
from toolkit.records import Candidate, Comparison, Conclusions, CostKind, Recommendation, RunRecord

METHODS = ("lora-r16", "full", "dora", "ia3", "vera", "oft")
VALUES = {"lora-r16": 0.80, "full": 0.79, "dora": 0.78, "ia3": 0.801, "vera": 0.83, "oft": 0.799}
OUTCOMES = {
    "full": ("better", 0.02, False),  # at 0.05 alone
    "dora": ("better", 0.001, False),
    "ia3": ("equivalent", 1.0, True),
    "vera": ("worse", 0.001, False),
    "oft": ("undecided", 1.0, False),
}
"""Method -> the study's verdict, its corrected p, and whether the interval is inside the margin."""
MEMORY = {"lora-r16": 2.0e9, "full": 4.0e9, "dora": 2.2e9, "ia3": 1.5e9, "vera": 1.9e9, "oft": 2.0e9}


def candidate(method: str, seconds: float = 60.0) -> Candidate:
    """A method with its memory, a time, and a size of 10 MB."""
    best = "best" if method == "dora" else "undecided"
    return Candidate(
        method=method,
        relation=best,
        memory_bytes=MEMORY[method],
        train_seconds=seconds,
        saved_bytes=1e7,
    )


@pytest.fixture
def kept(tmp_path) -> Kept:
    """Five methods and LoRA, three seeds, tuned; the values and verdicts of the tables above."""
    folder, root = write_study(tmp_path, methods=METHODS, seeds=3, tuned=True)
    concluded = Conclusions.read(folder / "comparisons.json")
    pairs = []
    for one in concluded.comparisons:
        if one.baseline == "lora-r16" and one.metric == concluded.headline[0]:
            verdict, p, within = OUTCOMES[one.method]
            half = 0.005
            apart = VALUES[one.method] - VALUES["lora-r16"]
            numbers = {"difference": apart, "low": apart - half, "high": apart + half, "margin": 0.008}
            judged = {"verdict": verdict, "p_holm": p, "within_margin": within}
            pairs.append(one.model_copy(update={**numbers, **judged, "beyond_margin": verdict == "worse"}))
    estimates = tuple(
        one.model_copy(update={"value": VALUES[one.method], "unit": "bits per byte"})
        for one in concluded.estimates
        if one.metric == concluded.headline[0] and one.method in VALUES
    )
    condition = concluded.conditions[0]
    recommendation = Recommendation(
        **condition._asdict(), metric=concluded.headline[0], by="memory", best="dora", method="dora",
        status="best", candidates=tuple(map(candidate, METHODS)),
    )  # fmt: skip
    concluded = concluded.model_copy(
        update={
            "study": STUDY,
            "comparisons": tuple(pairs),
            "estimates": estimates,
            "recommendations": (choose(recommendation, "memory"),),
        }
    )
    of = {cell.run_id: cell.method for cell in concluded.cells}
    runs = {run: RunRecord.read(root / "runs" / run / "run.json") for run in of}
    return Kept(concluded, {run: with_costs(record, of[run]) for run, record in runs.items()})


def with_costs(run: RunRecord, method: str, seconds: float = 60.0, others: float | None = 0.0) -> RunRecord:
    """The run with a method's memory, a time, 10 MB on disk, and two cores of which others took some."""
    memory = int(MEMORY.get(method, 2.0e9) * (1 + 0.01 * run.spec.seed))
    costs = {"peak_memory_bytes": memory, "cuda_allocated_bytes": None, "cores_of_others": others}
    more = {"train_seconds": seconds, "artifact_bytes": 10_000_000}
    machine = {key: value for key, value in run.environment.items() if key != "cuda"}
    return run.model_copy(
        update={
            "costs": run.costs.model_copy(update=costs | more),
            "environment": {**machine, "cores": 2, "threads": 2},
        }
    )


@pytest.mark.parametrize(
    ("verdict", "p", "seeds", "tuned", "expected"),
    [
        ("better", 0.009, 3, True, True),
        ("better", 0.01, 3, True, False),
        ("better", None, 3, True, False),
        ("better", 0.001, 2, True, False),
        ("better", 0.001, 3, False, False),
        ("worse", 0.001, 3, True, False),
    ],
)
def test_better_takes_a_small_p_three_seeds_and_tuning(verdict, p, seeds, tuned, expected):
    """Each condition alone is enough to refuse the word."""
    assert may_be_called_better(verdict, p, seeds=seeds, tuned=tuned) is expected


def test_rows_are_ranked_by_value_and_judged_by_the_rule(kept):
    """0.78, 0.79, 0.799: full is better at 0.02 only, so undecided; dora is at 0.001, and so better."""
    rows = rows_of(kept, kept.conclusions.conditions[0])
    assert [(row.method, row.standing, row.unconfirmed) for row in rows] == [
        ("dora", "better", None),
        ("full", "undecided", "better only at 0.05"),
        ("oft", "undecided", None),
        ("lora-r16", "baseline", None),
        ("ia3", "equivalent", None),
        ("vera", "worse", None),
    ]
    assert all(row.parameters and row.parameters > 0 for row in rows)


def test_a_small_gain_that_is_not_confirmed_is_equivalent(kept):
    """The whole interval lies inside the margin: as good, whatever its sign."""
    one = kept.conclusions.comparisons[0]
    small = one.model_copy(update={"verdict": "better", "p_holm": 0.03, "within_margin": True})
    assert standing_of(small, tuned=True) == ("equivalent", "better only at 0.05")
    clear = small.model_copy(update={"p_holm": 0.001})
    assert standing_of(clear, tuned=False) == ("equivalent", "better, but untuned")
    assert standing_of(clear, tuned=True) == ("better", None)
    few = clear.model_copy(update={"seeds": 2})
    assert standing_of(few, tuned=True) == ("equivalent", "better, but with 2 seeds")
    worse = small.model_copy(update={"verdict": "worse"})
    assert standing_of(worse, tuned=True) == ("equivalent", None)


def test_a_method_of_an_untuned_baseline_is_not_called_better(kept):
    """The baseline's runs count too: against an untuned one anybody wins."""
    cells = tuple(
        cell.model_copy(update={"tuned": False}) if cell.method == "lora-r16" else cell
        for cell in kept.conclusions.cells
    )
    untuned = kept._replace(conclusions=kept.conclusions.model_copy(update={"cells": cells}))
    rows = rows_of(untuned, kept.conclusions.conditions[0])
    assert {row.standing for row in rows if row.method == "dora"} == {"undecided"}
    (line,) = [line for line in board_page.page(untuned).splitlines() if line.startswith("| dora")]
    assert "undecided (better, but untuned)" in line


def test_cheaper_is_less_of_one_cost_and_not_more_of_another(kept):
    """1.5 GB of 2 GB is 0.75 at each of three seeds; 60 s against 50 s takes that back; 1.9 is within 5 %."""
    here = kept.conclusions.conditions[0]

    def cheaper(method: str, baseline: float = 60.0, others: float | None = 0.0) -> dict[CostKind, float]:
        of = {cell.run_id: cell.method for cell in kept.conclusions.cells}
        runs = {
            run: with_costs(record, of[run], baseline if of[run] == "lora-r16" else 60.0, others)
            for run, record in kept.runs.items()
        }
        rows = {row.method: row for row in rows_of(kept._replace(runs=runs), here)}
        return cheaper_on(rows[method])

    assert cheaper("ia3") == pytest.approx({"memory": 0.75})
    assert cheaper("ia3", 50.0) == {}
    assert cheaper("ia3", 50.0, others=1.5) == pytest.approx({"memory": 0.75})  # times beside other work
    assert cheaper("ia3", 80.0) == pytest.approx({"memory": 0.75, "time": 0.75})
    assert cheaper("ia3", 80.0, others=None) == pytest.approx({"memory": 0.75})  # nobody knows
    assert cheaper("vera") == {}


def test_a_cost_that_varies_more_than_it_differs_is_not_cheaper(kept):
    """0.5, 1.0 and 0.9 of the baseline's memory: 0.77 on average, an interval from 0.3 to 2."""
    of = {cell.run_id: (cell.method, cell.seed) for cell in kept.conclusions.cells}
    runs = {}
    for run, record in kept.runs.items():
        method, seed = of[run]
        size = int(2e9 * (0.5, 1.0, 0.9)[seed % 3]) if method == "ia3" else 2_000_000_000
        costs = record.costs.model_copy(update={"peak_memory_bytes": size})
        runs[run] = record.model_copy(update={"costs": costs})
    rows = rows_of(kept._replace(runs=runs), kept.conclusions.conditions[0])
    (row,) = [row for row in rows if row.method == "ia3"]
    assert row.ratios["memory"].value == pytest.approx((0.5 * 0.9) ** (1 / 3))
    assert row.ratios["memory"].high > 1
    assert cheaper_on(row) == {}


def test_the_page_says_what_is_better_equivalent_and_cheaper(kept):
    """The sentences above the table, every method in it, the recommendation below."""
    text = board_page.page(kept, "evidence/board.png")
    assert "Of 5 other methods, `dora` may be called better than `lora-r16`." in text
    assert "As good, within the margin: `ia3` (cheaper: 0.75 of the peak memory)." in text
    assert "Worse: `vera`." in text
    assert "Undecided, which does not mean equal: `full` and `oft`." in text
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert len(rows) == 1 + len(METHODS)
    assert "undecided (better only at 0.05)" in next(row for row in rows if row.startswith("| full"))
    assert "worse by more than the margin" in next(row for row in rows if row.startswith("| vera"))
    assert "**By peak memory.** Use dora" in text
    told = [line for line in text.splitlines() if line.startswith("**By")]
    cheaper = [line.endswith("As good as `lora-r16` and cheaper: `ia3` (0.75).") for line in told]
    assert cheaper == [True, False, False]
    assert "![Differences to lora-r16](evidence/board.png)" in text
    assert "3 seeds per method" in text


def test_an_undecided_method_far_away_is_marked(kept):
    """`oft` at +0.009 to +0.5 with a margin of 0.008, which seeds that differ much leave undecided."""
    far = {"low": 0.009, "high": 0.5}
    pairs = tuple(
        one.model_copy(update=far) if one.method in ("oft", "vera") else one
        for one in kept.conclusions.comparisons
    )
    text = board_page.page(
        kept._replace(conclusions=kept.conclusions.model_copy(update={"comparisons": pairs}))
    )
    assert "`full` and `oft` (its whole interval is beyond the margin)." in text
    assert "Worse: `vera`." in text


def test_a_step_of_each_method_stands_beside_the_costs(kept, tmp_path):
    """DoRA at half of LoRA's speed with 1.5 of its memory, from the newest bench; no column without one."""
    points = [
        {"method": "lora-r16", "tokens_per_second": 400.0, "peak_memory_bytes": 2e9},
        {"method": "dora", "tokens_per_second": 200.0, "peak_memory_bytes": 3e9},
    ]
    for name, date in (
        ("old", "2026-11-26T02:30Z"),
        ("new", "2026-11-28T02:30Z"),
        ("a-quick", "2026-11-29T02:30Z"),
    ):
        folder = tmp_path / "bench" / name
        folder.mkdir(parents=True)
        environment = {"device": f"a {name} machine"}
        made = result("methods", date=date, environment=environment, measured={"points": points})
        made.write(folder / "methods.json")
    measured = steps.read("lora-r16", tmp_path)
    assert measured is not None
    text = board_page.page(kept, None, measured)
    assert measured.device == "a new machine"
    lines = {line.split()[1]: line for line in text.splitlines() if "| " in line}
    assert "| 2.00, 1.50 " in lines["dora"]
    assert "| 1.00, 1.00 " in lines["lora-r16"]
    assert "a step: time, memory" in lines["method"]
    assert "in one go on a new machine (" in text
    assert "a step: time" not in board_page.page(kept)
    assert steps.read("loha", tmp_path) is None


def test_a_part_of_the_board_names_what_is_missing(kept):
    """Six methods of the file's 26; no such words once all of them are there."""
    asked = list(studies.load(STUDY).methods)
    left = len(asked) - len(METHODS)
    text = board_page.page(kept._replace(overrides=("methods=[lora-r16, full]",)))
    (about,) = [part for part in text.split("\n\n") if "are in these records**" in part]
    assert about.startswith(f"**{len(METHODS)} of {len(asked)} methods")
    assert about.count("`") // 2 == left + 1
    assert "`rslora`" in about
    assert "`dora`" not in about
    assert "$ .venv/bin/bakeoff run board 'methods=[lora-r16, full]'  # this table\n" in text
    cells = kept.conclusions.cells
    more = tuple(cells[0].model_copy(update={"method": name}) for name in asked)
    whole = kept._replace(conclusions=kept.conclusions.model_copy(update={"cells": (*cells, *more)}))
    assert "in these records" not in board_page.page(whole)


def test_a_method_without_a_value_or_a_verdict_is_in_the_sentences(kept):
    """All runs of `vera` diverged, `oft` lost a seed: neither is left out of the count or of the text."""
    concluded = kept.conclusions
    refused = {"verdict": "refused", "difference": None, "low": None, "high": None, "p_holm": None}
    pairs = tuple(
        one.model_copy(update=refused) if one.method == "oft" else one
        for one in concluded.comparisons
        if one.method != "vera"
    )
    estimates = tuple(one for one in concluded.estimates if one.method != "vera")
    diverged = {"status": "diverged", "learning_rate": 0.003}
    cells = tuple(one.model_copy(update=diverged) if one.method == "vera" else one for one in concluded.cells)
    update = {"comparisons": pairs, "estimates": estimates, "cells": cells}
    lost = kept._replace(conclusions=concluded.model_copy(update=update))
    here = concluded.conditions[0]
    assert without_value(lost, here) == ["vera"]
    text = board_page.page(lost)
    assert "Of 5 other methods, `dora` may be called better" in text
    assert "Not compared, for the reason in the study's report: `oft`." in text
    assert "Without a value, as no confirming run was evaluated: `vera`." in text
    assert "`vera` at 0.003 (confirm, seed 0, diverged)" in text


def test_a_run_without_a_record_is_left_out_of_the_numbers(kept):
    """A worker that the system killed leaves no `run.json`: the page is written all the same."""
    (gone, *_) = [c.run_id for c in kept.conclusions.cells if c.method == "ia3"]
    runs = {run: record for run, record in kept.runs.items() if run != gone}
    rows = {row.method: row for row in rows_of(kept._replace(runs=runs), kept.conclusions.conditions[0])}
    assert rows["ia3"].parameters
    assert rows["ia3"].ratios["memory"].value == pytest.approx(0.75)


def test_times_count_only_if_no_other_work_had_the_cores(kept):
    """The page recommends by training time, or says why it does not; so does a run that ended early."""
    assert "**By training time.** Use " in board_page.page(kept)
    of = {cell.run_id: cell.method for cell in kept.conclusions.cells}
    busy = {run: with_costs(record, of[run], others=1.0) for run, record in kept.runs.items()}
    text = board_page.page(kept._replace(runs=busy))
    assert "**By training time.** Use " not in text
    assert "**By training time.** Not known" in text
    short = {
        run: record.model_copy(update={"status": "diverged", "costs": with_costs(record, "ia3", 1.0).costs})
        if (of[run], record.spec.seed) == ("ia3", 0)
        else record
        for run, record in kept.runs.items()
    }
    rows = {row.method: row for row in rows_of(kept._replace(runs=short), kept.conclusions.conditions[0])}
    assert rows["ia3"].ratios["time"].value == pytest.approx(1.0)


def test_costs_of_several_devices_recommend_nothing_but_by_size(kept):
    """Every method on a machine of its own: memory and time are no ratio any more, what is saved is."""
    of = {cell.run_id: cell.method for cell in kept.conclusions.cells}
    text = board_page.page(moved(kept, {run: of[run] for run in kept.runs}))
    for label in ("peak memory", "training time"):
        assert f"**By {label}.** Not known, since no two methods ran on one device." in text
    assert "**By saved size.** Use " in text
    assert "- Device of the costs: none that two methods share (other runs" in text


def test_costs_are_those_of_the_device_that_most_methods_share(kept):
    """A seed of IA3 on another machine: the ratio is of the two others; all of them: IA3 has none."""
    theirs = [cell.run_id for cell in kept.conclusions.cells if cell.method == "ia3"]
    here = kept.conclusions.conditions[0]
    once = {row.method: row for row in rows_of(moved(kept, {theirs[0]: "another"}), here)}
    assert once["ia3"].ratios["memory"].value == pytest.approx(0.75)
    assert once["ia3"].ratios["time"].value == pytest.approx(1.0)
    gone = moved(kept, dict.fromkeys(theirs, "another"))
    rows = {row.method: row for row in rows_of(gone, here)}
    assert set(rows["ia3"].ratios) == {"size"}
    assert rows["full"].ratios["memory"].value == pytest.approx(2.0)
    text = board_page.page(gone)
    assert "Not known for `ia3`: no measured run on the same device." in text
    assert "(other runs, whose costs are not compared, were on another)." in text


def test_costs_are_those_of_a_device_where_the_baseline_ran(kept):
    """All but the baseline and IA3 trained elsewhere: more methods are there, and nothing to compare with."""
    of = {cell.run_id: cell.method for cell in kept.conclusions.cells}
    apart = {run: "another" for run in kept.runs if of[run] not in (kept.conclusions.baseline, "ia3")}
    elsewhere = moved(kept, apart)
    rows = {row.method: row for row in rows_of(elsewhere, kept.conclusions.conditions[0])}
    assert set(rows["ia3"].ratios) == {"memory", "time", "size"}
    assert set(rows["full"].ratios) == {"size"}
    text = board_page.page(elsewhere)
    for label in ("peak memory", "training time"):
        said = text.split(f"**By {label}.** ")[1].split("\n")[0]
        assert re.search(r"Not known for .*`full`.*: no measured run on the same device\.", said)


def moved(kept: Kept, devices: dict[str, str]) -> Kept:
    """The same records with some runs, by their ids, on other devices."""
    runs = dict(kept.runs)
    for run, device in devices.items():
        environment = runs[run].environment | {"device": device}
        runs[run] = runs[run].model_copy(update={"environment": environment})
    return kept._replace(runs=runs)


def test_one_seed_recommends_nothing_on_the_board(kept):
    """It may be the lucky one; the intervals are over documents alone, which the page tells."""
    estimates = tuple(one.model_copy(update={"seeds": 1}) for one in kept.conclusions.estimates)
    concluded = kept.conclusions.model_copy(update={"estimates": estimates})
    text = board_page.page(kept._replace(conclusions=concluded))
    assert "Which one to use" not in text
    assert "intervals over documents, of one seed" in text


def test_the_findings_tell_of_the_board_by_its_own_rule(kept):
    """`full` is better at 0.02 only: the study's section calls it undecided, too, and counts what is left."""
    page = findings_page.page({STUDY: kept}, {}, "")
    assert "; undecided: full" not in page
    assert page.count("Undecided, which does not mean equal: `full` and `oft`.") == 1
    left = len(studies.load(STUDY).methods) - len(METHODS)
    assert (
        "and 3 seeds, besides full fine-tuning, `dora` may be called better. As good, within the margin: "
        f"`ia3`; 1 worse, 1 undecided. {left} more methods have not been run yet."
    ) in page


def test_without_records_the_page_says_that_nothing_was_run():
    """And no number, no verdict."""
    text = board_page.page(None)
    assert "has not been run yet" in text
    assert "may be called better than" not in text


def test_a_comparison_of_the_fixture_is_a_record(kept):
    """So that the tests above judge what a study would have written."""
    for one in kept.conclusions.comparisons:
        assert Comparison.model_validate_json(one.model_dump_json()) == one
