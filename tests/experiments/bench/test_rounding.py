"""bf16 against fp32 on the base and on what five steps of training leave."""

from __future__ import annotations

import pytest

from experiments.bench.inference.rounding import differences, rounding
from experiments.bench.sides import BASE, held_out
from experiments.bench.synthetic.shapes import base_folder


def test_differences_are_relative_and_keep_their_sign():
    """9 and 12 against 10 and 10: 21 / 20 - 1 = .05 of the sum, and .2 the largest; 8 against 10 is -.2."""
    assert differences([9, 12], [10, 10]) == pytest.approx({"whole": 0.05, "largest": 0.2})
    assert differences([8, 10], [10, 10]) == pytest.approx({"whole": -0.1, "largest": -0.2})


@pytest.mark.slow
def test_bf16_rounds_what_was_trained_more_than_the_base():
    """Two recipes: the base is off by 1e-4, LoRA and full fine-tuning after five steps by .3 and .7 %."""
    with base_folder(BASE) as folder:
        found = rounding(folder, held_out(2))
    assert [one["steps"] for one in found.values()] == [0, 5, 5]
    assert abs(found["base"]["whole"]) < 0.001 < min(found["full"]["whole"], found["lora-r16"]["whole"])
    assert found["full"]["whole"] < 0.02
