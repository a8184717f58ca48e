"""Kept studies: packed, drawn again from their records alone, and the same as what is kept beside them."""

from __future__ import annotations

import lzma
import shutil
from pathlib import Path

import pandas as pd
import pytest

from experiments.design import study as studies
from experiments.publishing.kept import RECORDS, RESULTS, Kept, archive, keep, kept, overrides_of, read
from experiments.publishing.rebuild import rebuild
from experiments.sharing.incoming.checking import check_archive
from figures.tables.searches import claims, optima
from figures.tables.verdicts import undecided, verdicts
from tests.experiments.small import asked
from toolkit.errors import UserError
from toolkit.records import Conclusions

MOST_BYTES = 12_000_000
"""Of one study's records: git keeps each version of them for good."""
NONE = pytest.param("", marks=pytest.mark.skip("no study is kept yet"))


def assert_same(one: Path, other: Path) -> int:
    """Same files; equal words and numbers (to 1e-9) in each table and figure; return the numbers compared."""
    files = sorted(path.relative_to(one) for path in one.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(other) for path in other.rglob("*") if path.is_file())
    numbers = 0
    for name in files:
        if name.suffix == ".csv":
            tables = [pd.read_csv(folder / name) for folder in (one, other)]
            pd.testing.assert_frame_equal(*tables, rtol=1e-9, obj=str(name))
            numbers += tables[0].select_dtypes("number").size
        elif name.suffix == ".md":
            assert (one / name).read_text() == (other / name).read_text(), name
    return numbers


@pytest.fixture(scope="module")
def packed(done, tmp_path_factory):
    """A folder of results with the small study in it, drawn."""
    results = tmp_path_factory.mktemp("results")
    assert keep("small", (), done[0], results) == results / "small" / RECORDS
    rebuild("small", results)
    return results


def test_a_kept_study_is_an_archive_that_import_takes(packed, done):
    """Three runs; xz over entries without compression of their own; nothing in it names this machine."""
    assert kept(packed) == ["small"]
    with archive("small", packed) as file:
        assert len(check_archive(file).runs) == 3
    assert len(check_archive(packed / "small" / RECORDS).runs) == 3  # as it is kept, too
    content = lzma.decompress((packed / "small" / RECORDS).read_bytes())
    assert str(done[0]).encode() not in content
    assert len(content) > 3 * (packed / "small" / RECORDS).stat().st_size


