"""Searches replayed on the finished grids of kept studies."""

from __future__ import annotations

import math
from collections import defaultdict

from experiments.design.learning_rates import confirming_rate, downhill
from experiments.publishing.kept import kept, read


def grids() -> list[tuple[str, dict[float, float]]]:
    """Study and method, with rate -> mean validation bits per byte; infinite where a run diverged.

    Of four rates or more: with three there is nothing to leave out.
    """
    found = {}
    for study in kept():
        concluded, runs = read(study)[:2]
        losses = defaultdict(lambda: defaultdict(list))
        for cell in concluded.cells:
            if cell.phase == "tune":
                loss = runs[cell.run_id].validation_bits_per_byte
                finished = runs[cell.run_id].status == "finished" and loss is not None
                losses[cell.condition, cell.method][cell.learning_rate].append(loss if finished else math.inf)
        for (_, method), tried in losses.items():
            means = {rate: sum(values) / len(values) for rate, values in sorted(tried.items())}
            found[str(means)] = (f"{study} {method}", means)  # studies share runs: a grid counts once
    return [(name, means) for name, means in found.values() if len(means) > 3]


def test_a_bracketing_search_chooses_what_the_whole_grid_chose():
    """In fewer runs: the same rate to confirm, from the same parabola."""
    found = grids()
    assert len(found) >= 4
    for name, losses in found:
        tried: dict[float, float] = {}
        while rates := downhill(list(losses), tried):
            tried |= {rate: losses[rate] for rate in rates}
        assert len(tried) < len(losses), name
        assert confirming_rate(tried, "interpolated") == confirming_rate(losses, "interpolated"), name
