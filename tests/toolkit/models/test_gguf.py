"""A damaged GGUF file is one line, and soon: readers believe the counts and lengths in its header."""

from __future__ import annotations

import logging
import struct

import gguf
import numpy as np
import pytest

from tests.gguf_files import write_llama
from toolkit.errors import UserError
from toolkit.models import gguf as conversion
from toolkit.models import locate
from toolkit.specs import ModelSpec

COMPLAINT = "model tiny: cannot convert tiny.gguf"


@pytest.fixture
def file(tmp_path):
    """A small GGUF file: numbers, a text, lists of both, and two tensors."""
    path = tmp_path / "tiny.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_uint32("llama.block_count", 1)
    writer.add_float32("llama.rope.freq_base", 1e4)
    writer.add_array("tokenizer.ggml.tokens", ["a", "b", "c"])
    writer.add_array("tokenizer.ggml.token_type", [1, 1, 1])
    writer.add_tensor("token_embd.weight", np.zeros((3, 32), dtype=np.float32))
    writer.add_tensor("output_norm.weight", np.ones(32, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def refusal(path) -> str | None:
    """The line that the header is refused with; None if its counts and lengths fit."""
    try:
        conversion.check_header(path, COMPLAINT)
    except UserError as error:
        message = str(error)
        assert message.startswith(COMPLAINT)
        assert "\n" not in message
        return message
    return None


def test_a_sound_header_passes(file):
    """Six keys, two tensors."""
    assert refusal(file) is None


@pytest.mark.parametrize(
    ("position", "value", "says"),
    [
        (4, struct.pack("<I", 77), "version 77"),
        (8, struct.pack("<Q", 1 << 60), f"{1 << 60} tensors do not fit into the file"),
        (16, struct.pack("<Q", 1 << 60), f"{1 << 60} keys do not fit into the file"),
        (24, struct.pack("<Q", 1 << 62), f"{1 << 62} bytes of text do not fit into the file"),
    ],
    ids=["version", "tensors", "keys", "length of the first key"],
)
def test_an_absurd_count_or_length_is_named(file, position, value, says):
    """A header is magic (4 bytes), version (4), tensors (8), keys (8), then the first key's length (8)."""
    content = bytearray(file.read_bytes())
    content[position : position + len(value)] = value
    file.write_bytes(content)
    assert says in refusal(file)


@pytest.mark.parametrize("content", [b"", b"GGU", b"GGUF", b"GGUF\3\0\0\0", b"no weights here"])
def test_what_is_hardly_a_file_is_refused(file, content):
    """Empty, cut within the magic, the magic alone, and a version alone; a text."""
    file.write_bytes(content)
    assert refusal(file)


def test_every_length_of_a_cut_header_and_every_flipped_byte_ends_in_a_line_or_passes(file):
    """Up to the tensors' data: no cut passes, and no flipped byte raises anything but UserError."""
    content = file.read_bytes()
    header = content.index(b"output_norm.weight") + len("output_norm.weight") + 4 + 8 + 4 + 8
    for length in range(header):
        file.write_bytes(content[:length])
        assert refusal(file), length
    refused = 0
    for position in range(header):
        flipped = bytearray(content)
        flipped[position] ^= 0xFF
        file.write_bytes(flipped)
        refused += refusal(file) is not None
    assert refused > header / 4  # the others are letters of names, and numbers


@pytest.mark.parametrize("damage", ["magic", "architecture", "weights"])
def test_a_base_of_a_damaged_file_is_refused_in_a_line_and_nothing_is_left(file, monkeypatch, damage):
    """Magic alone; an architecture of no name; a llama that lacks most of what its configuration needs."""
    cache = file.parent / "cache"
    monkeypatch.setattr(conversion, "cache_folder", lambda: cache)
    content = file.read_bytes()
    changed = {"magic": content[:4], "architecture": content.replace(b"llama", b"lxxxa"), "weights": content}
    file.write_bytes(changed[damage])
    with pytest.raises(UserError, match="^model tiny: cannot [^\n]+$"):
        locate.local_folder(ModelSpec(name="tiny", folder=str(file.parent), gguf=(file.name,)))
    assert [path.suffix for path in (cache / "models").iterdir()] in ([".lock"], [])


def test_a_conversion_reads_the_file_once(tiny_llama, tmp_path, monkeypatch):
    """One reader and one table of names for all that is read; the package is left as it was."""
    monkeypatch.setattr(conversion, "cache_folder", lambda: tmp_path / "cache")
    built = []
    for name in ("GGUFReader", "get_tensor_name_map"):
        plain = getattr(gguf, name)
        monkeypatch.setattr(gguf, name, lambda *a, plain=plain, name=name: (built.append(name), plain(*a))[1])
    before = gguf.GGUFReader, gguf.get_tensor_name_map
    path = write_llama(tiny_llama, tmp_path / "tiny.gguf")
    spec = ModelSpec(name="tiny", folder=str(tmp_path), gguf=("tiny.gguf",))
    folder = conversion.converted(spec, [path], "0" * 64)
    assert (folder / "model.safetensors").is_file()
    assert sorted(built) == ["GGUFReader", "get_tensor_name_map"]
    assert (gguf.GGUFReader, gguf.get_tensor_name_map) == before


def test_a_file_that_lacks_a_weight_is_refused_and_nothing_is_left(tiny_llama, tmp_path, monkeypatch):
    """Without one matrix of the MLP: its weights would start at random, each time others."""
    monkeypatch.setattr(conversion, "cache_folder", lambda: tmp_path / "cache")
    whole = gguf.GGUFWriter.add_tensor

    def but_one(self, name, *rest, **options):
        if name != "blk.0.ffn_up.weight":
            whole(self, name, *rest, **options)

    monkeypatch.setattr(gguf.GGUFWriter, "add_tensor", but_one)
    source = write_llama(tiny_llama, tmp_path / "tiny.gguf")
    spec = ModelSpec(name="tiny", folder=str(tmp_path), gguf=(source.name,))
    with pytest.raises(
        UserError, match=r"tiny.gguf lacks 1 of a llama's weights \(model.layers.0.mlp.up_proj"
    ):
        locate.local_folder(spec)
    assert not list((tmp_path / "cache").rglob("*.safetensors"))


def test_a_changed_byte_of_a_converted_base_is_named_and_converted_again(
    tiny_llama, tmp_path, monkeypatch, caplog
):
    """One bit in each file, the weights and the list of hashes too: the folder is as it was, to the byte.

    A cut and a missing file are noticed, too. A third look in the same process reads nothing again.
    """
    monkeypatch.setattr(conversion, "cache_folder", lambda: tmp_path / "cache")
    source = write_llama(tiny_llama, tmp_path / "tiny.gguf")
    spec = ModelSpec(name="tiny", folder=str(tmp_path), gguf=(source.name,))
    folder = locate.local_folder(spec)
    whole = {path: path.read_bytes() for path in sorted(folder.iterdir()) if path.name != ".hashes-lock"}
    assert {"config.json", "hashes.json", "model.safetensors", "tokenizer.json"} <= {p.name for p in whole}
    damages = {}
    for path, content in whole.items():
        at = 0 if path.name == "hashes.json" else len(content) // 2  # its first byte: it can't be read then
        damages[path] = content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
    weights = folder / "model.safetensors"
    for path, content in [*damages.items(), (weights, whole[weights][:-1]), (weights, None)]:
        path.unlink() if content is None else path.write_bytes(content)
        conversion._damaged.cache_clear()  # what another process starts with
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            assert locate.local_folder(spec) == folder
        assert f"{path} {'is missing' if content is None else 'has changed'}" in caplog.text, path
        assert {one: one.read_bytes() for one in whole} == whole
    assert locate.local_folder(spec) == folder
    monkeypatch.setattr(conversion.hashes, "problems", None)
    assert locate.local_folder(spec) == folder
