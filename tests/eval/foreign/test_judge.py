"""Verdicts on other tools' results: paired by item, refused where items differ."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.stats import binomtest

from eval.foreign import read
from eval.foreign.judge import judge
from eval.foreign.unpaired import shares, welch
from toolkit.errors import UserError

# 30 items that only A has right, 12 that only B has, 68 that both have, 110 that neither has: n = 220
A = [1] * 30 + [0] * 12 + [1] * 68 + [0] * 110
B = [0] * 30 + [1] * 12 + [1] * 68 + [0] * 110


def samples(path, values, **changes):
    """A samples file of lm-evaluation-harness with one value of acc per document."""
    rows = [
        {"doc_id": i, "target": "x", "acc": float(v), "metrics": ["acc"], "prompt_hash": f"p{i}", **changes}
        for i, v in enumerate(values)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return read(path)


def judged(tmp_path, ours, theirs, **options):
    """The one comparison of two lists of 0 and 1."""
    results = {
        "a": samples(tmp_path / "samples_a.jsonl", ours),
        "b": samples(tmp_path / "samples_a2.jsonl", theirs),
    }
    results = {name: [_task(s, "t") for s in scores] for name, scores in results.items()}
    return judge(results, "b", **options)


def _task(scores, task):
    from dataclasses import replace

    return replace(scores, task=task)


def test_the_worked_example_of_lm_evaluation_harness_3868(tmp_path):
    """n = 220, 30 against 12 discordant: McNemar's exact p is .008, Fisher's unpaired one .099."""
    (one,) = judged(tmp_path, A, B).comparisons
    assert round(one.p, 3) == round(binomtest(12, 42).pvalue, 3) == 0.008
    assert one.verdict == "better"
    assert one.difference == pytest.approx(18 / 220)
    apart = shares(98 / 220, 220, 80 / 220, 220)
    assert round(apart.p, 3) == 0.099
    assert apart.low < 0 < apart.high


def test_a_share_of_zero_is_not_taken_for_certain():
    """0 and 5 of 1,319: 2 x (1/2)^5 = .0625 but for drawing without replacement; the z-test has .025.

    Wilson's ends are 0 and z2 / (n + z2) = .002904 for none; for five .001620 and .008844. Newcombe: -.003791
    - sqrt(0 + .005053^2) to -.003791 + sqrt(.002904^2 + .002171^2) = -.008844 to -.000165.
    """
    found = shares(0.0, 1319, 5 / 1319, 1319)
    assert found.p == pytest.approx(0.0621, abs=5e-4)
    assert (found.low, found.high) == pytest.approx((-0.008844, -0.000165), abs=2e-6)


def test_seeds_that_do_not_differ_have_no_interval():
    """Seeds .5, .5 and .52, .52: their error is unknown, not zero; .50, .51 against .52, .52 has one."""
    assert welch([0.5, 0.5], [0.52, 0.52])[1:] == (None, None, None)
    assert welch([0.1 + 0.2, 0.3], [0.52, 0.52])[1:] == (None, None, None)
    assert welch([0.5, 0.51], [0.52, 0.52]).low < -0.015 < welch([0.5, 0.51], [0.52, 0.52]).high


def test_other_items_are_refused_unless_the_shared_ones_are_asked_for(tmp_path):
    """219 of 220 items are shared: refused with the number, or flagged with `shared_items`."""
    (one,) = judged(tmp_path, A, B[:-1]).comparisons
    assert one.verdict == "refused"
    assert "1 items of" in one.reason
    shared = judged(tmp_path, A, B[:-1], shared_items=True)
    assert shared.comparisons[0].documents == 219
    assert any(f.status == "flagged" and "219 are shared" in f.text for f in shared.audit)


def test_shared_items_are_those_of_all_sides(tmp_path):
    """a has 40 items more, all of score 0, and c lacks ten: values and differences are all of the same 30."""
    draw = np.random.default_rng(1)
    scores = draw.random(40)
    rows = {
        "a": [(i, s + 0.3) for i, s in enumerate(scores)] + [(i, 0.0) for i in range(40, 80)],
        "b": list(enumerate(scores)),
        "c": list(enumerate(scores + draw.normal(scale=0.01, size=40)))[10:],
    }
    for name, items in rows.items():
        text = "".join(f"i{item},{score + draw.normal(scale=0.01)}\n" for item, score in items)
        (tmp_path / f"{name}.csv").write_text("item,score\n" + text)
    found = judge({name: read(tmp_path / f"{name}.csv") for name in rows}, "b", shared_items=True)
    assert {one.documents for one in (*found.comparisons, *found.estimates)} == {30}
    values = {one.method: one.value for one in found.estimates}
    for one in found.comparisons:
        assert one.difference == pytest.approx(values[one.method] - values["b"])
    assert [f.methods for f in found.audit if f.check == "items"] == [("a", "b", "c")]


def test_one_run_is_one_seed_however_often_it_is_given(tmp_path):
    """Two runs of seed 1 are refused; three against one are flagged: a checkpoint is no method."""
    rows = "".join(f"{item},{s},{(item + s) % 3}\n" for s in range(3) for item in range(4))
    (tmp_path / "a.csv").write_text("item,seed,score\n" + rows)
    several = read(tmp_path / "a.csv")
    with pytest.raises(
        UserError, match="a: score of items has two runs of seed 1, .*give one per training seed"
    ):
        judge({"a": [several[1], several[1]], "b": several[:2]}, "b")
    audit = judge({"a": several, "b": several[:1]}, "b").audit
    texts = [f.text for f in audit if f.check == "seeds"]
    assert texts == ["b is one run: how much its training varies is in no interval"]


def test_a_margin_of_one_point_is_no_one(tmp_path):
    """--margin 1 for one point of a share would call everything equivalent."""
    with pytest.raises(UserError, match="margin of .*: 1 is half of all values or more .*one point is 0.01"):
        judged(tmp_path, A, B, margin=1)


@pytest.mark.parametrize("margin", [-0.1, float("nan"), float("inf")])
def test_a_margin_is_a_number_from_zero_on(margin, tmp_path):
    """A negative one would lie outside every difference."""
    with pytest.raises(UserError, match="margin .*: give how large a negligible difference is"):
        judged(tmp_path, A, B, margin=margin)


@pytest.mark.parametrize(("seeds", "words"), [(1, "one run per side"), (2, "two runs at most"), (3, None)])
def test_fewer_than_three_seeds_are_flagged_although_they_are_known_and_equal(seeds, words, tmp_path):
    """The verdict is then about checkpoints, which the audit has to report; of three it is about methods."""
    rows = "".join(f"{item},{s},{(item + s) % 3}\n" for s in range(seeds) for item in range(4))
    for name in "ab":
        (tmp_path / f"{name}.csv").write_text("item,seed,score\n" + rows)
    found = judge({name: read(tmp_path / f"{name}.csv") for name in "ab"}, "b")
    assert found.comparisons[0].speaks_about == ("checkpoints" if words else "methods")
    texts = [f.text for f in found.audit if f.check == "seeds"]
    assert [text.startswith(words) for text in texts] == [True] if words else texts == []


def test_items_that_one_seed_of_a_csv_lacks_are_not_dropped_in_silence(tmp_path):
    """Seed 0 has three items and seed 1 two, in both files: refused, as 1 of 3 is not in every run."""
    rows = "a,0,1\nb,0,0\nc,0,1\na,1,1\nb,1,1\n"
    for name in "ab":
        (tmp_path / f"{name}.csv").write_text("item,seed,score\n" + rows)
    sides = {name: read(tmp_path / f"{name}.csv") for name in "ab"}
    (one,) = judge(sides, "b").comparisons
    assert one.verdict == "refused"
    assert "1 items of" in one.reason and "a.csv, seed 0, are not in every run (2 are shared)" in one.reason
    assert judge(sides, "b", shared_items=True).comparisons[0].documents == 2


@pytest.mark.parametrize(("field", "words"), [("prompt_hash", "prompts"), ("target_hash", "targets")])
def test_another_prompt_or_target_of_an_item_is_refused(field, words, tmp_path):
    """Item 0 was asked differently: nothing is said of the two."""
    ours = [_task(s, "t") for s in samples(tmp_path / "samples_a.jsonl", A, **{field: "one"})]
    theirs = [_task(s, "t") for s in samples(tmp_path / "samples_b.jsonl", B, **{field: "two"})]
    (one,) = judge({"a": ours, "b": theirs}, "b").comparisons
    assert one.verdict == "refused"
    assert f"different {words}" in one.reason


def test_one_run_per_side_is_flagged(tmp_path):
    """The verdict is about two checkpoints, and the audit flags it."""
    result = judged(tmp_path, A, B)
    assert result.comparisons[0].speaks_about == "checkpoints"
    assert any(f.check == "seeds" and "one run per side" in f.text for f in result.audit)


def test_seeds_of_a_csv_are_crossed_with_its_items(tmp_path):
    """Five seeds of 40 items, a constant difference of 0.5: better, and about the methods."""
    draw = np.random.default_rng(0)
    noise = draw.normal(size=(5, 40))
    for name, shift in (("a", 0.5), ("b", 0.0)):
        own = draw.normal(scale=0.01, size=(5, 40))
        lines = [f"i{i},{s},{noise[s, i] + own[s, i] + shift}" for s in range(5) for i in range(40)]
        (tmp_path / f"{name}.csv").write_text("item,seed,score\n" + "\n".join(lines))
    results = {n: [_task(s, "t") for s in read(tmp_path / f"{n}.csv")] for n in "ab"}
    (one,) = judge(results, "b").comparisons
    assert (one.seeds, one.documents, one.speaks_about) == (5, 40, "methods")
    assert one.low < 0.5 < one.high
    assert one.direction == "higher"
    assert one.verdict == "better"


def test_peft_records_are_compared_as_shares_and_flagged_as_unpaired(tmp_path):
    """636 against 600 of 1,319: z = (0.0273 - 1 / 1319) / 0.0194 = 1.36 with continuity, undecided."""
    results = {}
    for name, right in (("a", 636), ("b", 600)):
        path = tmp_path / f"{name}.json"
        metrics = [{"test accuracy": right / 1319}]
        path.write_text(json.dumps({"run_info": {}, "train_info": {"status": "success", "metrics": metrics}}))
        results[name] = read(path)
    result = judge(results, "b")
    assert result.comparisons[0].verdict == "undecided"
    assert result.comparisons[0].p == pytest.approx(0.174, abs=0.005)
    assert any("unpaired" in f.text for f in result.audit)


def _loss(folder, value):
    """The scores of a trainer's state with one evaluation loss."""
    folder.mkdir()
    path = folder / "trainer_state.json"
    path.write_text(json.dumps({"log_history": [{"eval_loss": value, "step": 1}]}))
    (one,) = read(path)
    return one


