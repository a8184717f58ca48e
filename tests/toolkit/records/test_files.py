"""What is written is whole, or is as it was before."""

from __future__ import annotations

import subprocess
import sys

import pytest

from toolkit.errors import UserError
from toolkit.records.files import whole_file, whole_folder, write_text


def test_a_file_keeps_its_old_text_if_writing_fails(tmp_path):
    """`old`, then half of `new` and an error: still `old`, with nothing beside it."""
    path = tmp_path / "file"
    write_text(path, "old")

    def fail() -> None:
        with whole_file(path) as neighbour:
            neighbour.write_text("ne")
            raise ValueError

    with pytest.raises(ValueError, match="^$"):
        fail()
    assert [file.name for file in tmp_path.iterdir()] == ["file"]
    assert path.read_text() == "old"


def test_a_folder_is_replaced_whole_and_leaves_nothing_of_the_old_one(tmp_path):
    """{a, b} replaced by {c} is {c}; an error on the way to {d} leaves {c}, and nothing beside it."""
    path = tmp_path / "made" / "folder"
    for names in ("ab", "c"):
        with whole_folder(path) as neighbour:
            for name in names:
                (neighbour / name).write_text(name)

    def fail() -> None:
        with whole_folder(path) as neighbour:
            (neighbour / "d").write_text("d")
            raise ValueError

    with pytest.raises(ValueError, match="^$"):
        fail()
    assert [file.name for file in path.iterdir()] == ["c"]
    assert [file.name for file in path.parent.iterdir()] == ["folder"]
    assert path.stat().st_mode & 0o700 == 0o700


def test_files_and_folders_have_the_permissions_that_the_user_gives(tmp_path):
    """With a mask of 002 the user's group may write: others of a shared root can draw a report again."""
    code = (
        "import os, sys; os.umask(0o002); from pathlib import Path;"
        "from toolkit.records.files import whole_folder, write_text; root = Path(sys.argv[1]);"
        "write_text(root / 'file', 'x');\n"
        "with whole_folder(root / 'folder'): pass"
    )
    subprocess.run([sys.executable, "-P", "-c", code, str(tmp_path)], check=True)  # noqa: S603
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == {"file": 0o664, "folder": 0o775}


def test_a_folder_that_cannot_be_written_is_a_line_with_the_remedy(tmp_path):
    """A file stands in the way of the parent."""
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(UserError, match="cannot write .*/file/folder: .*Choose another folder"),
        whole_folder(tmp_path / "file" / "folder"),
    ):
        pass
