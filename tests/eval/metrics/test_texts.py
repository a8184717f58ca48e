"""chrF and ROUGE-L equal the libraries that define them; lengths and stops are counts."""

from __future__ import annotations

import math
import random
import subprocess
import sys

import pytest
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics.chrf import CHRF

from eval.anchors import references
from eval.metrics import measure, metric
from eval.metrics.reference.rouge_l import longest_common_subsequence, rouge_l
from eval.metrics.texts import Pair, without_markers

WORDS = ["Beat", "fry", "the", "eggs", "salt", "and", "pan", ",", ".", "hot", "½", "Käse", "don't", "12"]


@pytest.fixture
def noisy(outcome, text):
    """Thirty recipes and distorted versions of them, some empty, some cut."""
    draw = random.Random(7)
    made = []
    for number in range(30):
        body = [draw.choice(WORDS) for _ in range(draw.randint(1, 40))]
        kept = [w if draw.random() > 0.3 else draw.choice(WORDS) for w in body[: draw.randint(0, 40)]]
        written = f"INGREDIENTS: 2 eggs, salt\nDIRECTIONS: {' '.join(kept)}\n[END]"
        reference = text(title=f"Dish {number}", directions=" ".join(body))
        made.append(outcome(reference, written if number % 9 else ""))
    return made


@pytest.fixture
def plain(noisy, context):
    """What was written and what was wanted, as two lists without markers."""
    wanted = [without_markers(item.reference.split("\n", 1)[1], context.form) for item in noisy]
    return [without_markers(item.generations[0].text, context.form) for item in noisy], wanted


def test_corpus_chrf_equals_sacrebleu(context, noisy, plain):
    """The same segments through sacreBLEU's CHRF, and its signature."""
    value, _ = measure(metric("chrf"), noisy, context)
    theirs = CHRF()
    score = theirs.corpus_score(plain[0], [plain[1]])
    assert 10 < score.score < 90
    assert value.value == pytest.approx(score.score, rel=1e-13)
    assert value.signature.startswith(str(theirs.get_signature()))


def test_the_sacrebleu_command_prints_the_same_bleu_and_chrf(context, noisy, plain, tmp_path):
    """`sacrebleu ref -i hyp -m bleu chrf -b -w 10` on files of one line per document, digit for digit."""
    hypothesis, reference = tmp_path / "hyp.txt", tmp_path / "ref.txt"
    hypothesis.write_text("".join(f"{line}\n" for line in plain[0]), encoding="utf-8")
    reference.write_text("".join(f"{line}\n" for line in plain[1]), encoding="utf-8")
    for name in ("bleu", "chrf"):
        command = [
            sys.executable,
            "-m",
            "sacrebleu",
            reference,
            "-i",
            hypothesis,
            "-m",
            name,
            "-b",
            "-w",
            "10",
        ]
        printed = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
        assert f"{measure(metric(name), noisy, context)[0].value:.10f}" == printed.stdout.strip()


def test_rouge_l_equals_rouge_score(context, noisy, plain):
    """The mean of rouge-score's F over the same pairs, and each of them."""
    scorer = RougeScorer(["rougeL"], use_stemmer=False)
    theirs = [
        scorer.score(wanted, written)["rougeL"].fmeasure for written, wanted in zip(*plain, strict=True)
    ]
    value, rows = measure(metric("rouge_l"), noisy, context)
    assert [row[0] for row in rows] == pytest.approx(theirs, rel=1e-13)
    assert value.value == pytest.approx(sum(theirs) / 30, rel=1e-13)
    assert 0.1 < value.value < 0.9


def test_the_longest_common_subsequence_by_hand():
    """A B C B D A B and B D C A B A share B C B A: 4."""
    assert longest_common_subsequence("ABCBDAB", "BDCABA") == 4
    assert longest_common_subsequence("", "A") == 0
    assert rouge_l(Pair("the cat sat", "the dog sat")) == pytest.approx(2 / 3)


@pytest.mark.parametrize(("name", "best"), [("chrf", 100), ("rouge_l", 1)])
def test_references_score_best(name, best, context, noisy):
    """The references as if generated: 100 or 1 of the whole and of each written section."""
    value, _ = measure(metric(name), references(noisy, context), context)
    assert value.value == pytest.approx(best)
    assert value.details["directions"] == pytest.approx(best)
    assert "title" not in value.details


def test_word_perplexity_counts_words_by_white_space(context, outcome):
    """8 nats over `RECIPE: a b`, `[END]`: 4 words, exp(2). The stop's nats are not in."""
    item = outcome("RECIPE: a b\n[END]", likelihood={"title": (8.0, 3, 3), "stop": (9.0, 1, 0)})
    assert measure(metric("word_perplexity"), [item], context)[0].value == pytest.approx(math.exp(2))


def test_content_leaves_markers_out(context, outcome):
    """4 nats of 8 bytes in title and directions; 30 of the scaffold and 9 of the stop are not in."""
    parts = {"title": (1.0, 1, 2), "directions": (3.0, 2, 6), "scaffold": (30.0, 9, 40), "stop": (9.0, 1, 0)}
    (value, _) = measure(metric("content_bits_per_byte"), [outcome("RECIPE: a b", likelihood=parts)], context)
    assert value.value == pytest.approx(4 / 8 / math.log(2))


def test_the_stop_rate_is_a_share_of_generations(context, outcome, text):
    """One ended, one ran to the limit, one was not generated for: 1 of 2."""
    items = [outcome(text(), "x"), outcome(text(), "x", ended="limit"), outcome(text())]
    value, _ = measure(metric("stop_rate"), items, context)
    assert (value.value, value.documents) == (0.5, 2)


def test_the_length_ratio_is_words_by_words(context, outcome):
    """`one two` for `one two three four`, and `a b c d` for `a b c d`: 6 / 8."""
    items = [
        outcome("RECIPE: t\none two three four\n[END]", "one two\n[END] more"),
        outcome("RECIPE: t\na b c d\n[END]", "a b c d"),
    ]
    assert measure(metric("length_ratio"), items, context)[0].value == pytest.approx(6 / 8)