def test_one_loss_per_side_is_refused_and_three_seeds_are_compared(tmp_path):
    """Welch's t of 1.0, 1.1, 1.2 against 2.0, 2.1, 2.2: 1 / (0.1 sqrt(2 / 3)) = 12.2."""
    ours = [_loss(tmp_path / f"a{i}", value) for i, value in enumerate((1.0, 1.1, 1.2))]
    theirs = [_loss(tmp_path / f"b{i}", value) for i, value in enumerate((2.0, 2.1, 2.2))]
    (one,) = judge({"a": ours[:1], "b": theirs[:1]}, "b").comparisons
    assert one.verdict == "refused"
    assert "no interval" in one.reason
    (three,) = judge({"a": ours, "b": theirs}, "b").comparisons
    assert three.difference == pytest.approx(-1.0)
    assert three.verdict == "better"
    assert three.seeds == 3


def test_a_difference_within_or_beyond_the_margin_says_so(tmp_path):
    """Losses 1.0 apart with an interval of some ±0.23: beyond a margin of half, and within one of 2."""
    sides = {
        name: [_loss(tmp_path / f"{name}{i}", value) for i, value in enumerate(values)]
        for name, values in (("a", (1.0, 1.1, 1.2)), ("b", (2.0, 2.1, 2.2)))
    }
    (beyond,) = judge(sides, "b", margin=0.5).comparisons
    assert (beyond.verdict, beyond.within_margin, beyond.beyond_margin) == ("better", False, True)
    (within,) = judge(sides, "b", margin=2).comparisons
    assert (within.verdict, within.within_margin, within.beyond_margin) == ("better", True, False)


