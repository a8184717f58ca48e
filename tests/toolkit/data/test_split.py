"""What the split promises, for any set of documents."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from toolkit.data.split import FILL_ORDER, Split, group_keys, same_prompt, split

Doc = tuple[int, int]  # identity, key
DOC = st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 12))
DOCS = st.lists(DOC, unique_by=lambda d: d[0], min_size=1, max_size=60)
SIZES = st.tuples(st.integers(1, 25), st.integers(1, 6), st.integers(1, 6))


def divide(
    docs: list[Doc], sizes: tuple[int, int, int], *, unique: bool = False
) -> tuple[dict[str, list[int]], Split]:
    """Identities of each part, in order."""
    ids = np.array([d[0] for d in docs], dtype=np.uint64)
    keys = np.array([d[1] for d in docs], dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    wanted = {part: {0: size} for part, size in zip(("train", "validation", "test"), sizes, strict=True)}
    done = split(keys, ids, np.zeros(len(docs), dtype=np.int64), wanted, prompts=keys if unique else None)
    return {part: ids[done.members[part]].tolist() for part in FILL_ORDER}, done


def test_the_parts_lie_along_one_line() -> None:
    """Keys 1 2 2 3 4 5: test takes 1 and one 2, the other 2 is excluded, validation 3, train from 5 down."""
    keys = np.array([4, 2, 5, 2, 1, 3], dtype=np.uint64)
    ids = np.array([40, 21, 50, 20, 10, 30], dtype=np.uint64)
    sizes = {"test": {0: 2}, "validation": {0: 1}, "train": {0: 1}}
    done = split(keys, ids, np.zeros(6, dtype=np.int64), sizes)
    assert {part: ids[done.members[part]].tolist() for part in FILL_ORDER} == {
        "test": [10, 20],
        "validation": [30],
        "train": [50],
    }
    assert (done.excluded, done.unused, done.missing) == (1, 1, {})


@given(DOCS, SIZES)
def test_sizes_are_exact_or_what_is_missing_is_said(docs: list[Doc], sizes: tuple[int, int, int]) -> None:
    """got + missing = asked for each part, and every document is in a split, excluded or unused."""
    parts, done = divide(docs, sizes)
    for part, size in zip(("train", "validation", "test"), sizes, strict=True):
        assert len(parts[part]) + done.missing.get(part, {}).get(0, 0) == size
    assert sum(map(len, parts.values())) + done.excluded + done.unused == len(docs)


@given(DOCS, SIZES)
def test_no_key_is_in_two_parts_and_no_document_twice(docs: list[Doc], sizes: tuple[int, int, int]) -> None:
    """Each key is met in one part at most; each identity once."""
    parts, _ = divide(docs, sizes)
    key_of = dict(docs)
    where = Counter(key for members in parts.values() for key in {key_of[i] for i in members})
    assert all(count == 1 for count in where.values())
    assert len(set().union(*parts.values())) == sum(map(len, parts.values()))


@given(DOCS, SIZES, st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(docs: list[Doc], sizes: tuple[int, int, int], random) -> None:  # type: ignore[no-untyped-def]
    """Shuffled rows give the same documents in the same order."""
    shuffled = list(docs)
    random.shuffle(shuffled)
    assert divide(shuffled, sizes)[0] == divide(docs, sizes)[0]


@given(DOCS, SIZES, st.integers(1, 25))
def test_a_smaller_training_part_is_the_start_of_a_larger(
    docs: list[Doc], sizes: tuple[int, int, int], more: int
) -> None:
    """train=n is the first n of train=n+more; validation and test stay."""
    small, _ = divide(docs, sizes)
    large, _ = divide(docs, (sizes[0] + more, *sizes[1:]))
    assert large["train"][: len(small["train"])] == small["train"]
    assert (large["validation"], large["test"]) == (small["validation"], small["test"])


@st.composite
def enough(draw: st.DrawFn) -> tuple[list[Doc], tuple[int, int, int]]:
    """Documents, and sizes that they meet: test and validation are at most a quarter of the titles."""
    docs = draw(st.lists(DOC, unique_by=lambda d: d[0], min_size=12, max_size=60))
    titles = len({d[1] for d in docs})
    assume(titles >= 4)
    test, validation = (draw(st.integers(1, titles // 4)) for _ in range(2))
    free = len(docs) - max_held_out(docs, test + validation)
    return docs, (draw(st.integers(1, free)), validation, test)


def max_held_out(docs: list[Doc], titles: int) -> int:
    """Documents of that many of the most frequent titles: held out and excluded ones together."""
    return sum(count for _, count in Counter(d[1] for d in docs).most_common(titles))


@pytest.mark.parametrize("unique", [False, True])
@given(enough(), DOCS)
def test_appending_takes_no_trained_document_into_a_held_out_split(
    unique: bool, old: tuple[list[Doc], tuple[int, int, int]], new: list[Doc]
) -> None:
    """After appending, test holds only what it held and new documents, and gave way to at most as many.

    Nothing that was trained on is tested or validated on.
    """
    docs, sizes = old
    old_ids = {d[0] for d in docs}
    new = [d for d in new if d[0] not in old_ids]
    before, division = divide(docs, sizes, unique=unique)
    assert not division.missing
    after, _ = divide(docs + new, sizes, unique=unique)
    assert set(after["test"]) & old_ids <= set(before["test"])
    assert len(set(before["test"]) - set(after["test"])) <= len(new)
    assert not set(before["train"]) & (set(after["test"]) | set(after["validation"]))


@given(DOCS, SIZES)
def test_held_out_titles_are_met_once(docs: list[Doc], sizes: tuple[int, int, int]) -> None:
    """With prompts given, test and validation hold one document per title, the one of lowest identity."""
    parts, _ = divide(docs, sizes, unique=True)
    key_of = dict(docs)
    lowest: dict[int, int] = {}
    for identity, key in sorted(docs, reverse=True):
        lowest[key] = identity
    for held_out in (parts["test"], parts["validation"]):
        assert held_out == [lowest[key_of[identity]] for identity in held_out]
        assert len({key_of[identity] for identity in held_out}) == len(held_out)


def test_further_documents_of_a_held_out_title_are_excluded_and_returned() -> None:
    """Keys 1 1 1 2 3: test takes the lowest 1 (id 10), the other two are its further references."""
    keys = np.array([1, 1, 1, 2, 3], dtype=np.uint64)
    ids = np.array([11, 10, 12, 20, 30], dtype=np.uint64)
    sizes = {"test": {0: 1}, "validation": {0: 1}, "train": {0: 1}}
    done = split(keys, ids, np.zeros(5, dtype=np.int64), sizes, prompts=keys)
    assert ids[done.members["test"]].tolist() == [10]
    assert ids[done.members["validation"]].tolist() == [20]
    assert (done.excluded, done.unused) == (2, 0)
    (further,) = same_prompt(done.members["test"], keys, np.array([True, False, True, False, False]))
    assert ids[further].tolist() == [11, 12]


def test_a_document_claims_the_titles_of_its_dropped_copies() -> None:
    """Document 0, title 1, had a copy of title 5. It is tested, so document 2, title 5, is not trained on."""
    keys = np.array([1, 2, 5, 4], dtype=np.uint64)
    sizes = {"test": {0: 1}, "validation": {0: 1}, "train": {0: 1}}
    done = split(keys, keys, np.zeros(4, dtype=np.int64), sizes, claims={0: (5,)})
    assert {name: keys[members].tolist() for name, members in done.members.items()} == {
        "test": [1],
        "validation": [2],
        "train": [4],
    }
    assert (done.excluded, done.unused) == (1, 0)


def test_clusters_that_share_a_title_are_one_group() -> None:
    """Clusters {0,1}, {2,3}; documents 1 and 2 share title 7: all four get the lowest title, 5."""
    titles = np.array([9, 7, 7, 5, 8], dtype=np.uint64)
    labels = np.array([0, 0, 2, 2, 4])
    assert group_keys(titles, labels).tolist() == [5, 5, 5, 5, 8]


def test_each_source_of_a_mixture_gets_its_quota() -> None:
    """Ten of source 0, five of source 1; test wants one of source 0 only, train four and two."""
    keys = np.arange(15, dtype=np.uint64)
    sources = np.array([0, 0, 1] * 5)
    sizes = {"test": {0: 1}, "validation": {0: 1}, "train": {0: 4, 1: 2}}
    done = split(keys, keys, sources, sizes)
    assert not done.missing
    assert done.members["test"].tolist() == [0]
    assert done.members["validation"].tolist() == [1]
    assert sorted(sources[done.members["train"]].tolist()) == [0, 0, 0, 0, 1, 1]


@given(DOCS, SIZES, st.integers(1, 25), st.booleans())
def test_further_test_documents_move_no_other_document(
    docs: list[Doc], sizes: tuple[int, int, int], more: int, unique: bool
) -> None:
    """Training and validation stay, test is the start of the larger one, and no key is in two splits."""
    ids = np.array([d[0] for d in docs], dtype=np.uint64)
    keys = np.array([d[1] for d in docs], dtype=np.uint64)
    wanted = {part: {0: size} for part, size in zip(("train", "validation", "test"), sizes, strict=True)}
    origins = np.zeros(len(docs), dtype=np.int64)
    small = split(keys, ids, origins, wanted, prompts=keys if unique else None).members
    done = split(keys, ids, origins, wanted, prompts=keys if unique else None, further={0: more})
    large = done.members
    for part in ("train", "validation"):
        assert large[part].tolist() == small[part].tolist()
    assert large["test"][: len(small["test"])].tolist() == small["test"].tolist()
    lacking = done.missing.get("test", {}).get(0, 0)
    assert len(large["test"]) + lacking == sizes[2] + more
    assert len(set(large["test"].tolist())) == len(large["test"])
    held_out = set(keys[large["test"]].tolist())
    assert held_out.isdisjoint(keys[large["train"]].tolist() + keys[large["validation"]].tolist())


@given(
    st.lists(st.integers(0, 39), min_size=40, max_size=60),
    st.dictionaries(st.integers(0, 39), st.integers(0, 39), max_size=8),
    st.integers(1, 6),
    st.integers(1, 10),
)
def test_further_test_documents_do_not_depend_on_the_size_of_training(
    of_docs: list[int], claiming: dict[int, int], more: int, larger: int
) -> None:
    """Documents that claim keys of others, and two sizes of training: the same test documents in both."""
    keys = np.array(of_docs, dtype=np.uint64)
    ids, origins = np.arange(len(keys), dtype=np.uint64), np.zeros(len(keys), dtype=np.int64)
    claims = {index: (key,) for index, key in claiming.items()}
    done = []
    for train in (4, 4 + larger):
        wanted = {"train": {0: train}, "validation": {0: 2}, "test": {0: 2}}
        done.append(split(keys, ids, origins, wanted, claims=claims, further={0: more}))
    assume(not any(one.missing for one in done))
    assert done[0].members["test"].tolist() == done[1].members["test"].tolist()


@pytest.mark.parametrize("train", [1, 2])
@pytest.mark.parametrize("claims", [{2: (9,)}, {8: (3,)}], ids=["claims", "is claimed"])
def test_a_further_test_document_is_tied_to_none_that_a_larger_training_split_takes(train, claims) -> None:
    """Keys 1 to 10. 3 and 9 are tied, and a training split of two takes 9: 3 is tested at neither size."""
    keys = np.arange(1, 11, dtype=np.uint64)
    sizes = {"test": {0: 1}, "validation": {0: 1}, "train": {0: train}}
    done = split(keys, keys, np.zeros(10, dtype=np.int64), sizes, claims=claims, further={0: 2})
    assert keys[done.members["test"]].tolist() == [1, 4, 5]


def test_a_further_test_document_is_the_next_of_the_line() -> None:
    """Keys 1 to 6: test 1, validation 2, train 6; two more for test are 3 and 4, and 5 stays unused."""
    keys = np.arange(1, 7, dtype=np.uint64)
    sizes = {"test": {0: 1}, "validation": {0: 1}, "train": {0: 1}}
    done = split(keys, keys, np.zeros(6, dtype=np.int64), sizes, further={0: 2})
    assert {part: keys[done.members[part]].tolist() for part in FILL_ORDER} == {
        "test": [1, 3, 4],
        "validation": [2],
        "train": [6],
    }
    assert (done.excluded, done.unused, done.missing) == (0, 1, {})
