"""What libraries raise about a file that they cannot read, as one line of ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from toolkit.errors import UserError, first_line, is_out_of_memory


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
