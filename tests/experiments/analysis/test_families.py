"""Metrics that change after results exist: verdicts that change with them stay flagged."""

from __future__ import annotations

from pathlib import Path

from experiments.analysis.families import earlier, family_changes, flagged, flagged_looks
from toolkit.records import Comparison, Conclusions, Look, LookPlan


def compared(verdict: str, difference: float = -0.01) -> Comparison:
    """A comparison of bits per byte with this verdict."""
    return Comparison(
        base_model="b", dataset="d", train_size=100, epochs=1.0, method="lora-r16", baseline="full",
        metric="bits_per_byte", direction="lower", difference=difference, low=-0.02, high=-0.001, p=0.022,
        p_holm=0.05, margin=0.008, verdict=verdict, speaks_about="methods", seeds=3, documents=48,
    )  # fmt: skip


def write(path: Path, headline: tuple[str, ...], verdict: str, changes=()) -> None:
    """Conclusions of a study with one comparison."""
    Conclusions(
        study="s", question=None, baseline="full", headline=headline, cells=(), estimates=(),
        comparisons=(compared(verdict),), family_changes=changes,
    ).write(path)  # fmt: skip


def test_a_verdict_that_a_smaller_family_made_is_flagged_for_good(tmp_path):
    """Undecided among three metrics (3 x 0.022 > 0.05), better among two: flagged now and later."""
    path = tmp_path / "comparisons.json"
    write(path, ("bits_per_byte", "bleu", "structure_compliance"), "undecided")
    two = ("bits_per_byte", "bleu")
    changes = family_changes(earlier(path), two, [compared("better")])
    (finding,) = flagged(changes)
    assert "lora-r16 against full, bits_per_byte: undecided became better" in finding.text
    write(path, two, "better", changes)
    assert family_changes(earlier(path), two, [compared("better")]) == changes


def test_a_verdict_is_flagged_too_if_its_interval_moved_with_the_metrics(tmp_path):
    """Of three methods or more, all metrics say how much seeds vary: the interval is another one."""
    path = tmp_path / "comparisons.json"
    write(path, ("bits_per_byte", "bleu"), "undecided")
    now = compared("better").model_copy(update={"low": -0.019, "high": -0.002})
    (finding,) = flagged(family_changes(earlier(path), ("bits_per_byte",), [now]))
    assert "undecided became better" in finding.text


def test_new_data_and_unchanged_verdicts_are_no_reason_for_a_flag(tmp_path):
    """Another difference comes from other data, and the same verdict needs no warning."""
    path = tmp_path / "comparisons.json"
    assert family_changes(earlier(path), ("bleu",), [compared("better")]) == ()
    write(path, ("bits_per_byte", "bleu"), "undecided")
    for now in (compared("better", difference=-0.015), compared("undecided")):
        assert flagged(family_changes(earlier(path), ("bits_per_byte",), [now])) == []


def test_looks_that_were_not_planned_are_flagged():
    """Two of two planned looks were taken, at 5 seeds and 48 documents: 8 seeds are one look more."""
    planned = (Look(seeds=3, documents=48, level=0.01), Look(seeds=5, documents=48, level=0.045))
    plan = LookPlan(
        planned=planned,
        taken=2,
        budget_seconds=60,
        concluded_before=False,
        methods=("full",),
        metrics=("bleu",),
    )
    of = (["full"], ["bleu"])
    assert flagged_looks(None, 5, 48, *of) == flagged_looks(plan, 5, 48, *of) == []
    (other,) = flagged_looks(plan, 8, 48, *of)
    assert "last with 5 seeds and 48 test documents; these conclusions are of 8 and 48" in other.text
    (before,) = flagged_looks(plan.model_copy(update={"concluded_before": True}), 5, 48, *of)
    assert "concluded before" in before.text
    (edited,) = flagged_looks(plan, 5, 48, ["full", "dora"], ["bleu"])
    assert "planned for full on bleu; these conclusions are of others" in edited.text
