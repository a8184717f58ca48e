"""What must be the same for all methods, and which of them differ."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TypeVar

from toolkit.records import Cell, Finding

R = TypeVar("R")
Status = Literal["flagged", "refused"]
Sides = tuple[tuple[str, ...], ...]


def same(
    check: str,
    otherwise: Status,
    cells: Sequence[Cell],
    records: Mapping[str, R],
    value: Callable[[R], object],
) -> Finding:
    """Check that ``value`` is the same for every cell that has a record.

    A value of None is unknown: it is neither the same nor different, and flagged.
    """
    known: defaultdict[str, set[str]] = defaultdict(set)
    unknown: set[str] = set()
    for cell in cells:
        if cell.run_id in records:
            one = value(records[cell.run_id])
            (unknown if one is None else known[str(one)]).add(cell.method)
    if len(known) > 1:
        return differing(check, otherwise, known)
    if unknown:
        text = f"unknown for {', '.join(sorted(unknown))}: it may differ"
        return Finding(check=check, status="flagged", text=text, methods=tuple(sorted(unknown)))
    shown = next(iter(known), "nothing recorded")
    return Finding(check=check, status="ok", text=f"the same for all: {_short(shown)}")


def differing(check: str, status: Status, by_value: Mapping[str, set[str]], why: str = "differs") -> Finding:
    """Return the finding that methods differ; all are named, grouped by their value.

    `methods` are those outside the largest group, and every method if two groups are equally large.
    """
    sides = tuple(tuple(sorted(names)) for names in by_value.values())
    largest = max(map(len, sides))
    usual = [side for side in sides if len(side) == largest]
    odd = {name for side in sides if len(usual) > 1 or side is not usual[0] for name in side}
    text = "; ".join(
        f"{', '.join(side)}: {_short(value)}" for side, value in zip(sides, by_value, strict=True)
    )
    return Finding(
        check=check, status=status, text=f"{why} ({text})", methods=tuple(sorted(odd)), sides=sides
    )


def on_different_sides(sides: Sides, methods: set[str]) -> bool:
    """Whether these methods differ among themselves: on other sides, or one of them on several."""
    places = [frozenset(i for i, side in enumerate(sides) if name in side) for name in methods]
    concerned = [place for place in places if place]
    return len(set(concerned)) > 1 or any(len(place) > 1 for place in concerned)


def _short(text: str) -> str:
    return text if len(text) <= 120 else f"{text[:117]}…"
