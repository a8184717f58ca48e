"""Test documents that stand in what a method from elsewhere was trained on are counted, by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from toolkit import config
from toolkit.data.conversations.turns import Dialogue, Turn, to_text
from toolkit.data.duplicates.foreign import compare
from toolkit.data.format import Document, render
from toolkit.errors import UserError
from toolkit.records.data import ForeignTraining

NOTE = {
    "name": "note",
    "sections": [{"name": "title", "marker": "NOTE:"}, {"name": "body", "marker": "BODY:"}],
    "end": "[END]",
}
NOTES = config.dataset({"name": "notes", "files": ["notes.csv"], "format": NOTE, "fields": {"body": "Body"}})
CHATS = config.dataset({"name": "chats", "files": ["chats.jsonl"], "format": "chat"})
A = "a b c d e f g h i j k l"
"""Twelve words: ten triples."""
NEAR = "a b c d e f g h i j k z"
"""One word differs, at the end: nine triples of eleven are common, 9 / 11 = 0.818."""
FAR = "a b c d e f g h i y z z"
"""Three differ: seven of thirteen, 0.538."""


def rendered(*bodies: str) -> list[str]:
    """Notes with these bodies, as test documents."""
    return [render(Document((f"title {n}", body)), NOTES.format) for n, body in enumerate(bodies)]


def jsonl(path: Path, *rows: Any) -> Path:
    """A file of these rows."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def compared(path: Path, test: list[str], cache: Path, dataset: Any = NOTES) -> ForeignTraining:
    """The comparison at the usual threshold, 0.8."""
    return compare("method theirs: trained_on", path, dataset, test, 0.8, cache)


def test_copies_and_near_copies_are_counted(tmp_path):
    """Of four test notes one is there word for word (1.0), one nearly (9 / 11), one is far (7 / 13)."""
    path = jsonl(tmp_path / "theirs.jsonl", {"title": "x", "Body": A}, {"title": "", "Body": "no title"})
    found = compared(path, rendered(A, NEAR, FAR, "nothing in common here"), tmp_path)
    assert (found.documents, found.refused, found.copies, found.exact) == (1, 1, 2, 1)
    assert found.leak.at_least == {"0.5": 3, "0.6": 2, "0.7": 2, "0.8": 2, "0.9": 1, "1.0": 1}
    assert found.leak.closest[1].similarity == 0.8182


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("own columns.csv", f"title,Body\nx,{A}\n"),
        ("plain names.csv", f"title,body\nx,{A}\n"),
        ("texts of the format.jsonl", json.dumps({"text": f"NOTE: x\nBODY: {A}\n[END]"})),
        ("texts.txt", f"{A}\n"),
    ],
)
def test_a_file_is_read_by_the_columns_that_it_has(tmp_path, name, content):
    """The same twelve words under the data set's columns, under the sections' names, and as a whole text."""
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    found = compared(path, rendered(A, "nothing in common here"), tmp_path)
    assert (found.documents, found.copies, found.exact) == (1, 1, 1)


@pytest.mark.parametrize(
    "row",
    [
        {"messages": [{"role": "user", "content": "a b c d e f"}, {"role": "assistant", "content": "g h"}]},
        {"prompt": "a b c d e f", "completion": "g h"},
        {"instruction": "a b c d e f", "output": "g h"},
        {"text": "a b c d e f g h"},
    ],
)
def test_conversations_are_compared_whichever_kind_of_columns_they_have(tmp_path, row):
    """A test conversation of the words a to h, which the row holds; the other shares two of its triples."""
    turns = [[("user", "a b c d e f"), ("assistant", "g h")], [("user", "a b c d"), ("assistant", "x y")]]
    test = [
        json.dumps({"messages": [{"role": role, "content": content} for role, content in one]})
        for one in turns
    ]
    found = compared(jsonl(tmp_path / "theirs.jsonl", row), test, tmp_path, CHATS)
    assert (found.documents, found.copies, found.exact) == (1, 1, 1)


def test_an_optional_column_is_read_from_parquet_too(tmp_path):
    """An instruction with its input, as JSONL and as Parquet: the test conversation holds both."""
    row = {"instruction": "a b c", "input": "d e f", "output": "g h"}
    jsonl(tmp_path / "theirs.jsonl", row)
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "theirs.parquet")
    test = [to_text(Dialogue((Turn("user", "a b c\n\nd e f"), Turn("assistant", "g h"))))]
    for name in ("theirs.jsonl", "theirs.parquet"):
        found = compared(tmp_path / name, test, tmp_path / f"cache of {name}", CHATS)
        assert (found.documents, found.copies, found.exact) == (1, 1, 1), name


def test_a_folder_is_read_whole_and_a_changed_file_again(tmp_path):
    """Two files, then three; a `.json` beside them, which is often no data, is not read."""
    folder = tmp_path / "theirs" / "inner"
    folder.mkdir(parents=True)
    jsonl(folder / "one.jsonl", {"title": "x", "Body": "p q r s t"})
    (folder.parent / "two.csv").write_text("title,Body\ny,u v w x y\n", encoding="utf-8")
    (folder.parent / "dataset_info.json").write_text("{}", encoding="utf-8")
    first = compared(folder.parent, rendered(A), tmp_path / "cache")
    assert (first.documents, first.copies) == (2, 0)
    assert compared(folder.parent, rendered(A), tmp_path / "cache") == first
    jsonl(folder / "three.jsonl", {"title": "x", "Body": A})
    again = compared(folder.parent, rendered(A), tmp_path / "cache")
    assert (again.documents, again.copies) == (3, 1)


def test_what_cannot_be_read_is_one_line(tmp_path):
    """A path that is not there, a folder without data, unknown columns, no document, no kind of file."""
    (tmp_path / "empty").mkdir()
    weights = tmp_path / "model.bin"
    weights.write_bytes(b"weights")
    for path, message in [
        (tmp_path / "nowhere", "no file or folder"),
        (tmp_path / "empty", "file in folder"),
        (
            jsonl(tmp_path / "a.jsonl", {"q": "x"}),
            "has the columns 'q', and what is read are 'title' and 'Body', or 'title' and 'body', or 'text'",
        ),
        (jsonl(tmp_path / "b.jsonl", {"title": "x", "Body": ""}), "no document in .*1 of 1 rows refused"),
        (weights, "unknown kind of file '.bin'"),
    ]:
        with pytest.raises(UserError, match=f"method theirs: trained_on: .*{message}") as raised:
            compared(path, rendered(A), tmp_path / "cache")
        assert "\n" not in str(raised.value)
