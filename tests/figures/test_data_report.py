"""What is shown of a prepared data set says the report's numbers."""

import csv
import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from figures.data_report import as_json, draw, show, summary
from toolkit import config
from toolkit.data.prepare import Prepared, prepare
from toolkit.records.data import SPLITS
from toolkit.specs import DataSpec


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """The German recipes: 341 read, 5 refused."""
    dataset = config.dataset("wikibooks-de")
    sizes = DataSpec(train=60, validation=10, test=12)
    return prepare(dataset, sizes, tmp_path_factory.mktemp("cache"))


def characters(prepared: Prepared) -> dict[str, list[int]]:
    """The length of every document."""
    return {split: [len(text) for text in getattr(prepared, split)] for split in SPLITS}


def shown(prepared: Prepared, lengths: dict[str, list[int]] | None = None, unit: str = "characters") -> str:
    """What the terminal shows, on a wide one."""
    stream = io.StringIO()
    show(prepared.report, Console(file=stream, width=200), lengths or characters(prepared), unit)
    return stream.getvalue()


def test_a_summary_by_hand() -> None:
    """1 2 3 … 10, and 48: mean 103/11 = 9.4, median 6, p90 the tenth of eleven, bins of 5 up to 48."""
    found = summary([*range(1, 11), 48])
    assert found == {
        "mean": 9.4,
        "median": 6,
        "p90": 10,
        "longest": 48,
        "step": 5,
        "histogram": [4, 5, 1, 0, 0, 0, 0, 0, 0, 1],
    }
    assert summary([])["mean"] is None


def test_names_with_dots_are_files_of_their_own(prepared: Prepared, tmp_path: Path) -> None:
    """`cook.v1` and `cook.v2` end in no suffix; every file that is named is there."""
    files = [
        path
        for name in ("data-cook.v1", "data-cook.v2")
        for path in draw(prepared.report, tmp_path / name, characters(prepared), "characters")
    ]
    assert len({path.name for path in files}) == 8
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in files)


def test_every_row_is_accounted_for_on_the_screen(prepared: Prepared) -> None:
    """341 = 5 refused + 336; 336 = 60 + 10 + 12 + excluded + not needed."""
    text = " ".join(shown(prepared).split())
    assert "read 341 filtered out 0 refused 5 copies and near-copies of another 0 documents 336" in text
    assert "train 60 validation 10 test 12" in text
    assert "longer than 2400 characters" in text
    assert "licence: CC BY-SA 4.0" in text
    for part in ("train", "validation", "test"):
        assert prepared.fingerprints[part] in text
    assert text.count("REZEPT:") == 3


def test_square_brackets_of_a_document_are_no_markup(prepared: Prepared) -> None:
    """`[ENDE]` is shown as it stands, once a sample."""
    assert shown(prepared).count("[ENDE]") == 3


def test_lengths_in_tokens_are_shown_and_kept_where_they_are_given(prepared: Prepared) -> None:
    """Three made-up lengths a part: median 20, longest 30."""
    lengths = {part: [10, 20, 30] for part in ("train", "validation", "test")}
    text = " ".join(shown(prepared, lengths, "tokens").split())
    assert "Length of a document in tokens mean median p90 longest train 20.0 20 30 30" in text
    said = json.loads(json.dumps(as_json(prepared.report, lengths), allow_nan=False))
    assert said["tokens"]["test"]["median"] == 20
    assert said["rows"]["total"] == 341


def test_the_figure_comes_with_the_numbers_behind_it(prepared: Prepared, tmp_path: Path) -> None:
    """Each part's bars add up to its documents: 60, 10, 12 in lengths; 10 and 12 in similarity."""
    paths = draw(prepared.report, tmp_path / "data", characters(prepared), "characters")
    assert [path.suffix for path in paths] == [".pdf", ".png", ".svg", ".csv"]
    assert all(path.stat().st_size > 500 for path in paths)
    sums: dict[tuple[str, str], int] = {}
    with paths[3].open(encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            key = (row["panel"], row["split"])
            sums[key] = sums.get(key, 0) + int(row["documents"])
    assert sums == {
        ("characters", "train"): 60,
        ("characters", "validation"): 10,
        ("characters", "test"): 12,
        ("similarity", "test"): 12,
        ("similarity", "validation"): 10,
    }
