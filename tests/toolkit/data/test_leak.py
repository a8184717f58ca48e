"""The leak report's numbers, by hand and against brute force; it catches a deduplication that failed."""

from hypothesis import given
from hypothesis import strategies as st

from toolkit.data.duplicates.leaks import leak_report
from toolkit.data.texts import Bodies
from toolkit.records.data import ClosestPair, Leak


def note(title: str, *texts: str) -> Bodies:
    """The bodies of a note."""
    return (title, *texts)


def leak(train: list[Bodies], test: list[Bodies]) -> Leak:
    """The report of one split."""
    return leak_report(train, {"test": test})["test"]


def test_similarity_is_the_share_of_common_triples() -> None:
    """Ten words of eleven in the same order are 8 of 10 triples. The other held-out note shares nothing."""
    ten = "a b c d e f g h i j"
    found = leak([note("one", f"{ten} k")], [note("two", f"{ten.upper()}, L!"), note("three", "p q r s")])
    assert found.highest == 0.8
    assert found.closest == (ClosestPair(similarity=0.8, held_out="two", train="one"),)
    assert found.at_least == {"0.5": 1, "0.6": 1, "0.7": 1, "0.8": 1, "0.9": 0}
    assert (found.histogram[0], found.histogram[16], sum(found.histogram)) == (1, 1, 2)


def test_a_short_text_is_compared_with_its_title() -> None:
    """Two questions that are both answered by *yes* are no copies; one of one question is."""
    asked = note("is this dough ready to bake", "yes")
    found = leak(
        [asked], [note("may I freeze what is left over", "yes"), note("Is this dough ready to bake", "no")]
    )
    assert found.highest == round(4 / 6, 4)
    assert found.closest[0].held_out == "Is this dough ready to bake"
    assert found.histogram[0] == 1


def test_characters_are_words_where_no_spaces_are_written() -> None:
    """One of twelve characters differs, in the middle: 7 of 13 triples, where one word would have none."""
    found = leak([note("one", "把面粉和水混合后揉成面团")], [note("two", "把面粉和水混匀后揉成面团")])
    assert found.highest == round(7 / 13, 4)


def test_a_copy_is_seen_whatever_its_title_and_format() -> None:
    """The same ten words under another title and in two sections: similarity 1, ten words in a row."""
    text = "one two three four five six seven eight nine ten"
    found = leak([note("x", "unrelated words here"), note("y", text[:18], text[19:])], [note("z", text)])
    assert (found.highest, found.longest_common_words, found.longest_common_text) == (1.0, 10, text)
    assert found.closest[0].train == "y"


def test_the_longest_run_of_words_is_found_among_shorter_ones() -> None:
    """Nine words in common with one training note, twelve with the next, eleven with the last."""
    words = [f"w{n}" for n in range(40)]
    train = [
        note("nine", " ".join(["x", *words[:9], "x"])),
        note("twelve", " ".join(["x", *words[20:32], "y"])),
        note("eleven", " ".join([*words[5:16], "z"])),
    ]
    found = leak(train, [note("held", " ".join(words))])
    assert found.longest_common_words == 12
    assert found.longest_common_text == " ".join(words[20:32])
    assert found.common_words_at_least == {"20": 0, "50": 0}


def test_everyday_phrases_are_no_finding() -> None:
    """Seven words in a row are fewer than the eight that are looked for."""
    found = leak(
        [note("a", "stir it all well in a bowl now")], [note("b", "stir it all well in a bowl then")]
    )
    assert (found.longest_common_words, found.longest_common_text) == (None, None)


def test_a_title_in_both_parts_is_counted() -> None:
    """One of the two held-out titles is trained on, whatever its case."""
    found = leak([note("Apple Pie", "a b c")], [note("apple pie!", "d e f"), note("Pear Pie", "g h i")])
    assert found.shared_titles == 1


WORDS = st.lists(st.sampled_from("abc"), min_size=1, max_size=14)


@given(st.lists(WORDS, min_size=1, max_size=6), st.lists(WORDS, min_size=1, max_size=6))
def test_it_equals_comparing_every_pair(train: list[list[str]], test: list[list[str]]) -> None:
    """Highest Jaccard similarity and longest common run by brute force over all pairs."""
    train_notes, test_notes = ([note(" ".join(w), " ".join(w)) for w in every] for every in (train, test))
    found = leak(train_notes, test_notes)
    best = max(brute_similarity(a, b) for a in train for b in test)
    assert found.highest == round(best, 4)
    run = max(brute_run(a, b) for a in train for b in test)
    assert (found.longest_common_words or 7) == max(run, 7)


def brute_similarity(one: list[str], other: list[str]) -> float:
    """Jaccard similarity of the sets of triples; of the whole if there is none."""
    a, b = ({tuple(w[i : i + 3]) for i in range(len(w) - 2)} or {tuple(w)} for w in (one, other))
    return len(a & b) / len(a | b)


def brute_run(one: list[str], other: list[str]) -> int:
    """Length of the longest list of consecutive words that is in both."""
    return max(
        n
        for n in range(15)
        if n == 0
        or {tuple(one[i : i + n]) for i in range(len(one) - n + 1)}
        & {tuple(other[i : i + n]) for i in range(len(other) - n + 1)}
    )
