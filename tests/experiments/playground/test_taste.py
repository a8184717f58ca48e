"""The blind taste test: balanced pairs, a page that names nobody, votes that count once, honest intervals."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest
from scipy.optimize import minimize

from experiments.playground.taste import page, votes
from experiments.playground.taste.pairs import draw
from experiments.playground.taste.preferences import preferences
from experiments.playground.taste.votes import Vote
from toolkit import catalog
from toolkit.errors import UserError

RECIPE = catalog.document_format("recipe")
METHODS = ("base", "full", "lora-r16")


def texts(prompts=10):
    """Three methods that write something else for each prompt."""
    return {m: {f"p{i}": f"text {n} for {i}" for i in range(prompts)} for n, m in enumerate(METHODS)}


def test_each_two_methods_meet_on_every_prompt_half_the_time_each_way():
    """Three couples on ten prompts: 30 pairs, each method left in 10 of its 20."""
    shown, key = draw(texts(), seed=0)
    assert len(shown) == len(key) == 30
    assert Counter(line.left for line in key) == dict.fromkeys(METHODS, 10)
    assert [pair.pair for pair in shown] == [line.pair for line in key]
    assert {pair.prompt for pair in shown} == {f"p{i}" for i in range(10)}


def test_pairs_of_equal_texts_have_names_of_their_own():
    """`merged` writes what `lora` writes: full meets each of them, and every vote is for one pair."""
    wrote = texts()
    given = {"full": wrote["full"], "lora": wrote["lora-r16"], "merged": wrote["lora-r16"]}
    shown, key = draw(given, seed=0)
    assert len(key) == 20
    assert len({pair.pair for pair in shown}) == 20


def test_a_limit_keeps_as_many_pairs_of_each_couple():
    """Twelve pairs of three couples: four each; equal texts are no pair."""
    _, key = draw(texts(), seed=1, most=12)
    assert set(Counter(frozenset((line.left, line.right)) for line in key).values()) == {4}
    same = {"a": {"p": "x", "q": "x"}, "b": {"p": "x", "q": "y"}}
    assert [line.prompt for line in draw(same, seed=0)[1]] == ["q"]


def test_a_limit_is_never_exceeded_and_sides_stay_even():
    """Ten methods are 45 couples. 60 pairs: one of each; 12: nine with the baseline; 4: four of the nine.

    One pair a couple: with 9 pairs a method, it stands left in 4 or 5 of them; two pairs: one each way.
    """
    names = [f"m{i}" for i in range(10)]
    given = {m: {f"p{i}": f"{m} wrote {i}" for i in range(5)} for m in names}
    keys = {most: draw(given, seed=0, most=most, baseline="m3")[1] for most in (90, 60, 12, 4)}
    assert {most: len(key) for most, key in keys.items()} == {90: 90, 60: 45, 12: 9, 4: 4}
    assert all("m3" in (line.left, line.right) for most in (12, 4) for line in keys[most])
    assert Counter(line.left for line in keys[90]) == dict.fromkeys(names, 9)
    assert set(Counter(line.left for line in keys[60]).values()) <= {4, 5}
    assert Counter(line.left for line in keys[12])["m3"] in (4, 5)
    assert len(draw(given, seed=0, most=4, baseline="gone")[1]) == 4
    with pytest.raises(UserError, match="--pairs is at least 1, got 0"):
        draw(given, seed=0, most=0)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "two methods"),
        ({"a": {"p": "x"}}, "two methods"),
        ({"a": {"p": "x"}, "b": {"q": "x"}}, "two methods"),
        ({"a": {"p": "x"}, "b": {"p": "x"}}, "the same text"),
    ],
)
def test_nothing_to_choose_between_is_one_line(given, words):
    """No methods, one, no prompt in common, the same texts."""
    with pytest.raises(UserError, match=words):
        draw(given, seed=0)


def test_the_page_names_no_method_and_cannot_be_broken_out_of():
    """A text that ends the script or holds markup is shown as it is; no method's name is in the page."""
    given = texts(2)
    given["full"]["p0"] = "</script><b>bold</b> & \u2028 end"
    shown, _ = draw(given, seed=0)
    test = page.TasteTest(taste_test="t1", study="s", question="Which?", pairs=6, methods=METHODS, seed=0)
    html = page.page(shown, test)
    for name in ("lora-r16", "full", "base"):
        assert name not in html.replace("'unsafe-inline'", "")
    assert html.count("</script>") == 1
    assert "\\u003c/script\\u003e\\u003cb\\u003e" in html


