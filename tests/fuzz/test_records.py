"""Records and archives with random changes: read, or refused in one line; tables take what is read."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.sharing.export import export
from experiments.sharing.incoming.checking import check_archive
from figures.report.page import _tables
from figures.tidy.load import load
from tests.figures.conftest import write_study
from tests.fuzzing import LONG, QUICK, mutated_json, one_line_and_soon
from toolkit.records import Conclusions, EvaluationRecord, RunRecord

GOLDEN = Path(__file__).parents[1] / "toolkit" / "records" / "golden" / "2"
KINDS = {"run.json": RunRecord, "evaluation.json": EvaluationRecord, "comparisons.json": Conclusions}
CHANGED = st.sampled_from(sorted(KINDS)).flatmap(
    lambda name: st.tuples(st.just(name), mutated_json(json.loads((GOLDEN / name).read_text())))
)


def read(folder, name, content):
    """Read a record of this content."""
    (folder / name).write_bytes(content)
    with one_line_and_soon():
        KINDS[name].read(folder / name)


@pytest.fixture(scope="module")
def small_study(tmp_path_factory):
    """A study's folder and root, to be changed and put back."""
    return write_study(tmp_path_factory.mktemp("study"), methods=("full", "lora-r16"))


@pytest.fixture(scope="module")
def archive(small_study, tmp_path_factory):
    """The same study, exported."""
    _, root = small_study
    return export("made-up", (), root, tmp_path_factory.mktemp("archive") / "made-up.zip").file


def draw_tables(study, name, content):
    """Load the study with one file changed, and make its tables."""
    folder, root = study
    pattern = {"run.json": "runs/*full*/run.json", "evaluation.json": "runs/*full*/eval-*.json"}
    path = next(root.glob(pattern[name])) if name in pattern else folder / name
    whole = path.read_bytes()
    try:
        path.write_bytes(content)
        with one_line_and_soon():
            for table in _tables(load(folder, root)):
                assert table.markdown()
                assert table.latex()
                assert table.csv()
    finally:
        path.write_bytes(whole)


def unpack(archive, folder, member, content, listed):
    """Check an archive with one member changed, with a manifest that agrees if ``listed``."""
    from tests.experiments.sharing.forging import again
    from tests.experiments.sharing.forging import listed as agreeing

    def change(entries):
        names = sorted(entries)
        entries = {**entries, names[member % len(names)]: content}
        return (
            agreeing(entries) if listed and member % len(names) != names.index("manifest.json") else entries
        )

    with one_line_and_soon():
        check_archive(again(archive, folder / "changed.zip", change))


def flip(archive, folder, place, byte):
    """Check an archive with one byte of the file changed."""
    content = bytearray(archive.read_bytes())
    content[place % len(content)] = byte
    (folder / "flipped.zip").write_bytes(content)
    with one_line_and_soon():
        check_archive(folder / "flipped.zip")


MEMBERS = {
    "member": st.integers(0, 30),
    "content": st.one_of(CHANGED.map(lambda pair: pair[1]), st.binary(max_size=80)),
    "listed": st.booleans(),
}
FLIPS = {"place": st.integers(0, 2**20), "byte": st.integers(0, 255)}


@QUICK
@given(changed=CHANGED)
def test_a_changed_record_is_read_or_refused_in_one_line(tmp_path, changed):
    """Run, evaluation, conclusions."""
    read(tmp_path, *changed)


@QUICK
@given(**MEMBERS)
def test_an_archive_with_a_changed_member_is_read_or_refused(archive, tmp_path, member, content, listed):
    """Any member, also with hashes that agree."""
    unpack(archive, tmp_path, member, content, listed)


@QUICK
@given(**FLIPS)
def test_an_archive_with_a_changed_byte_is_read_or_refused_in_one_line(archive, tmp_path, place, byte):
    """Any byte."""
    flip(archive, tmp_path, place, byte)


def test_the_archive_itself_is_whole(archive):
    """So that the tests above change something that is read."""
    assert len(check_archive(archive).runs) == 3
    assert len(zipfile.ZipFile(archive).namelist()) > 10


@pytest.mark.slow
@LONG
@given(changed=CHANGED)
def test_a_changed_record_at_length(tmp_path, changed):
    """The same, with many examples."""
    read(tmp_path, *changed)


@pytest.mark.slow
@LONG
@given(**MEMBERS)
def test_an_archive_with_a_changed_member_at_length(archive, tmp_path, member, content, listed):
    """The same, with many examples."""
    unpack(archive, tmp_path, member, content, listed)


@pytest.mark.slow
@LONG
@given(**FLIPS)
def test_an_archive_with_a_changed_byte_at_length(archive, tmp_path, place, byte):
    """The same, with many examples."""
    flip(archive, tmp_path, place, byte)


@pytest.mark.slow
@LONG
@given(name=st.sampled_from(sorted(KINDS)), draw=st.data())
def test_tables_of_a_changed_record_at_length(small_study, name, draw):
    """A record that is still read ends in tables, or in one line."""
    folder, root = small_study
    pattern = {"run.json": "runs/*full*/run.json", "evaluation.json": "runs/*full*/eval-*.json"}
    path = next(root.glob(pattern[name])) if name in pattern else folder / name
    draw_tables(small_study, name, draw.draw(mutated_json(json.loads(path.read_text()))))
