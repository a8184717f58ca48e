"""Where files come from: packages by version, files by checksum."""

from __future__ import annotations

import hashlib
from importlib import metadata

import pytest

from toolkit import origins
from toolkit.errors import UserError


def test_a_package_is_returned_with_or_without_its_version_and_refused_otherwise():
    """numpy as installed is taken; refused are its version 0.0, one not installed, one without a name."""
    version = metadata.version("numpy")
    for pinned in ("numpy", f"numpy=={version}"):
        assert origins.package(pinned, "here", "Install it").version == version
    with pytest.raises(UserError, match=rf"^here: package numpy is {version}, not 0\.0\. Install it$"):
        origins.package("numpy==0.0", "here", "Install it")
    with pytest.raises(UserError, match=r"^here: package not-there-at-all is not installed\. Install it$"):
        origins.package("not-there-at-all==1", "here", "Install it")
    with pytest.raises(UserError, match=r"^here: package ==1 is not installed\. Install it$"):
        origins.package("==1", "here", "Install it")


def test_the_checksum_of_files_is_that_of_their_joined_bytes(tmp_path):
    """Two files, `ab` and `c`: SHA-256 of `abc`."""
    (tmp_path / "1").write_bytes(b"ab")
    (tmp_path / "2").write_bytes(b"c")
    assert origins.sha256([tmp_path / "1", tmp_path / "2"]) == hashlib.sha256(b"abc").hexdigest()