def test_markers_are_hidden_and_sections_become_paragraphs():
    """`INGREDIENTS: a` and `[END]` leave `a` alone."""
    text = "INGREDIENTS: 2 eggs, milk\nDIRECTIONS: Mix.\n[END]"
    assert page.without_markers(text, RECIPE) == "2 eggs, milk\n\nMix."
    assert page.without_markers("no marker at all", RECIPE) == "no marker at all"


def saved(path, rater, choices, taste_test="t1"):
    """A file as the page saves it."""
    ballots = [{"pair": pair, "choice": choice} for pair, choice in choices]
    path.write_text(json.dumps({"taste_test": taste_test, "rater": rater, "votes": ballots}))
    return path


def test_votes_given_twice_count_once(tmp_path):
    """A file twice, and a pair twice in another: two votes count, three are repeated, one is unknown."""
    shown, key = draw(texts(2), seed=0)
    first, second = shown[0].pair, shown[1].pair
    one = saved(tmp_path / "1.json", "ann", [(first, "left"), (second, "tie")])
    two = saved(tmp_path / "2.json", "ann", [(first, "right"), ("unknown", "left")])
    counted = votes.read([one, one, two], key, "t1")
    assert [(v.rater, v.choice) for v in counted.votes] == [("ann", "left"), ("ann", "tie")]
    assert (counted.repeated, counted.foreign) == (3, 1)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "not a file of votes"),
        ("[1]", "not a file of votes"),
        ('{"taste_test": "t1", "rater": "", "votes": []}', "rater"),
        ('{"taste_test": "t1", "rater": "x", "votes": [{"pair": "p", "choice": "up"}]}', "choice"),
        ('{"taste_test": "t2", "rater": "x", "votes": []}', "another taste test"),
        ('{"taste_test": "t1", "rater": "x", "votes": []}', "no vote on any pair"),
        ("[" * 100_000, "not a file of votes"),
    ],
)
def test_damaged_votes_are_one_line(content, words, tmp_path):
    """Empty, a list, no name, an unknown choice, another test, no votes, deep nesting."""
    path = tmp_path / "v.json"
    path.write_text(content)
    with pytest.raises(UserError, match=words):
        votes.read([path], [], "t1")


def simulated(
    draws, raters, prompts, strengths=(0.0, 0.5, 0.3), tie=0.6, rater_sd=0.3, prompt_sd=0.4, left=0.0
):
    """Raters and prompts with tastes of their own, and a bias for the left, by Davidson's model."""
    count = len(strengths)
    own = draws.normal(0, rater_sd, (raters, 1, count)) + draws.normal(0, prompt_sd, (1, prompts, count))
    values = np.asarray(strengths) + own
    names = METHODS[:count]
    result = []
    for i in range(count):
        for j in range(i + 1, count):
            for r in range(raters):
                for p in range(prompts):
                    a, b = (i, j) if (p + i + j) % 2 else (j, i)
                    first, second = values[r, p, a] + left / 2, values[r, p, b] - left / 2
                    weights = np.exp([first, second, np.log(tie) + (first + second) / 2])
                    choice = ("left", "right", "tie")[draws.choice(3, p=weights / weights.sum())]
                    result.append(Vote(f"r{r}", f"p{p}", names[a], names[b], choice))
    return result


def test_two_wins_of_three_choices_are_two_thirds():
    """60 to 30 without ties, and half a win added each way: 60.5 / 91 = 0.6648."""
    choices = ["left"] * 60 + ["right"] * 30
    ballots = [Vote(f"r{i % 5}", f"p{i}", "full", "base", c) for i, c in enumerate(choices)]
    found = preferences(ballots, "base")
    assert found.against_baseline[0].share == pytest.approx(60.5 / 91, abs=1e-4)
    assert found.ties == 0


def test_strengths_are_those_of_the_largest_likelihood():
    """The same as a general optimiser finds for Davidson's likelihood, up to the half wins added."""
    ballots = simulated(np.random.default_rng(0), 10, 40)
    found = preferences(ballots, "base")
    place = {m: n for n, m in enumerate(METHODS)}

    def nll(x):
        s, log_nu = np.array([0, x[0], x[1]]), x[2]
        total = 0.0
        for v in ballots:
            a, b = s[place[v.left]], s[place[v.right]]
            logs = np.array([a, b, log_nu + (a + b) / 2])
            total -= logs[("left", "right", "tie").index(v.choice)] - np.log(np.exp(logs).sum())
        return total

    best = minimize(nll, [0, 0, 0], method="BFGS").x
    shares = [one.share for one in found.against_baseline]
    assert shares == pytest.approx(list(1 / (1 + np.exp(-best[:2]))), abs=2e-3)
    assert found.tie_parameter == pytest.approx(np.exp(best[2]), abs=0.02)