def test_seeds_that_all_have_one_value_are_undecided(tmp_path):
    """1.0 twice against 1.0 twice: Welch's t is 0 / 0, and what two seeds vary by is not known to be 0."""
    sides = {name: [_loss(tmp_path / f"{name}{i}", 1.0) for i in range(2)] for name in "ab"}
    (one,) = judge(sides, "b", margin=0.1).comparisons
    assert (one.difference, one.p, one.p_holm, one.verdict) == (0.0, None, None, "undecided")
    assert one.reason == "unpaired; no seed differs: no error can be estimated"


def test_a_seed_whose_scores_are_all_0_or_1_does_not_make_a_share_of_the_others(tmp_path):
    """Scores 0 and 1 at one seed, 4 and 6 at the other: a mean of 2.75, inside its interval."""
    rows = "".join(f"i{i},{s},{v}\n" for s, pair in enumerate(((0, 1), (4, 6))) for i, v in enumerate(pair))
    for name in "ab":
        (tmp_path / f"{name}.csv").write_text("item,seed,score\n" + rows)
    sides = {name: [_task(s, "t") for s in read(tmp_path / f"{name}.csv")] for name in "ab"}
    one = judge(sides, "b").estimates[0]
    assert one.value == pytest.approx(2.75)
    assert one.low < one.value < one.high


