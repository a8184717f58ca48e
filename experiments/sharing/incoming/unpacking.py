"""Unpacking an archive that a stranger may have made: its form is checked, of what it holds the hashes."""

from __future__ import annotations

import lzma
import re
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

from pydantic import ValidationError

from experiments.sharing.archive import FORMAT, MANIFEST, OF_A_RUN, OF_RESULTS, READABLE, Manifest, sha256
from toolkit.errors import UserError, first_line

MOST_BYTES = 4 * 2**30
"""Of all entries together, decompressed. A study of a thousand runs has about 1 GB."""
MOST_FILES = 200_000
LARGEST_FILE = 2**29
LARGEST_MANIFEST = 2**26
HIGHEST_RATIO = 200
"""Decompressed over compressed bytes of an entry above 1 MB: records reach about 30, a zip bomb 1,000."""
NOTHING = "nothing was imported"
XZ_MEMORY = 2**28
"""Bytes that unpacking xz may take: its highest setting takes 65 MB."""
DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError),
    *(EOFError, NotImplementedError, RuntimeError, ValueError),
)


class Unpacked(NamedTuple):
    """The files of an archive, of which only names, sizes and hashes are known to be right."""

    study: str
    files: dict[str, bytes]
    """Name in the archive -> content."""
    left_out: tuple[str, ...]
    """Report files of an archive of the first version."""


def unpack(file: Path) -> Unpacked:
    """Read an archive whole, one that xz has packed (`.zip.xz`) as well.

    Raises UserError, in one line, for an archive that is damaged, foreign, hostile or of another version.
    """
    if not file.is_file():
        raise UserError(f"cannot read {file}: not a file")
    with _one_line(file), _opened(file) as stream, zipfile.ZipFile(stream) as packed:
        _check_sizes(packed, file)
        manifest = _manifest(packed, file)
        files: dict[str, bytes] = {}
        left_out = []
        for name in packed.namelist():
            if name == MANIFEST:
                continue
            if not _is_record(name, manifest.study):
                if manifest.version == 1 and _is_report(name, manifest.study):
                    left_out.append(name)
                    continue
                raise UserError(f"{file} holds {name!r}, which no export of a study does: {NOTHING}")
            files[name] = _content(packed, name)
            if sha256(files[name]) != manifest.files[name]:
                raise UserError(f"{file} is damaged at {name}: {NOTHING}")
    return Unpacked(manifest.study, files, tuple(left_out))


@contextmanager
def _opened(file: Path) -> Iterator[IO[bytes]]:
    """The archive as a stream that can be searched; what xz has packed lies in a temporary file meanwhile."""
    with file.open("rb") as stream:
        if file.suffix != ".xz":
            yield stream
            return
        unpacking = lzma.LZMADecompressor(memlimit=XZ_MEMORY)
        with tempfile.TemporaryFile() as whole:
            while not unpacking.eof:
                block = stream.read(2**20) if unpacking.needs_input else b""
                if not block and unpacking.needs_input:
                    raise EOFError("it ends early")
                whole.write(unpacking.decompress(block, max_length=2**20))
                if whole.tell() > MOST_BYTES:
                    raise ValueError(f"it holds more than {MOST_BYTES:,} bytes")
            whole.seek(0)
            yield whole


@contextmanager
def _one_line(file: Path) -> Iterator[None]:
    """Turn what `zipfile` raises on damaged files into a UserError."""
    try:
        yield
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror or error}") from error
    except DAMAGE as error:
        raise UserError(
            f"{file} is damaged, or not a file of `bakeoff export`: {first_line(error)}"
        ) from error


def _check_sizes(packed: zipfile.ZipFile, file: Path) -> None:
    """Refuse, before anything is decompressed, bombs, links, encrypted entries and repeated names."""
    entries = packed.infolist()
    if len(entries) > MOST_FILES:
        raise UserError(f"{file} holds {len(entries):,} files, more than {MOST_FILES:,}: {NOTHING}")
    names = [entry.filename for entry in entries]
    if len(set(names)) != len(names):
        raise UserError(f"{file} holds two files of one name: {NOTHING}")
    for entry in entries:
        name, size = entry.filename, entry.file_size
        if size > LARGEST_FILE or size > 2**20 and size > HIGHEST_RATIO * max(1, entry.compress_size):
            raise UserError(f"{file}: {name!r} unpacks to {size:,} bytes, too many for a record: {NOTHING}")
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise UserError(f"{file}: {name!r} is packed in another way than an export's files: {NOTHING}")
        if not name or kind not in (0, stat.S_IFREG) or entry.is_dir() or entry.flag_bits & 1:
            raise UserError(f"{file}: {name!r} is not a plain file: {NOTHING}")
    total = sum(entry.file_size for entry in entries)
    if total > MOST_BYTES:
        raise UserError(f"{file} unpacks to {total:,} bytes, more than {MOST_BYTES:,}: {NOTHING}")


def _content(packed: zipfile.ZipFile, name: str) -> bytes:
    """A file's content, in blocks: read at once, an entry that holds more than it states unpacks whole."""
    with packed.open(name) as stream:
        return b"".join(iter(lambda: stream.read(2**20), b""))


def _manifest(packed: zipfile.ZipFile, file: Path) -> Manifest:
    foreign = f"{file} is not a file of `bakeoff export`"
    names = packed.namelist()
    if MANIFEST not in names:
        raise UserError(f"{foreign}: it has no {MANIFEST}")
    if packed.getinfo(MANIFEST).file_size > LARGEST_MANIFEST:
        raise UserError(f"{foreign}: its {MANIFEST} is too large")
    try:
        manifest = Manifest.model_validate_json(_content(packed, MANIFEST))
    except ValidationError as error:
        raise UserError(f"{foreign}: {MANIFEST}: {first_problem(error)}") from error
    if manifest.format != FORMAT:
        raise UserError(foreign)
    if manifest.version not in READABLE:
        raise UserError(
            f"{file} is of version {manifest.version} of the export; this bakeoff reads {READABLE[-1]}"
        )
    if {*names} - {MANIFEST} != manifest.files.keys():
        raise UserError(f"{file} is damaged: it does not hold the files that it lists")
    if not is_name(manifest.study):
        raise UserError(f"{foreign}: {manifest.study!r:.80} is not the name of a study")
    return manifest


def is_name(text: str) -> bool:
    """Whether a text can name a folder: nothing that leads elsewhere, no control characters, not hidden."""
    return len(text) <= 200 and text.isprintable() and not re.search(r"^\.|[\\/:]", text) and bool(text)


def _is_record(name: str, study: str) -> bool:
    parts = name.split("/")
    if len(parts) != 3 or not is_name(parts[1]):
        return False
    if parts[0] == "runs":
        return bool(OF_A_RUN.fullmatch(parts[2]))
    return parts[0] == "results" and parts[1] == study and parts[2] in OF_RESULTS


def _is_report(name: str, study: str) -> bool:
    """Whether a name is of the report, a figure or the log that the first version packed too."""
    return name.startswith(f"results/{study}/") and ".." not in name.split("/") and "\\" not in name


def first_problem(error: ValidationError) -> str:
    """The first thing that a schema finds wrong, and where."""
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc'])) or 'the file'}: {first['msg']}"[:300]