def test_verdicts_use_p_values_corrected_over_the_methods():
    """Of two methods the smaller p doubles; full wins nearly always, and lora-r16 is as good as the base."""
    ballots = simulated(np.random.default_rng(5), 10, 40, strengths=(0.0, 2.0, 0.0))
    full, lora = preferences(ballots, "base").against_baseline
    assert (full.verdict, lora.verdict) == ("better", "undecided")
    assert full.p_holm == pytest.approx(2 * full.p)
    assert lora.p_holm == max(lora.p, full.p_holm)
    assert preferences(ballots, "full").against_baseline[0].verdict == "worse"


def test_a_bias_for_the_left_is_seen_and_cancels():
    """A strong bias: the position test finds it, and the equal methods stay near one half."""
    ballots = simulated(np.random.default_rng(3), 12, 30, strengths=(0.0, 0.0), left=1.0)
    found = preferences(ballots, "base")
    assert found.left_share > 0.6
    assert found.left_p < 0.05
    assert found.against_baseline[0].low < 0.5 < found.against_baseline[0].high


def test_few_raters_speak_of_prompts_only_and_agreement_needs_two():
    """One rater: the interval is about prompts, and there is no agreement."""
    found = preferences(simulated(np.random.default_rng(1), 1, 30), "base")
    assert found.about == "prompts like these, for these raters"
    assert found.alpha is None
    unanimous = [
        Vote(r, f"p{i}", "full", "base", "left" if i % 3 else "right") for r in "ab" for i in range(9)
    ]
    assert preferences(unanimous, "base").alpha == pytest.approx(1.0)


def test_clusters_whose_votes_cancel_out_decide_nothing():
    """Each of 3 raters and of 3 prompts has 2 of 3: all sums nearly vanish, and 6 of 9 votes tell little.

    Share (6 + 0.5) / 10 = 0.65; information 9 x 0.65 x 0.35 = 2.0475; squares of single votes
    (6 x 0.35^2 + 3 x 0.65^2) x 9 / 8 = 2.253; error sqrt(2.253) / 2.0475 = 0.733; t(2) 0.975: 4.303.
    """
    ballots = [
        Vote(f"r{r}", f"p{p}", "full", "base", "left" if (r + p) % 3 else "right")
        for r in range(3)
        for p in range(3)
    ]
    (full,) = preferences(ballots, "base").against_baseline
    assert full.share == pytest.approx(0.65, abs=1e-6)
    apart, half = np.log(0.65 / 0.35), 4.303 * 0.733
    assert full.low == pytest.approx(1 / (1 + np.exp(half - apart)), abs=1e-3)
    assert full.high == pytest.approx(1 / (1 + np.exp(-half - apart)), abs=1e-3)
    assert full.verdict == "undecided"
    assert full.p > 0.4


def test_votes_without_any_spread_have_no_interval():
    """Two raters choose one side each on four prompts: every prompt's sum is zero, and so is its error."""
    ballots = [
        Vote(r, f"p{p}", "full", "base", c) for p in range(4) for r, c in (("a", "left"), ("b", "right"))
    ]
    (full,) = preferences(ballots, "base").against_baseline
    assert full.share == pytest.approx(0.5)
    assert (full.low, full.high, full.p, full.verdict) == (None, None, None, "undecided")


def test_an_unknown_baseline_is_one_line():
    """The methods that were voted on are listed."""
    with pytest.raises(UserError, match="no votes on the baseline 'x'. Methods: base, full"):
        preferences([Vote("r", "p", "full", "base", "tie")], "x")


@pytest.mark.slow
def test_intervals_cover_as_they_promise():
    """8 raters x 24 prompts, 300 taste tests: between 93 and 98 % hold the shares of a very large one.

    Somewhat more than 95 %: no variance is less than that of single votes.
    """
    pooled = []
    for part in range(4):
        whole = simulated(np.random.default_rng(100 + part), 100, 100)
        pooled += [v._replace(rater=f"{v.rater}_{part}", prompt=f"{v.prompt}_{part}") for v in whole]
    truth = {one.method: one.share for one in preferences(pooled, "base").against_baseline}
    held = []
    for repetition in range(300):
        found = preferences(simulated(np.random.default_rng(repetition), 8, 24), "base")
        held += [one.low <= truth[one.method] <= one.high for one in found.against_baseline]
    assert 0.93 <= np.mean(held) <= 0.98
