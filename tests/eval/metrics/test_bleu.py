"""BLEU equals sacreBLEU, on what was written and without markers."""

from __future__ import annotations

import random

import numpy as np
import pytest
from sacrebleu.metrics.bleu import BLEU

from eval.anchors import references
from eval.metrics import Context, measure, metric
from eval.metrics.reference.bleu import corpus_bleu
from eval.metrics.texts import without_markers
from eval.statistics.compare import compare, estimate

WORDS = [
    "beat",
    "fry",
    "stir",
    "the",
    "eggs",
    "salt",
    "and",
    "pan",
    ",",
    ".",
    "hot",
    "1/2",
    "cup",
    "Käse",
    "don't",
]


@pytest.fixture
def noisy(outcome, text):
    """Forty recipes and distorted versions of them, some empty, some cut."""
    draw = random.Random(4)
    made = []
    for number in range(40):
        words = [draw.choice(WORDS) for _ in range(draw.randint(1, 40))]
        reference = text(title=f"Dish {number}", directions=" ".join(words))
        kept = [w if draw.random() > 0.3 else draw.choice(WORDS) for w in words[: draw.randint(0, 40)]]
        written = f"INGREDIENTS: 2 eggs, 1 pinch salt\nDIRECTIONS: {' '.join(kept)}\n[END]"
        made.append(outcome(reference, written if number % 9 else ""))
    return made


def _plain(item, form):
    reference = item.reference.split("\n", 1)[1]
    return without_markers(item.generations[0].text, form), without_markers(reference, form)


def test_corpus_bleu_equals_sacrebleu(context, noisy):
    """The same segments through sacreBLEU's own corpus_score, with its brevity penalty and precisions."""
    value, _ = measure(metric("bleu"), noisy, context)
    hypotheses, wanted = zip(*(_plain(item, context.form) for item in noisy), strict=True)
    theirs = BLEU().corpus_score(hypotheses, [wanted])
    assert 5 < theirs.score < 95
    assert theirs.bp < 1
    assert value.value == pytest.approx(theirs.score, rel=1e-13)
    assert value.details["brevity_penalty"] == pytest.approx(theirs.bp, rel=1e-13)
    assert value.details["length_ratio"] == pytest.approx(theirs.sys_len / theirs.ref_len)
    assert value.details["precision_4"] == pytest.approx(theirs.precisions[3])


def test_the_signature_holds_sacrebleus(context, noisy):
    """Ours is sacreBLEU's `nrefs:1|case:mixed|…` and what is done to the text before."""
    scorer = BLEU()
    scorer.corpus_score(["a"], [["a"]])
    assert metric("bleu").signature.startswith(str(scorer.get_signature()))


@pytest.mark.parametrize(
    ("hypotheses", "wanted"),
    [
        (["a b c d e", "f g"], ["a b x d e", "f h"]),  # no 4-gram matches: smoothed
        (["a", "b"], ["a", "b"]),  # no 2-grams at all
        (["x y z w v"], ["a b c d e"]),  # nothing matches
        (["", "a b c d"], ["a b c d", "a b c d"]),  # an empty segment
        (["a b c d e f g h"], ["a b c d"]),  # longer than the reference: no penalty
    ],
)
def test_bleu_of_edge_cases_equals_sacrebleu(hypotheses, wanted, context, outcome):
    """Smoothing, missing orders, no match, empty and long texts: the same number as sacreBLEU's."""
    made = [outcome(f"RECIPE: t\n{r}\n[END]", f"{h}\n[END]") for h, r in zip(hypotheses, wanted, strict=True)]
    value, _ = measure(metric("bleu"), made, context)
    assert value.value == pytest.approx(
        BLEU().corpus_score(hypotheses, [wanted]).score, rel=1e-13, abs=1e-300
    )


def test_bleu_of_many_sums_at_once_is_bleu_of_each(context, noisy):
    """`aggregate` is vectorised over leading axes: a [2, 20, k] array of sums gives [2, 20] scores."""
    bleu = metric("bleu")
    _, rows = measure(bleu, noisy, context)
    table = np.array(rows).reshape(2, 20, -1)
    together = bleu.aggregate(table)
    assert together.shape == (2, 20)
    assert together[1, 3] == bleu.aggregate(table[1, 3])


