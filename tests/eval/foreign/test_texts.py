"""Lists of texts are scored and compared without records: strings in, an interval and a verdict out."""

from __future__ import annotations

import math
from typing import Any

import pytest
import sacrebleu

from eval.foreign.texts import compare, score
from toolkit.errors import UserError

REFERENCES = [
    "Mix the flour and the sugar, then bake for 20 minutes.",
    "Boil the rice in salted water until it is soft.",
    "Fry the onion\nand the garlic in plenty of butter.",
    "Whisk four eggs with a spoon of milk and some salt.",
]
GOOD = [text.replace("the", "some") for text in REFERENCES]
BAD = [" ".join(text.split()[:4]) for text in REFERENCES]


def test_bleu_of_plain_texts_is_sacrebleus():
    """The same texts, line ends as spaces, give sacreBLEU's corpus score to the last digit."""
    flat = [[" ".join(text.split()) for text in texts] for texts in (GOOD, REFERENCES)]
    expected = sacrebleu.corpus_bleu(flat[0], [flat[1]]).score
    result = score(GOOD, REFERENCES, "bleu")
    assert result.value == pytest.approx(expected, abs=1e-9)
    assert result.low is not None and result.high is not None
    assert result.low < expected < result.high
    assert result.documents == 4 and result.seeds == 1
    assert "tok:13a" in result.signature and "tok:13a" in str(result)


def test_equal_texts_score_100_and_none_of_the_words_0():
    """References against themselves are BLEU 100; texts that share no word with them are 0."""
    assert score(REFERENCES, REFERENCES).value == pytest.approx(100.0)
    assert score(["xx yy zz ww"] * 4, REFERENCES).value == 0.0


def test_stop_rate_counts_what_stopped():
    """Three of four ended by themselves: 0.75."""
    assert score(GOOD, REFERENCES, "stop_rate", stopped=[True, True, True, False]).value == 0.75


def test_each_seed_and_side_has_its_own_endings():
    """Seeds of which 3 and 1 of 4 stopped: 0.5. Ours stop on 24 of 32 texts and theirs on 8: 0.5 more."""
    often, seldom = [True, True, True, False], [True, False, False, False]
    result = score([GOOD, GOOD], REFERENCES, "stop_rate", stopped=[often, seldom])
    assert (result.value, result.seeds) == (0.5, 2)
    sides = {"ours_stopped": often * 8, "theirs_stopped": seldom * 8}
    one = compare(GOOD * 8, GOOD * 8, REFERENCES * 8, "stop_rate", **sides)
    assert (one.difference, one.verdict) == (0.5, "better")
    both = {name: [ended, ended] for name, ended in sides.items()}
    assert compare([GOOD * 8] * 2, [GOOD * 8] * 2, REFERENCES * 8, "stop_rate", **both).difference == 0.5


def test_an_empty_reference_counts():
    """SQuAD's 0.5 for one wrong of two, and 1 for silence where silence is right; BLEU is sacreBLEU's."""
    assert score(["x", "Paris"], ["", "Paris"], "exact_match").value == 0.5
    assert score(["", "Paris"], ["", "Paris"], "token_f1").value == 1.0
    texts, references = ["some words too many here", *GOOD], ["", *REFERENCES]
    flat = [[" ".join(text.split()) for text in side] for side in (texts, references)]
    expected = sacrebleu.corpus_bleu(flat[0], [flat[1]]).score
    assert score(texts, references, "bleu").value == pytest.approx(expected, abs=1e-9)
    for name in ("chrf", "rouge_l", "length_ratio"):
        assert score(texts, references, name).documents == 5


RECIPE = (
    "RECIPE: Rice\nINGREDIENTS: rice, water\nDIRECTIONS: Boil the rice in the water until it is soft.\n[END]"
)


