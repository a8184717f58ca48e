"""bf16 against fp32 on the base and on what five steps of training leave."""

from __future__ import annotations

import pytest

from experiments.bench.inference.rounding import differences, rounding
from experiments.bench.sides import held_out
from experiments.bench.synthetic.shapes import base_folder


def test_differences_are_relative_and_keep_their_sign():
    """9 and 12 against 10 and 10: 21 / 20 - 1 = .05 of the sum, and .2 the largest; 8 against 10 is -.2."""
    assert differences([9, 12], [10, 10]) == pytest.approx({"whole": 0.05, "largest": 0.2})
    assert differences([8, 10], [10, 10]) == pytest.approx({"whole": -0.1, "largest": -0.2})


@pytest.mark.slow
def test_the_base_and_two_artifacts_are_scored_in_both_precisions():
    """A tiny random base: none of its own steps, as many for one method as for the other, bf16 within 5 %."""
    with base_folder("tiny-shape") as folder:
        found = rounding(folder, held_out(2))
    assert list(found) == ["base", "full", "lora-r16"]
    assert found["base"]["steps"] == 0
    assert found["full"]["steps"] == found["lora-r16"]["steps"] > 0
    assert all(0 < abs(one["largest"]) < 0.05 for one in found.values())