def test_references_score_one_hundred(context, noisy):
    """The references as if generated: BLEU 100 of the whole and of both written sections."""
    value, _ = measure(metric("bleu"), references(noisy, context), context)
    assert value.value == pytest.approx(100, abs=1e-9)
    assert value.details["ingredients"] == pytest.approx(100, abs=1e-9)
    assert value.details["directions"] == pytest.approx(100, abs=1e-9)
    assert "title" not in value.details  # the prompt holds it
    assert value.details["brevity_penalty"] == 1


def test_the_prompt_is_not_scored(outcome, text, context):
    """From title and ingredients, only the directions count: nothing written scores 0 whatever the prompt."""
    reference = text()
    mode = Context(form=context.form, prompt_mode="ingredients", decoding="greedy")
    empty, _ = measure(metric("bleu"), [outcome(reference, "", mode="ingredients")], mode)
    right, _ = measure(
        metric("bleu"), [outcome(reference, reference.split("\n", 2)[2], mode="ingredients")], mode
    )
    assert empty.value == 0
    assert right.value == pytest.approx(100)
    assert set(right.details) >= {"directions"}
    assert "ingredients" not in right.details


def test_words_without_their_marker_still_count_and_text_after_the_end_does_not(context, outcome, text):
    """The right words without markers score 100 as a whole; a second recipe after [END] changes nothing."""
    reference = text()
    bare = without_markers(reference.split("\n", 1)[1], context.form)
    unmarked, _ = measure(metric("bleu"), [outcome(reference, bare)], context)
    rambling = reference.split("\n", 1)[1] + "\nRECIPE: More\nDIRECTIONS: and more and more"
    rambled, _ = measure(metric("bleu"), [outcome(reference, rambling)], context)
    assert unmarked.value == pytest.approx(100)
    assert unmarked.details["directions"] == 0  # no such section was written
    assert rambled.value == pytest.approx(100)


def _few(fours: float) -> np.ndarray:
    """Counts of 48 texts of 60 words, 400, 60 and 2 matches of orders 1 to 3, and these many of order 4."""
    return np.array([2880.0, 3360, 400, 60, 2, fours, 2880, 2832, 2784, 2736])


def test_between_whole_counts_bleu_is_continuous():
    """No 4-gram counts half a match: flat up to .5, a straight share of 1 from .75: (.75 / .5)^(1/4) higher.

    Before, .02 of a match scored (.02 / .5)^(1/4) of what none does: a slope that was negative and steep.
    """
    none = corpus_bleu(_few(0))
    assert corpus_bleu(_few(0.02)) == corpus_bleu(_few(0.5)) == none
    assert corpus_bleu(_few(0.75)) == pytest.approx(none * 1.5**0.25)
    assert corpus_bleu(_few(1)) == pytest.approx(none * 2**0.25)
    steps = np.array([corpus_bleu(_few(x)) for x in np.linspace(0, 2, 2001)])
    assert (np.diff(steps) >= 0).all()
    assert np.diff(steps).max() < 0.001 * none
    empty = np.array([2880.0, 3360, 0.25, 0, 0, 0, 2880, 2832, 2784, 2736])
    assert 0 < corpus_bleu(empty) < corpus_bleu(empty + 0.75 * (np.arange(10) == 2))


def test_bleu_with_few_matches_has_no_interval():
    """48 texts with five 4-grams matched in five of them have an interval, with four have none."""
    table = np.tile(_few(0) / 48, (1, 48, 1))
    table[0, :, 2:5] = [[9, 2, i % 3 > 0] for i in range(48)]
    for matches, known in ((5, True), (4, False)):
        table[0, :matches, 5] = 1
        table[0, matches:, 5] = 0
        found = estimate(metric("bleu"), table)
        assert found.value > 0
        assert (found.low is not None) == (found.high is not None) == known
    differing = compare(metric("bleu"), table, table[:, ::-1], margin=None)
    assert differing.low is not None  # a difference keeps its interval
