"""Near-copies are found, and nothing else is merged."""

import random

import numpy as np
import pytest

from toolkit.data.corpus import compared
from toolkit.data.duplicates.minhash import Forest, band_keys, bands_for, candidates, jaccard, near_pairs
from toolkit.data.duplicates.shingles import Shingler, normalised_title, stable_hash


def clusters(texts: list[str], threshold: float = 0.8) -> list[int]:
    """For each text the first that it is a near-copy of."""
    forest = Forest(len(texts))
    keys = band_keys(Shingler()(texts), threshold)
    list(near_pairs(candidates(keys), texts, threshold, forest))
    return [int(label) for label in forest.labels()]


def words(count: int, seed: int) -> list[str]:
    """Distinct made-up words."""
    draw = random.Random(seed)
    return [f"w{draw.randrange(10**9)}" for _ in range(count)]


def test_the_bands_find_a_pair_at_the_threshold() -> None:
    """21 bands of 6 rows: 1 - (1 - 0.8^6)^21 = 0.9983; 18 of 7 would find 0.986."""
    assert bands_for(0.8) == (21, 6)
    assert bands_for(1.0) == (1, 128)


@pytest.mark.parametrize("threshold", [0.1, 0.3, 0.5, 0.7, 0.9, 0.99])
def test_every_threshold_has_bands_that_recall_it(threshold: float) -> None:
    """bands x rows fit into 128 permutations; the probability is at least 0.995, or as good as it gets."""
    bands, rows = bands_for(threshold)
    assert bands * rows <= 128
    assert rows == 1 or 1 - (1 - threshold**rows) ** bands >= 0.995


def test_a_shingle_is_three_words_and_never_of_two_texts() -> None:
    """Four words make two shingles, two words one, none one; together the texts have no others."""
    shingler = Shingler()
    texts = ["a b c d", "a b", "", "b c d"]
    together = shingler(texts)
    alone = [set(shingler([text]).document(0).tolist()) for text in texts]
    assert [len(s) for s in alone] == [2, 1, 1, 1]
    assert [set(together.document(i).tolist()) for i in range(4)] == alone
    assert alone[3] < alone[0]


def test_a_character_is_a_word_where_no_spaces_are_written() -> None:
    """Ten characters and a word of Latin letters make nine shingles."""
    assert len(Shingler()(["\u628a\u9762\u7c89\u548c\u6c34\u6df7\u5408\u540e\u6405\u62ccoil"]).flat) == 9


def test_short_answers_are_compared_with_their_questions() -> None:
    """*yes* to two questions is no copy; ten words of answer are compared alone, whatever the title."""
    assert compared(("Is it done?", "yes")) == "Is it done?\nyes"
    ten = "one two three four five six seven eight nine ten"
    assert compared(("Is it done?", ten)) == ten
    assert compared(("Only",)) == "Only"
    assert compared(("Is it?", "Is it?\nyes")) == "Is it?\nyes"  # a conversation


def test_hashes_are_the_same_in_every_process() -> None:
    """BLAKE2b of "salt" in 8 bytes, little-endian, as computed once and written down."""
    assert stable_hash("salt") == 2681811036199861038
    assert Shingler()(["Salt, AND pepper!"]).flat.tolist() == Shingler()(["salt and pepper"]).flat.tolist()
    assert Shingler()(["salt and pepper"]).flat.tolist() != Shingler()(["pepper and salt"]).flat.tolist()


def test_similarity_is_exact() -> None:
    """{1,2,3} and {2,3,4}: two in common of four."""
    assert jaccard(np.array([1, 2, 3], dtype=np.uint64), np.array([2, 3, 4], dtype=np.uint64)) == 0.5


def test_one_changed_word_in_a_hundred_is_a_near_copy() -> None:
    """98 shingles, 3 of them changed: 95 / 101 = 0.94. Twelve spread changes: 62 / 134 = 0.46, no copy."""
    base = words(100, 1)
    near, far = base.copy(), base.copy()
    near[50] = "changed"
    for at in range(2, 98, 8):
        far[at] = "changed"
    texts = [" ".join(text) for text in (base, near, far)]
    assert clusters(texts) == [0, 0, 2]


def test_the_threshold_decides() -> None:
    """At 0.95 the pair of similarity 0.94 is none any more, at 0.94 it is."""
    base = words(100, 2)
    near = base.copy()
    near[50] = "changed"
    texts = [" ".join(base), " ".join(near)]
    assert clusters(texts, 0.94) == [0, 0]
    assert clusters(texts, 0.95) == [0, 1]


def test_copies_of_copies_are_one_cluster() -> None:
    """A chain of five, each with one word changed from the one before; its ends need not be near-copies."""
    chain = [words(60, 3)]
    for at in (5, 15, 25, 35):
        chain.append(chain[-1].copy())
        chain[-1][at] = "changed"
    assert clusters([" ".join(text) for text in chain]) == [0] * 5


def test_a_bucket_of_many_stays_linear() -> None:
    """2,000 near-copies of one text: one cluster, by at most 21 x 32 x 2,000 candidate pairs."""
    base = words(200, 4)
    draw = random.Random(0)
    texts = []
    for number in range(2_000):
        copy = base.copy()
        copy[draw.randrange(200)] = f"x{number}"
        texts.append(" ".join(copy))
    keys = band_keys(Shingler()(texts), 0.8)
    assert len(candidates(keys)) <= 21 * 32 * 2_000 < 2_000 * 1_999 / 2
    assert set(clusters(texts)) == {0}


def test_nothing_has_no_candidates() -> None:
    """No documents, or one, make no pair."""
    assert candidates(np.empty(0, dtype=np.uint64)).shape == (0, 2)
    assert candidates(np.zeros((1, 21), dtype=np.uint64)).shape == (0, 2)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Crème Brûlée", "creme brulee", True),
        ("Mac & Cheese!", "Mac Cheese", True),
        ("Saj Bread II", "Saj Bread III", True),
        ("Pie #2", "Pie", False),
        ("7 Up Cake", "Up Cake", False),
        ("!!!", "???", False),
        ("IV", "V", False),
        ("Apple Pie", "Pie Apple", False),
        ("\u30d0\u30b9", "\u30cf\u30b9", False),  # a bus and a lotus
        ("\u091a\u093e\u092f", "\u091a\u093e\u092f\u093e", False),  # tea and a shade, in Hindi
        ("\u091a\u093e\u092f\u0964", "\u091a\u093e\u092f", True),  # with a full stop
        ("\u0439", "\u0438", True),  # as \u00e9 and e: an accent's loss joins titles, and splits none
    ],
)
def test_titles_are_the_same_without_case_accents_marks_and_a_roman_numeral(
    one: str, other: str, same: bool
) -> None:
    """What is one dish told twice, and what is not."""
    assert (normalised_title(one) == normalised_title(other)) is same