def test_bleu_of_text_files_equals_sacrebleus(tmp_path):
    """The value of a whole file, to the digit."""
    import sacrebleu

    reference = ["the cat sat on the mat today", "mix flour and water in a bowl", "bake it for ten minutes"]
    ours = ["the cat sat on a mat today", "mix the flour and water in a bowl", "bake for ten minutes"]
    theirs = ["a cat was on the mat", "mix flour with water in a big bowl", "bake it ten minutes"]
    for name, lines in (("r", reference), ("a", ours), ("b", theirs)):
        (tmp_path / f"{name}.txt").write_text("\n".join(lines) + "\n")
    results = {name: read(tmp_path / f"{name}.txt", tmp_path / "r.txt") for name in "ab"}
    result = judge(results, "b", metrics=["bleu"])
    expected = {n: sacrebleu.corpus_bleu(t, [reference]).score for n, t in (("a", ours), ("b", theirs))}
    assert {one.method: one.value for one in result.estimates} == pytest.approx(expected, abs=1e-9)


def test_nothing_in_common_is_one_line(tmp_path):
    """Two tasks: the error lists what each side has."""
    ours = samples(tmp_path / "samples_x.jsonl", A)
    theirs = samples(tmp_path / "samples_y.jsonl", B)
    with pytest.raises(UserError, match=r"a: acc of x; b: acc of y"):
        judge({"a": ours, "b": theirs}, "b")
    with pytest.raises(UserError, match="unknown baseline 'c'"):
        judge({"a": ours, "b": theirs}, "c")
