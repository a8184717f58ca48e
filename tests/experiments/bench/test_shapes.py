"""Shapes are the published ones: their parameters, counted without any memory for them."""

from __future__ import annotations

import pytest

from experiments.bench.synthetic.shapes import SHAPES

MILLIONS = {
    "distilgpt2-shape": 81.9,  # 50,257 x 768 and 1,024 x 768 embeddings, six layers of 7.09 million
    "gemma3-270m-shape": 268.1,
    "qwen2.5-0.5b-shape": 494.0,
    "tiny-shape": 0.1,
    "small-shape": 0.3,
}


@pytest.mark.parametrize("name", SHAPES)
def test_a_shape_has_the_published_number_of_parameters(name):
    """In millions, as the models' cards have them."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    kind, fields = SHAPES[name]
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **fields))
    assert round(model.num_parameters() / 1e6, 1) == MILLIONS[name]