@pytest.mark.parametrize(
    "prediction",
    [
        RECIPE,
        RECIPE.replace("Rice\n", "Rice \n"),
        RECIPE.replace("Rice\n", "rice pudding\n"),
        RECIPE.split("\n", 1)[1],
    ],
    ids=["whole", "space after the title", "another title", "continuation"],
)
def test_a_title_is_no_part_of_what_was_written(prediction):
    """However its title is spelled, a whole document is scored after it; references may be continuations."""
    for reference in (RECIPE, RECIPE.split("\n", 1)[1]):
        assert score([prediction], [reference], "bleu", format="recipe").value == pytest.approx(100)
        assert score([prediction], [reference], "length_ratio", format="recipe").value == 1


def test_a_marker_further_down_makes_no_whole_document():
    """A line that names one, and a second document after the end: both texts go on from the prompt."""
    rest = RECIPE.split("\n", 1)[1]
    named = rest.replace("water until", "water, see RECIPE: above, until")
    assert score([named], [RECIPE], "structure_compliance", format="recipe").value == 1
    on = score([f"{rest}\nRECIPE: Soup\n"], [RECIPE], "structure_partial", format="recipe")
    assert on.details["failed: title once"] == 1
    assert on.details["failed: in order"] == 0


def test_answers_are_scored_without_what_plain_texts_are_wrapped_in():
    """`the cat sat` for `cat slept` has F1 2 x 1 / 4, `dog` for `Dog` 1, `b` for `c` 0: 0.5; exact 1/3."""
    texts, right = ["the cat sat", "dog", "b"], ["cat slept", "Dog", "c"]
    assert score(texts, right, "token_f1").value == pytest.approx(0.5)
    assert score(texts, right, "exact_match").value == pytest.approx(1 / 3)


def test_several_seeds_are_averaged():
    """ROUGE-L of perfect and of unrelated texts is 1 and 0; two such seeds have mean 0.5."""
    result = score([REFERENCES, ["xx yy"] * 4], REFERENCES, "rouge_l")
    assert result.value == pytest.approx(0.5)
    assert result.seeds == 2


def test_the_better_texts_are_called_better():
    """GOOD shares most words with the references, BAD only the first four: a difference of many BLEU."""
    ours, theirs = GOOD * 8, BAD * 8
    result = compare(ours, theirs, REFERENCES * 8, "bleu")
    assert result.difference == pytest.approx(
        score(GOOD, REFERENCES).value - score(BAD, REFERENCES).value  # type: ignore[operator]
    )
    assert result.verdict == "better"
    assert compare(theirs, ours, REFERENCES * 8, "bleu").verdict == "worse"


def test_a_margin_makes_equal_texts_equivalent():
    """A text against itself differs by 0, inside any margin."""
    result = compare(GOOD * 8, GOOD * 8, REFERENCES * 8, "rouge_l", margin=0.01)
    assert result.difference == 0.0
    assert result.verdict == "equivalent"


def test_a_format_opens_the_structure_checks():
    """One whole recipe passes every check; the other lacks its end: compliance 1/2."""
    whole = "RECIPE: Rice\nINGREDIENTS: rice, water\nDIRECTIONS: Boil the rice.\n[END]"
    result = score(
        [whole, whole.removesuffix("\n[END]")], [whole] * 2, "structure_compliance", format="recipe"
    )
    assert result.value == 0.5


def test_continuations_are_scored_as_the_whole_document_is():
    """With a format, what follows the prompt is enough: the prompt is the reference's own."""
    whole = "RECIPE: Rice\nINGREDIENTS: rice, water\nDIRECTIONS: Boil the rice in the water.\n[END]"
    rest = whole.removeprefix("RECIPE: Rice\n")
    assert score([rest], [whole], "rouge_l", format="recipe").value == 1.0


