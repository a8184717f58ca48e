"""Which tokens of a row are labels: all of a document, and of a conversation what its format trains on."""

from __future__ import annotations

from collections.abc import Sequence

IGNORED = -100
"""The label that PyTorch's cross-entropy leaves out."""
CONTEXT, LABEL, END = 0, 1, 2
"""Kinds of a token: not a label; a label; a label that ends a turn."""


class Row(list[int]):
    """Token ids of a conversation, with the kind of each: not a label, a label, a label that ends a turn.

    A plain list of ids is a document: all but the first are labels, and the last one is end-of-text.
    """

    def __init__(self, ids: Sequence[int], kinds: bytes) -> None:
        super().__init__(ids)
        self.kinds = kinds


def labels_of(row: Sequence[int]) -> list[int]:
    """Return the label of each token of a row: its id, or `IGNORED`. The first token is never a label."""
    if isinstance(row, Row):
        pairs = zip(row, row.kinds, strict=True)
        return [token if n and kind != CONTEXT else IGNORED for n, (token, kind) in enumerate(pairs)]
    return [IGNORED, *row[1:]]


def supervised(row: Sequence[int]) -> int:
    """Return how many tokens of a row are labels."""
    if isinstance(row, Row):
        return sum(kind != CONTEXT for kind in row.kinds[1:])
    return len(row) - 1


def ends_in_end(row: Row) -> bool:
    """Return whether the last label of a conversation's row is one that ends a turn."""
    return row.kinds.rstrip(bytes([CONTEXT])).endswith(bytes([END]))


def ends_of(row: Sequence[int]) -> list[int]:
    """Return the indices of the labels that end a text or a turn."""
    if isinstance(row, Row):
        return [index for index, kind in enumerate(row.kinds) if index and kind == END]
    return [len(row) - 1]
