"""The one error that users read, its wording, and what to do about others: out of memory, libraries' own.

Other people's text, which an error may quote, is made harmless here too.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

R = TypeVar("R")
T = TypeVar("T")


class UserError(Exception):
    """An error that the user can fix: shown as one line without a traceback, and the command exits 2.

    The text says where it went wrong, what came, and the likely remedy. Line ends in it, of values that it
    quotes, become spaces; of 1,000 characters or more without a space, the first 500 are shown.
    """

    def __init__(self, text: str) -> None:
        text = re.sub(r"(\S{500})\S{500,}", r"\1…", text)
        super().__init__(re.sub(r"\s*[\r\n]\s*", " ", text))


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ``Did you mean 'x'? Known: a, b, x`` for a name that is not among the known ones.

    Names that begin with it come before those that are spelt alike.
    """
    names = sorted(known)
    longer = [one for one in names if name and one.startswith(name)][:8]
    close = longer or difflib.get_close_matches(name, names, n=1, cutoff=0.55)
    quoted = [f"'{one}'" for one in close]
    hint = f"Did you mean {', '.join(quoted[:-1])}{' or ' * (len(quoted) > 1)}{quoted[-1]}? " if close else ""
    return f"{hint}Known: {', '.join(names) or '(none)'}"


def unknown_name(kind: str, name: object, known: Iterable[str]) -> UserError:
    """Return the error for a name that a list lacks, e.g. ``unknown method 'lora16'. Did you mean …``."""
    return UserError(f"unknown {kind} '{name}'. {nearest(str(name), known)}")


_HARMFUL = {
    code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"
} | {
    code: f"\\u{code:04x}"
    for code in (
        0x061C,
        0x200E,
        0x200F,
        *range(0x2028, 0x202F),
        *range(0x2066, 0x206A),
        *range(0xD800, 0xE000),
    )
}


def visible(text: str) -> str:
    r"""Replace what a terminal obeys and a reader does not see: ``"\x1b[2J"`` becomes ``"\\x1b[2J"``.

    Replaced are control characters other than line feed and tab (escape sequences begin with one),
    bidirectional controls, line and paragraph separators, and lone surrogates.
    """
    return text.translate(_HARMFUL)


def first_line(error: BaseException) -> str:
    """Return the first line of a library's error, to be quoted in one of ours; its type if it has none."""
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".")[:300] if lines else type(error).__name__


def last_reason(written: str) -> str:
    """Return the first line of the last exception that a process wrote; its last line if there is none."""
    lines = written.strip().splitlines() or ["no message"]
    return next((line for line in reversed(lines) if _EXCEPTION.match(line)), lines[-1])


def one_line(error: BaseException) -> str:
    """Return all of a library's error on one line, or its start; its type if it has no text."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else f"{text[:299]}…"


_EXCEPTION = re.compile(r"[\w.]*(Error|Exception|Interrupt): ")
_CPU_OUT_OF_MEMORY = ("DefaultCPUAllocator: can't allocate memory", "DefaultCPUAllocator: not enough memory")
"""What torch's CPU allocator raises, on Linux and elsewhere, in a plain RuntimeError."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether torch ran out of memory: its own error type on a GPU, or the CPU allocator's two messages."""
    import torch

    if isinstance(error, torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(message in str(error) for message in _CPU_OUT_OF_MEMORY)


def in_halves(rows: Sequence[R], work: Callable[[Sequence[R]], Sequence[T]]) -> list[T]:
    """Return what ``work`` makes of all rows; where memory runs out, of the first half and of the second.

    Raises UserError if it runs out on a single row.
    """
    try:
        return list(work(rows))
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        if len(rows) < 2:
            raise UserError(
                "out of memory on a single text: a machine or GPU with more is needed, or shorter texts "
                "(data.max_characters, evaluate.max_new_tokens)"
            ) from error
    # Only here, when the error has let go of the tensors of the whole, is their memory free.
    half = (len(rows) + 1) // 2
    return in_halves(rows[:half], work) + in_halves(rows[half:], work)


@contextmanager
def readable(message: str) -> Iterator[None]:
    """Turn what a library raises about the files it reads into a UserError that begins with ``message``.

    Around one foreign call only. Lack of memory is no fault of the file and passes through.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # tokenizers raise a plain Exception, each other library types of its own
        if isinstance(error, MemoryError) or is_out_of_memory(error):
            raise
        raise UserError(f"{message}: {first_line(error)}") from error
