"""GGUF weights as a folder of safetensors, converted once."""

from __future__ import annotations

import math
import mmap
import shutil
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from filelock import FileLock

from toolkit.errors import UserError, readable
from toolkit.models import probe
from toolkit.records import hashes
from toolkit.records.files import whole_folder
from toolkit.records.folders import cache_folder
from toolkit.specs import ModelSpec

MAGIC = b"GGUF"
VERSIONS = (2, 3)
WIDTHS = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
"""Bytes of each metadata value type of a fixed size."""
STRING, ARRAY = 8, 9
MOST_DIMENSIONS = 8


def converted(spec: ModelSpec, files: list[Path], digest: str) -> Path:
    """Return a folder with the weights of ``files``, joined in order, as fp32 safetensors.

    Made once, and again if a byte of it has changed: that takes some ten seconds, reading it less than one.
    ``digest`` is the SHA-256 of the joined files. Raises UserError if the spec expects another, or if they
    are no GGUF that transformers can read.
    """
    if spec.sha256 and digest != spec.sha256:
        raise UserError(
            f"model {spec.name}: {', '.join(spec.gguf)} is not the expected file: its SHA-256 is {digest}"
        )
    folder = cache_folder() / "models" / f"{spec.name}-{digest[:16]}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    if not folder.is_dir() or _damaged(folder, _written(folder)):
        with FileLock(folder.with_suffix(".lock")):
            hashes.discard_damaged(folder)
            if not folder.is_dir():
                _convert(spec, files, folder)
    return folder


def _written(folder: Path) -> int:
    """When the folder's hashes were written, in nanoseconds; 0 if it has none."""
    file = folder / hashes.FILE
    return file.stat().st_mtime_ns if file.is_file() else 0


@lru_cache(maxsize=8)
def _damaged(folder: Path, written: int) -> bool:
    """Whether a file has changed since; looked at once per process: weights and tokenizer ask one by one."""
    try:
        return bool(hashes.problems(folder))
    except UserError:  # the hashes themselves can't be read
        return True


def _convert(spec: ModelSpec, files: list[Path], folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    with whole_folder(folder) as target:
        source = files[0]
        if len(files) > 1:
            source = target / "joined.gguf"
            with source.open("wb") as joined:
                for file in files:
                    with file.open("rb") as part:
                        shutil.copyfileobj(part, joined)
        check_header(source, f"model {spec.name}: cannot convert {spec.gguf[0]}")
        with _reading_once(), readable(f"model {spec.name}: cannot convert {spec.gguf[0]}"):
            model, loading = AutoModelForCausalLM.from_pretrained(
                source.parent,
                gguf_file=source.name,
                dtype=torch.float32,
                quantization_config=GgufConfig(dequantize=True),  # plain weights, which can be saved
                output_loading_info=True,
            )
            probe.refuse_missing(f"model {spec.name}: {spec.gguf[0]}", model, loading)
            with readable(f"model {spec.name}: cannot read the tokenizer in {spec.gguf[0]}"):
                tokenizer = AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name)
        model.save_pretrained(target)
        tokenizer.save_pretrained(target)
        (target / "joined.gguf").unlink(missing_ok=True)
        hashes.seal(target)


@contextmanager
def _reading_once() -> Iterator[None]:
    """Temporarily keep what the gguf package has read, which is most of the time of a conversion.

    transformers reads a file's header for the configuration, the weights and the tokenizer, and builds the
    table of tensor names once for every module.
    """
    import gguf

    original = {name: getattr(gguf, name) for name in ("GGUFReader", "get_tensor_name_map")}
    for name, build in original.items():
        setattr(gguf, name, lru_cache(build))
    try:
        yield
    finally:
        for name, build in original.items():
            setattr(gguf, name, build)


def check_header(path: Path, complaint: str) -> None:
    """Raise UserError, beginning with ``complaint``, unless counts and lengths of a GGUF header fit the file.

    Readers believe them: a damaged length costs gigabytes of memory or an endless loop. The layout is that of
    https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3.
    """
    with path.open("rb") as stream:
        if stream.read(len(MAGIC)) != MAGIC:
            raise UserError(f"{complaint}: it is not a GGUF file")
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
            try:
                _Header(content).check()
            except (ValueError, struct.error) as error:
                raise UserError(f"{complaint}: its header is damaged: {error}") from error


class _Header:
    """Walks through a header without building any of it. Its methods raise ValueError or struct.error."""

    def __init__(self, content: mmap.mmap) -> None:
        self._content, self._position = content, len(MAGIC)

    def check(self) -> None:
        (version,) = self._numbers("<I")
        if version not in VERSIONS:
            raise ValueError(f"version {version}, and only {VERSIONS} are known")
        tensors, keys = self._numbers("<QQ")
        self._refuse_more_than_fit(keys, 8 + 4 + 1, "keys")
        self._refuse_more_than_fit(tensors, 8 + 4 + 4 + 8, "tensors")
        for _ in range(keys):
            self._skip_string()
            self._skip_value(*self._numbers("<I"))
        for _ in range(tensors):
            self._skip_string()
            (dimensions,) = self._numbers("<I")
            if dimensions > MOST_DIMENSIONS:
                raise ValueError(f"a tensor of {dimensions} dimensions")
            shape = self._numbers(f"<{dimensions}Q")
            _, offset = self._numbers("<IQ")
            # No type takes less than a bit per number.
            if math.prod(shape) > 8 * len(self._content) or offset > len(self._content):
                raise ValueError(f"a tensor of shape {list(shape)} at {offset} is not in the file")

    def _numbers(self, layout: str) -> tuple[int, ...]:
        values = struct.unpack_from(layout, self._content, self._position)
        self._position += struct.calcsize(layout)
        return values

    def _refuse_more_than_fit(self, count: int, width: int, kind: str) -> None:
        if count * width > len(self._content) - self._position:
            raise ValueError(f"{count} {kind} do not fit into the file")

    def _skip(self, count: int, width: int, kind: str) -> None:
        self._refuse_more_than_fit(count, width, kind)
        self._position += count * width

    def _skip_string(self) -> None:
        (length,) = self._numbers("<Q")
        self._skip(length, 1, "bytes of text")

    def _skip_value(self, kind: int) -> None:
        if kind == STRING:
            self._skip_string()
        elif kind == ARRAY:
            inner, count = self._numbers("<IQ")
            if inner == STRING:
                self._refuse_more_than_fit(count, 8, "texts")
                for _ in range(count):
                    self._skip_string()
            elif inner in WIDTHS:
                self._skip(count, WIDTHS[inner], "values")
            else:
                raise ValueError(f"an array of unknown type {inner}")
        elif kind in WIDTHS:
            self._skip(1, WIDTHS[kind], "values")
        else:
            raise ValueError(f"a value of unknown type {kind}")
