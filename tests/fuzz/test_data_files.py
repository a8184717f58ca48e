"""Data files with random changes: their rows are taken, counted as refused, or the file is, in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzzing import LONG, QUICK, TEXT, mutated_json, one_line_and_soon
from tests.toolkit.data.test_readers import KINDS, ROWS
from toolkit import config
from toolkit.data.prepare import prepare
from toolkit.specs import DataSpec

CHATS = [
    [{"role": "user", "content": f"How much {name}?"}, {"role": "assistant", "content": f"{n} cups."}]
    for n, name in enumerate(("flour", "sugar", "milk", "rice", "oil", "salt"))
]
DIALOGUES = [{"messages": turns} for turns in CHATS]
SIZES = DataSpec(train=2, validation=1, test=1)


@st.composite
def damaged(draw: Any, original: bytes) -> bytes:
    """Bytes exchanged, cut out, put in, or doubled, in up to four places."""
    content = original
    for _ in range(draw(st.integers(1, 4))):
        begin = draw(st.integers(0, max(0, len(content) - 1)))
        end = min(len(content), begin + draw(st.sampled_from([0, 1, 2, 20, 1000])))
        put = draw(
            st.one_of(
                st.binary(max_size=4),
                TEXT.map(lambda text: text.encode("utf-8", "surrogatepass")),
                st.just(content[begin:end] * 2),
                st.sampled_from([b'"', b"\n", b",", b'""",', b"\r", b"\xff\xfe", b"{", b"]", b"\x1f\x8b"]),
            )
        )
        content = content[:begin] + put + content[end:]
    return content


def original(name: str, folder: Path) -> bytes:
    """The six rows as a file of this kind."""
    KINDS[name](folder / name)
    return (folder / name).read_bytes()


def files(folder: Path) -> st.SearchStrategy[tuple[str, str, bytes]]:
    """Format, name and content of a data file: of each kind, with damaged bytes or changed values."""
    whole = {name: original(name, folder) for name in KINDS}
    bytes_ = [
        damaged(content).map(lambda new, name=name: ("recipe", name, new)) for name, content in whole.items()
    ]
    recipes = mutated_json(ROWS).map(lambda new: ("recipe", "a.json", new))
    dialogues = mutated_json(DIALOGUES).map(lambda new: ("chat", "a.json", new))
    return st.one_of(*bytes_, recipes, dialogues)


def take(folder: Path, form: str, name: str, content: bytes) -> list[str]:
    """Prepare a data set of this file anew; return the line that it was refused with, if it was."""
    (folder / name).write_bytes(content)
    with one_line_and_soon() as refusals:
        dataset = config.dataset({"name": "mine", "files": [str(folder / name)], "format": form})
        prepared = prepare(dataset, SIZES, None)
        assert len(prepared.train) == SIZES.train
        assert len(prepared.test) == SIZES.test
    return refusals


def test_the_files_are_taken_as_they_are(tmp_path: Path) -> None:
    """Before they are damaged: four of the six documents each."""
    for name in KINDS:
        assert take(tmp_path, "recipe", name, original(name, tmp_path)) == []
    assert take(tmp_path, "chat", "a.json", json.dumps(DIALOGUES).encode()) == []


@QUICK
@given(data=st.data())
def test_damaged_data_files(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Few of them in the default tests."""
    folder = tmp_path_factory.mktemp("data")
    take(folder, *data.draw(files(folder)))


@pytest.mark.slow
@LONG
@given(data=st.data())
def test_many_damaged_data_files(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """The same at length."""
    folder = tmp_path_factory.mktemp("data")
    take(folder, *data.draw(files(folder)))
