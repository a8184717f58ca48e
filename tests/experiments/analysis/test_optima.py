"""Best learning rates by tuning seed, and their ratio to those of the baseline."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from experiments.analysis.optima import optima
from toolkit.records import Cell, Condition

CONDITION = Condition("base", "recipes", 180, 1.0)
STUDY = SimpleNamespace(baseline="full")


def searched(best: dict[str, dict[int, float]]):
    """Cells and runs of three rates a method and seed, a factor of 4 apart; the one in the middle is best."""
    cells, runs = [], {}
    for method, seeds in best.items():
        for seed, middle in seeds.items():
            for step, bits in ((-1, 0.9), (0, 0.8), (1, 0.9)):
                run_id = f"{method}.{seed}.{step}"
                runs[run_id] = SimpleNamespace(status="finished", validation_bits_per_byte=bits)
                cells.append(
                    Cell(
                        **CONDITION._asdict(), method=method, learning_rate=middle * 4.0**step, seed=seed,
                        tuned=True, phase="tune", run_id=run_id, eval_digest=None, status="finished",
                    )
                )  # fmt: skip
    return cells, runs


def test_ratios_are_paired_by_seed():
    """Full is best at 1e-4 and 4e-4, LoRA at ten times each: a ratio of 10, without spread."""
    cells, runs = searched({"full": {1000: 1e-4, 1001: 4e-4}, "lora": {1001: 4e-3, 1000: 1e-3}})
    full, lora = optima(STUDY, cells, runs)
    assert (full.method, full.ratio, full.ratio_seeds) == ("full", None, None)
    assert full.learning_rate == pytest.approx(2e-4)
    assert (lora.ratio, lora.ratio_seeds, lora.outside) == (pytest.approx(10), 2, 0)
    assert (lora.ratio_low, lora.ratio_high) == (pytest.approx(10), pytest.approx(10))


@pytest.mark.parametrize("method", ["full", "lora"])
def test_a_seed_whose_best_rate_is_at_the_edge_takes_the_interval(method):
    """Its optimum lies outside, on whichever side of the ratio: counted, and there is no interval."""
    cells, runs = searched({"full": {1: 1e-4, 2: 1e-4, 3: 1e-4}, "lora": {1: 1e-3, 2: 1e-3, 3: 1e-3}})
    runs[f"{method}.3.1"].validation_bits_per_byte = 0.7
    full, lora = optima(STUDY, cells, runs)
    assert ({"full": full, "lora": lora}[method].outside, lora.ratio_seeds) == (1, 2)
    assert lora.ratio == pytest.approx(10)
    assert lora.ratio_low is lora.ratio_high is None
    assert (lora.low is None) == (method == "lora")


def test_a_rate_that_diverged_is_worse_than_any_other():
    """A diverged run keeps the bits per byte of its last validation, here the lowest of all: not the best."""
    cells, runs = searched({"full": {1: 1e-4}})
    cells.append(cells[-1].model_copy(update={"learning_rate": 16e-4, "run_id": "above"}))
    for status, outside in (("diverged", 0), ("finished", 1)):
        runs["above"] = SimpleNamespace(status=status, validation_bits_per_byte=0.1)
        (full,) = optima(STUDY, cells, runs)
        assert full.outside == outside