def test_a_kept_archive_that_is_cut_or_no_xz_is_one_line(packed, tmp_path):
    """It ends early; it is a zip file with another name."""
    whole = (packed / "small" / RECORDS).read_bytes()
    for content in (whole[: len(whole) // 2], lzma.decompress(whole)):
        (tmp_path / RECORDS).write_bytes(content)
        with pytest.raises(UserError, match="is damaged, or not a file of `bakeoff export`"):
            check_archive(tmp_path / RECORDS)


def test_the_same_records_are_kept_as_the_same_bytes(packed, done, tmp_path):
    """So that a commit shows only what changed."""
    keep("small", (), done[0], tmp_path)
    assert (tmp_path / "small" / RECORDS).read_bytes() == (packed / "small" / RECORDS).read_bytes()


def test_a_report_is_drawn_again_the_same_from_the_records_alone(packed, tmp_path):
    """Every table and the data of every figure, from an archive on an empty disk; its values are checked."""
    again = rebuild("small", packed, tmp_path / "report")
    assert again.values > 20
    assert again.verdicts > 3
    assert assert_same(packed / "small" / "report", again.folder) > 100
    assert (again.folder / "figures" / "differences.png").is_file()


def test_conclusions_are_read_without_unpacking(packed, done):
    """As the pages of docs/ need them."""
    found = read("small", packed)
    assert found.conclusions == done[1]
    assert found.runs.keys() == {cell.run_id for cell in done[1].cells}


def test_the_command_names_what_the_file_of_now_has_otherwise():
    """A study file that changed after its study ran: the settings that ran, as overrides that are taken."""
    now = studies.load("full-vs-lora-embedded").model_dump(mode="json")
    train = {**now["train"], "warmup": 0.1}
    ran = {**now, "data": {**now["data"], "train": [180]}, "seeds": [0, 1], "train": train}
    nothing = {"question": None, "baseline": "full", "headline": ()}
    empty = {"cells": (), "estimates": (), "comparisons": ()}
    concluded = Conclusions(study="full-vs-lora-embedded", **nothing, **empty)
    again = Kept(concluded, {}, overrides_of("full-vs-lora-embedded", ran))
    assert again.command == "bakeoff run full-vs-lora-embedded data.train=180 'seeds=[0, 1]' train.warmup=0.1"
    assert studies.load("full-vs-lora-embedded", again.overrides).train.warmup == 0.1
    assert overrides_of("full-vs-lora-embedded", now) == overrides_of("a study of somebody", ran) == ()
    fewer = overrides_of("full-vs-lora-embedded", {**now, "metrics": ["bits_per_byte"]})
    assert fewer == ('metrics=["bits_per_byte"]',)
    assert studies.load("full-vs-lora-embedded", fewer).metrics == ("bits_per_byte",)


def test_the_command_names_the_methods_of_a_part(packed):
    """The whole board takes hours: three of its methods, as an override that asks for these and no others."""
    part = studies.load("board", ("methods=[full, lora-r16, dora]",)).model_dump(mode="json")
    overrides = overrides_of("board", part)
    assert overrides == ("methods=[full, lora-r16, dora]",)
    assert list(studies.load("board", overrides).methods) == ["full", "lora-r16", "dora"]
    assert studies.load("board", overrides).baseline == "lora-r16"


def test_what_is_not_kept_is_named(packed):
    """One line with what there is."""
    with pytest.raises(UserError, match="study 'large' is not kept in .*: there are small"):
        read("large", packed)


def test_runs_without_conclusions_are_not_kept(tmp_path, done, tiny_gpt2):
    """A study that was stopped before it concluded."""
    shutil.copytree(done[0] / "runs", tmp_path / "runs")
    with pytest.raises(UserError, match="no conclusions to keep"):
        keep("quickstart", asked(tiny_gpt2, "small"), tmp_path, tmp_path / "kept")
    assert kept(tmp_path / "kept") == []


@pytest.mark.parametrize("study", kept() or [NONE])
def test_a_kept_study_stays_small(study):
    """Records of a few megabytes, beside the report's pictures."""
    assert (RESULTS / study / RECORDS).stat().st_size < MOST_BYTES


def assert_verdicts_are_those_of_the_records(study: str, results: Path) -> None:
    """The tables that follow from conclusions alone, in words and as numbers."""
    concluded = read(study, results).conclusions
    folder = results / study / "report" / "tables"
    for table in (verdicts(concluded), undecided(concluded), claims(concluded), optima(concluded)):
        if table.rows or (folder / f"{table.name}.csv").exists():
            assert (folder / f"{table.name}.csv").read_text(encoding="utf-8") == table.csv(), table.name
            assert (folder / f"{table.name}.md").read_text(encoding="utf-8") == table.markdown() + "\n"


def test_the_verdicts_of_a_kept_study_are_those_of_its_records(packed):
    """Of the small study, and a changed number is noticed."""
    assert_verdicts_are_those_of_the_records("small", packed)
    file = packed / "small" / "report" / "tables" / "verdicts.csv"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("undecided", "better").replace("worse", "better"), encoding="utf-8")
    try:
        with pytest.raises(AssertionError, match="verdicts"):
            assert_verdicts_are_those_of_the_records("small", packed)
    finally:
        file.write_text(text, encoding="utf-8")


@pytest.mark.parametrize("study", kept() or [NONE])
def test_the_verdicts_in_the_repository_are_those_of_the_kept_records(study):
    """In a second per study; everything else of it is compared by the slow test below."""
    assert_verdicts_are_those_of_the_records(study, RESULTS)


@pytest.mark.slow
@pytest.mark.parametrize("study", kept() or [NONE])
def test_what_is_kept_is_what_its_records_give(study, tmp_path):
    """The tables, the figures' data and the page in the repository, drawn again."""
    again = rebuild(study, to=tmp_path / "report")
    assert assert_same(RESULTS / study / "report", again.folder) > 100
