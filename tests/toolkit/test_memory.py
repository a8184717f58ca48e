"""What counts as lack of memory, whoever raises it."""

from __future__ import annotations

import pytest
import torch

from toolkit.errors import is_out_of_memory

TOO_MUCH = 1 << 60  # bytes


def test_the_cpu_allocators_own_error_is_out_of_memory():
    """An exbibyte is more than any machine has: torch's message, not one written down here."""
    with pytest.raises(RuntimeError) as caught:
        torch.empty(TOO_MUCH, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory: you tried to allocate"), True),
        (RuntimeError("an illegal memory access was encountered"), False),
        (RuntimeError("shared memory file is missing"), False),
        (ValueError("DefaultCPUAllocator: can't allocate memory"), False),
    ],
)
def test_other_errors_about_memory_are_not(error, expected):
    """The word `memory` in a message is no reason to lower the batch."""
    assert is_out_of_memory(error) is expected
