"""How learning rates were chosen: as many, as wide, by as many seeds for every method, not at an edge."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from eval.audit.alike import differing
from toolkit.records import Cell, Condition, Finding

ROUNDING = 0.1
"""Decades by which equally wide searches may differ, because their rates are rounded."""


def learning_rates(cells: Sequence[Cell]) -> list[Finding]:
    """Check the search: the number of rates, the tuning seeds, the width of the grid, and its edges.

    A rate at which a run failed, as when a disk is full, was not tried; one at which it diverged was.
    """
    cells = _without_failed_rates(cells)
    tuning = [cell for cell in cells if cell.phase == "tune"]
    methods = {cell.method for cell in tuning}
    searched = _by_method(tuning).items()
    # A confirming run may use a rate between those tried, which is not one more try.
    tried = [c for c in cells if c.learning_rate and (c.phase == "tune" or c.method not in methods)]
    return [
        _rates_tried(tried),
        *_unequal("tuning seeds", {name: len({cell.seed for cell in own}) for name, own in searched}),
        *_unequal("width of the grid", widths({name: _rates(own) for name, own in searched})),
        *_edges(cells),
    ]


def with_edges_untuned(
    cells: Sequence[Cell], converted: Mapping[str, str] = MappingProxyType({})
) -> list[Cell]:
    """Return the cells with `tuned` False for methods whose best rate is the first or last one tried.

    ``converted``: method -> the method that it is converted from, with whose rate it was trained.
    """
    at_edge = {
        (condition, method)
        for condition in dict.fromkeys(cell.condition for cell in cells)
        for method in methods_at_edge(cells, condition)
    }
    return [
        cell.model_copy(update={"tuned": False})
        if (cell.condition, converted.get(cell.method, cell.method)) in at_edge
        else cell
        for cell in cells
    ]


def methods_at_edge(cells: Sequence[Cell], condition: Condition) -> dict[str, list[float]]:
    """Return the methods whose confirmed rate is at an edge of their grid -> the rates that were tried."""
    grids: defaultdict[str, set[float]] = defaultdict(set)
    chosen: defaultdict[str, set[float]] = defaultdict(set)
    for cell in _without_failed_rates(cells):
        if cell.condition == condition and cell.learning_rate is not None and cell.phase != "base":
            (grids if cell.phase == "tune" else chosen)[cell.method].add(cell.learning_rate)
    return {
        method: sorted(grid)
        for method, grid in sorted(grids.items())
        if len(grid) > 1 and chosen[method] & {min(grid), max(grid)}
    }


def _rates_tried(cells: Sequence[Cell]) -> Finding:
    check = "learning rates tried"
    tried = {name: len({cell.learning_rate for cell in own}) for name, own in _by_method(cells).items()}
    if len(set(tried.values())) > 1:
        return differing(check, "refused", _grouped(tried), "not the same number for all")
    text = "; ".join(f"{name}: {count}" for name, count in sorted(tried.items()))
    if set(tried.values()) == {1}:
        text = "one each, not searched: every result is untuned, and another rate may change the verdict"
        return Finding(check=check, status="flagged", text=text)
    return Finding(check=check, status="ok", text=f"the same number for all ({text})")


def _unequal(check: str, values: Mapping[str, object]) -> list[Finding]:
    """Refused if methods that searched did not search alike; nothing to report if they did."""
    if len(set(values.values())) < 2:
        return []
    return [differing(check, "refused", _grouped(values), "not the same for all")]


def widths(rates: Mapping[str, Sequence[float]]) -> dict[str, str]:
    """Return how far apart the lowest and highest learning rate of each method are, in words.

    Widths that differ by less than `ROUNDING` have the same words: rates are rounded to two digits.
    """
    sizes = {name: math.log10(max(own) / min(own)) if own else None for name, own in rates.items()}
    words = dict.fromkeys(sizes, "none")
    first: float | None = None
    for name, size in sorted(sizes.items(), key=lambda item: item[1] or 0.0):
        if size is not None:
            first = size if first is None or size - first > ROUNDING else first
            words[name] = f"{first:.1f} decades"
    return words


def _rates(cells: Sequence[Cell]) -> list[float]:
    return [cell.learning_rate for cell in cells if cell.learning_rate]


def _edges(cells: Sequence[Cell]) -> list[Finding]:
    findings = []
    for condition in dict.fromkeys(cell.condition for cell in cells):
        for method, grid in methods_at_edge(cells, condition).items():
            rates = ", ".join(f"{rate:g}" for rate in grid)
            text = f"the best of {rates} is at the edge, a better one may lie beyond: {method} is not tuned"
            findings.append(Finding(check="grid edge", status="flagged", text=text, methods=(method,)))
        for method, rate, lost in _beside_lost(cells, condition):
            text = f"{method} at {rate:g} lies beside {lost:g}, where a run diverged: other seeds may, too"
            findings.append(
                Finding(check="beside a diverged rate", status="flagged", text=text, methods=(method,))
            )
    return findings


def _beside_lost(cells: Sequence[Cell], condition: Condition) -> Iterator[tuple[str, float, float]]:
    """Yield methods, confirmed rates and the rates tried next to these at which a run diverged."""
    for method, own in sorted(_by_method([c for c in cells if c.condition == condition]).items()):
        tuning = [cell for cell in own if cell.phase == "tune"]
        lost = {cell.learning_rate for cell in tuning if cell.status == "diverged"}
        for rate in sorted({c.learning_rate for c in own if c.phase == "confirm" and c.learning_rate}):
            tried = _rates(tuning)
            above = min((other for other in tried if other > rate), default=None)
            below = max((other for other in tried if other < rate), default=None)
            for neighbour in (below, above):
                if neighbour is not None and neighbour in lost:
                    yield method, rate, neighbour


def _without_failed_rates(cells: Sequence[Cell]) -> list[Cell]:
    """Leave out the tuning cells of each rate of a method at which one of them failed."""
    failed = {
        (cell.condition, cell.method, cell.learning_rate)
        for cell in cells
        if cell.phase == "tune" and cell.status == "failed"
    }
    return [
        cell
        for cell in cells
        if cell.phase != "tune" or (cell.condition, cell.method, cell.learning_rate) not in failed
    ]


def _by_method(cells: Sequence[Cell]) -> dict[str, list[Cell]]:
    groups: defaultdict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        groups[cell.method].append(cell)
    return dict(groups)


def _grouped(values: Mapping[str, object]) -> dict[str, set[str]]:
    groups: defaultdict[str, set[str]] = defaultdict(set)
    for name, value in values.items():
        groups[str(value)].add(name)
    return dict(groups)