def wrong(value: object) -> Any:
    """A value of a type that is not expected, as a caller without types may pass."""
    return value


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: score(GOOD, REFERENCES, "blue"), "Did you mean 'bleu'"),
        (lambda: score(GOOD[:3], REFERENCES), "3 predictions and 4 references"),
        (lambda: score(wrong("one text"), REFERENCES), "expected a list of texts, got one string"),
        (lambda: score([], []), "no predictions"),
        (lambda: score(wrong([1, 2]), ["a", "b"]), "expected a list of texts"),
        (lambda: score(wrong([["a"], [2]]), ["a"]), "expected one text per document, got int: 2"),
        (lambda: score(GOOD, REFERENCES, "bits_per_byte"), "needs a model's likelihoods"),
        (lambda: score(GOOD, REFERENCES, "structure_compliance"), "format='recipe'"),
        (lambda: score(GOOD, REFERENCES, "ingredient_use"), "format='recipe'"),
        (lambda: score(GOOD, REFERENCES, "numeric_answer"), "says how answers are scored"),
        (lambda: score(GOOD, REFERENCES, "exact_match", format="recipe"), "nothing about .* 'recipe'"),
        (lambda: score(GOOD, REFERENCES, format="chat"), "'chat' is of conversations: leave `format` out"),
        (
            lambda: score(["a", "b"], wrong([["a"], ["b"]])),
            r"references: .*, got list: \['a'\]",
        ),
        (
            lambda: score(["a", "b"], wrong(["a", None])),
            "references: expected one text .*, got None",
        ),
        (
            lambda: compare(["a"], ["b"], wrong([math.nan])),
            "references: expected .*, got float: nan",
        ),
        (lambda: score(wrong(["a", None]), ["a", "b"]), "predictions: expected a list .*, got None in it"),
        (lambda: score(["a"], wrong(None)), "references: expected a list of texts, got None"),
        (lambda: score(["a"], ["a"], "longest_copy", train="a"), "train: expected a list .*, got one string"),
        (lambda: score(GOOD, REFERENCES, stopped=[True]), "4 predictions and 1 values of 'stopped'"),
        (lambda: score([GOOD, GOOD], REFERENCES, stopped=[True] * 4), "stopped: 1 lists for 2 seeds"),
        (lambda: score(["a"], ["\ud800"]), "references: .* holds half a surrogate pair"),
        (lambda: score([["\udc00"]], ["a"]), "predictions: .* holds half a surrogate pair"),
        (lambda: score(GOOD, REFERENCES, "copied"), "looks at training texts: give them as `train`"),
        (lambda: compare(GOOD, BAD, REFERENCES, margin=-1), "margin -1: give how large"),
        (lambda: compare(GOOD, BAD, REFERENCES, "rouge_l", margin=5), "margin of rouge_l: 5 is half of all"),
        (lambda: score(["a"], ["a"], stopped=["yes"]), "stopped: expected True or False .*, got str: 'yes'"),
        (lambda: score(GOOD, REFERENCES, "stop_rate"), "ended by itself: give stopped, True or False"),
        (
            lambda: compare(GOOD, BAD, REFERENCES, "stop_rate", ours_stopped=[True] * 4),
            "give ours_stopped and theirs_stopped",
        ),
        (lambda: compare([GOOD, GOOD], [BAD] * 3, REFERENCES), "2 seeds against 3"),
        (lambda: score(wrong(set(GOOD)), REFERENCES), "predictions: a set has no order to pair documents by"),
        (lambda: score(GOOD, REFERENCES, wrong(None)), "unknown metric 'None'"),
        (lambda: score(GOOD, REFERENCES, seed=-1), "seed: expected a whole number from 0 on, got int: -1"),
        (lambda: score(GOOD, REFERENCES, seed=wrong(1.5)), "seed: expected a whole number"),
        (lambda: compare(GOOD, BAD, REFERENCES, margin=wrong("1")), "margin '1': give how large"),
    ],
)
def test_bad_input_is_one_line_that_names_the_remedy(call, message):
    """No traceback from inside: what came, and what is expected."""
    with pytest.raises(UserError, match=message):
        call()


def test_a_difference_of_bleu_without_matches_has_no_interval_of_the_whole_scale():
    """Twenty texts without one n-gram of their reference against a side with two words."""
    references = [f"bread cake oven {i} flour sugar butter salt water" for i in range(20)]
    nothing = ["qq ww ee rr tt"] * 20
    few = [*nothing[:3], "qq bread cake rr", *nothing[4:]]
    found = compare(nothing, few, references, "bleu")
    assert (found.low, found.high, found.verdict) == (None, None, "undecided")
    assert found.reason is not None
    assert "wider than the metric's whole scale" in found.reason
