"""A study that grows until it is decided: sizes, levels, chances, and a tiny one from end to end."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from eval.statistics.power.assurance import Variances
from experiments.analysis.families import planned_for
from experiments.analysis.verify import verify
from experiments.design import study as studies
from experiments.design.planning.looks import (
    Size,
    affordable,
    documents_of,
    grown,
    looks_at,
    seconds_of,
    sizes,
)
from experiments.running.board import Board
from experiments.running.until import after_look, chance_of, plan_of, run_until_decided
from figures.wording.evidence import looks_text
from tests.experiments.small import asked, in_this_process
from toolkit.errors import UserError
from toolkit.records import Comparison, Conclusions, LookPlan

VARIANCES = {"bits_per_byte": Variances(seed=0.0, document=1e-4, rest=1e-4)}


def compared(**changes) -> Comparison:
    """An undecided comparison of bits per byte, with a difference of 0.004 and a margin of 0.008."""
    values = {
        "base_model": "b", "dataset": "d", "train_size": 100, "epochs": 1.0, "method": "lora-r16",
        "baseline": "full", "metric": "bits_per_byte", "direction": "lower", "difference": -0.004,
        "low": -0.02, "high": 0.012, "p": 0.4, "p_holm": 0.4, "margin": 0.008, "verdict": "undecided",
        "speaks_about": "methods", "seeds": 3, "documents": 48,
    }  # fmt: skip
    return Comparison(**(values | changes))


@pytest.mark.parametrize(("text", "seconds"), [("2h", 7200), ("90m", 5400), ("1h30m", 5400), ("1.5h", 5400)])
def test_a_budget_is_a_duration(text, seconds):
    """2 x 3600; 90 x 60; 3600 + 1800; 1.5 x 3600."""
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["2", "h", "2 hours", "0m", ""])
def test_another_budget_is_refused_with_an_example(text):
    """No unit, no number, other words, nothing."""
    with pytest.raises(UserError, match="such as 2h, 90m or 1h30m"):
        seconds_of(text)


def test_a_study_grows_by_seeds_and_then_by_documents():
    """One seed starts at three, five at five; at twelve seeds 48 documents become 96 and 192."""
    assert sizes(1, 48) == [(3, 48), (5, 48), (8, 48), (12, 48), (12, 96), (12, 192)]
    assert sizes(5, 10)[0] == (5, 10)
    assert sizes(20, 10) == [(20, 10), (20, 20), (20, 40)]


def test_the_budget_ends_the_sizes_at_the_first_that_does_not_fit():
    """60 of 100 s leave 40, then 50 do not fit, and 10 after them are not considered; unknown never fits."""
    possible = sizes(3, 48)[:4]
    assert affordable(possible, [60, 50, 10], 100) == possible[:2]
    assert affordable(possible, [60, 40, 1], 100) == possible[:3]
    assert affordable(possible, [None, 1, 1], 100) == possible[:1]


def test_levels_are_spent_by_the_square_root_of_seeds_times_documents():
    """A quarter of the size spends as half the information: .00305 (4 - 4 Phi(2.2414 / sqrt(.5)))."""
    first, last = looks_at([Size(3, 48), Size(12, 48)])
    assert first.level == pytest.approx(0.00305, abs=1e-5)
    assert 0.05 - first.level < last.level < 0.05
    assert [look.level for look in looks_at([Size(3, 48)])] == pytest.approx([0.05])


def test_added_seeds_are_fresh_and_documents_lie_beyond_the_test_split():
    """Seeds 998 and 999 are followed by 1001, as 1000 tunes; 48 become 96 by 48 further ones, 10 texts 20."""
    overrides = ["seeds=[998,999]", "data.test=48", "evaluate.generations=10"]
    larger = grown(studies.load("quickstart", overrides), Size(3, 96))
    assert larger.seeds == (998, 999, 1001)
    assert (larger.data.test, larger.data.further_test, larger.evaluate.generations) == (48, 48, 20)


def test_further_documents_of_a_study_stay_at_every_size():
    """48 and 12 further ones are its own 60: the first size has them, twice as many are 72 further ones."""
    study = studies.load("quickstart", ["data.test=48", "data.further_test=12", "evaluate.generations=10"])
    first = grown(study, Size(3, documents_of(study)))
    assert (first.data.further_test, first.evaluate.generations) == (12, 10)
    larger = grown(study, Size(3, 120))
    assert (larger.data.further_test, larger.evaluate.generations) == (72, 20)


def test_looks_are_those_of_the_same_runs(done, tmp_path, tiny_gpt2):
    """Another base, or more training data, under the same name: nothing was looked at yet."""
    study = studies.load("quickstart", asked(tiny_gpt2, "small"))
    plan = LookPlan(
        planned=looks_at([Size(3, 6)]), taken=1, budget_seconds=60, concluded_before=False,
        methods=tuple(study.methods), metrics=done[1].headline, study=study.what_is_trained,
    )  # fmt: skip
    looked = done[1].model_copy(update={"sequential": plan})
    looked.write(tmp_path / "results" / "small" / "comparisons.json", sealed=True)
    assert plan_of(study, tmp_path) == plan
    assert planned_for(plan, grown(study, Size(5, 12)))
    for change in ("train.processes=2", "methods={full: 1e-4}"):  # counted as other looks at the same study
        assert planned_for(plan, studies.load("quickstart", asked(tiny_gpt2, "small", change)))
    told = study.model_copy(
        update={"base_models": [study.base_models[0].model_copy(update={"note": "a note"})]}
    )
    assert planned_for(plan, told)
    older = plan.model_copy(update={"study": study.what_was_trained[0]})
    assert planned_for(older, study)
    for change in ("data.train=11", "base_models=gpt2", "train.epochs=2"):
        other = studies.load("quickstart", asked(tiny_gpt2, "small", change))
        assert plan_of(other, tmp_path) is None
        assert not planned_for(plan, other)


def test_the_smallest_unused_seeds_are_added_if_none_is_above():
    """2^32 - 1 is the largest seed there is: 0 is used, 1 tunes, so 2 follows."""
    study = studies.load("quickstart", ["seeds=[4294967295, 0]", "tuning_seeds=1"])
    assert grown(study, Size(3, study.data.test)).seeds == (4294967295, 0, 2)


def test_a_chance_is_that_of_the_clearest_undecided_primary_comparison():
    """Nothing undecided, another family, beyond the margin without a direction: 0. Unknown variances: 1."""
    sizes_of = {"bits_per_byte": 200}

    def chance(*comparisons):
        return chance_of(comparisons, VARIANCES, sizes_of, 12, 1, 0.05)

    assert chance(compared(verdict="better"), compared(family="base")) == 0
    assert chance(compared(direction="neither", margin=0.003)) == 0
    assert chance(compared(metric="bleu")) == 1
    # standard error sqrt(1e-4 / 200 + 1e-4 / 2400) = 0.00074: 0.004 is 5.4 of them, 0 lies within the margin
    assert chance(compared(margin=None)) > 0.99
    assert chance(compared(difference=0.0)) > 0.99
    assert chance(compared(difference=0.0, margin=None)) < 0.06
    assert chance(compared(difference=0.0, margin=None), compared(margin=None)) > 0.99


@pytest.mark.parametrize(
    ("verdicts", "state"),
    [
        (["better", "equivalent"], "decided"),
        (["better", "undecided", "refused"], "continue"),
        (["better", "refused"], "refused"),
        (["refused"], "refused"),
        ([], "missing"),
    ],
)
def test_a_look_that_decides_nothing_is_not_called_decided(verdicts, state):
    """Refused comparisons, and none at all, end a study under a name of their own; undecided ones come first.

    The base family does not count.
    """
    study = studies.load("quickstart", ["metrics=[bits_per_byte]"])
    planned = looks_at([Size(3, 48), Size(5, 48)])
    compared_here = [compared(verdict=verdict) for verdict in verdicts]
    step = after_look(study, [*compared_here, compared(verdict="better", family="base")], {}, planned, 1)
    assert step == (state, 1.0 if state == "continue" else None)
    plan = LookPlan(
        planned=planned, taken=1, state=step.state, budget_seconds=60, concluded_before=False,
        methods=("full",), metrics=("bits_per_byte",),
    )  # fmt: skip
    words = {
        "decided": "No primary comparison is undecided.", "continue": "the same command continues it",
        "refused": "the audit refused", "missing": "There is no primary comparison",
    }  # fmt: skip
    assert words[state] in looks_text(plan)
    assert "does not account for that look" not in looks_text(plan)
    assert "does not account for that look" in looks_text(plan.model_copy(update={"concluded_before": True}))


def run(root, base, name, budget, *overrides):
    """Run a tiny study until decided; its conclusions and what was printed."""
    study = studies.load("quickstart", asked(base, name, "metrics=[bits_per_byte]", *overrides))
    printed = io.StringIO()
    with Board(Console(file=printed, width=200)) as board:
        concluded = run_until_decided(study, root, board, budget, execute=in_this_process)
    return concluded.conclusions, printed.getvalue()


@pytest.mark.slow
def test_a_tiny_study_stops_when_decided_or_at_its_budget(tmp_path, tiny_gpt2):
    """Rates of 1e-9 change nothing: equivalent. A budget of 1e-3 seconds allows one look, of 5 %."""
    alike = "methods={full: 1e-9, lora-r16: 1e-9}"
    conclusions, printed = run(tmp_path, tiny_gpt2, "alike", 3600, alike)
    plan = conclusions.sequential
    assert plan.state == "decided"
    assert (plan.planned[0].seeds, plan.planned[0].documents, plan.concluded_before) == (3, 6, False)
    assert len(plan.planned) > 2
    assert plan.planned[-1].documents > 6
    primary = [one for one in conclusions.comparisons if one.family == "primary"]
    assert [one.verdict for one in primary] == ["equivalent"]
    assert "planned looks" in printed
    assert verify(conclusions, tmp_path).problems == ()
    again, printed = run(tmp_path, tiny_gpt2, "alike", 3600, alike)
    assert again == conclusions
    assert "planned looks" not in printed
    short, _ = run(tmp_path, tiny_gpt2, "short", 1e-3, alike)
    assert [(look.seeds, look.level) for look in short.sequential.planned] == [(3, pytest.approx(0.05))]
    stored = Conclusions.read(tmp_path / "results" / "short" / "comparisons.json")
    assert stored.sequential == short.sequential
