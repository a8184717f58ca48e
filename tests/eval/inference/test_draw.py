"""Drawing from a few hundred candidates is drawing from the whole distribution."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from eval.inference import sampling
from toolkit.specs import Decoding


def distribution(logits: torch.Tensor, decoding: Decoding) -> torch.Tensor:
    """The distribution as its definition has it: over all tokens, sorted, cut and renormalised."""
    shares = torch.softmax(logits.double() / decoding.temperature, dim=-1)
    order = shares.argsort(descending=True)
    ranked = shares[order]
    if decoding.top_k:
        ranked[decoding.top_k :] = 0
        ranked = ranked / ranked.sum()
    before = ranked.cumsum(0) - ranked
    ranked[before >= decoding.top_p] = 0
    result = torch.zeros_like(shares)
    result[order] = ranked / ranked.sum()
    return result


@pytest.mark.parametrize(
    "decoding",
    [
        Decoding(temperature=0.8, top_p=0.9),
        Decoding(temperature=1.5, top_p=1.0),
        Decoding(temperature=1.0, top_p=0.95, top_k=20),
        Decoding(temperature=5.0, top_p=0.9),
    ],
    ids=["assignment", "whole", "top-k", "flat"],
)
def test_what_is_drawn_has_the_distribution_asked_for(decoding):
    """20,000 evenly spread numbers draw each token as often as its share says, to one number's worth.

    At temperature 5 the nucleus of 1,000 tokens holds more than 256, so the search for it has to widen.
    """
    logits = torch.randn(1000, generator=torch.Generator().manual_seed(0)) * 3
    count = 20_000
    numbers = (torch.arange(count, dtype=torch.float64) + 0.5) / count
    drawn = sampling.sample(logits[None].expand(count, -1), numbers, decoding)
    found = torch.bincount(drawn, minlength=1000) / count
    expected = distribution(logits, decoding)
    assert (found - expected).abs().max() <= 1.5 / count
    assert (found > 0).sum() > 1


def test_a_documents_numbers_do_not_depend_on_its_batch():
    """The row of a key is the same alone, in company, and in another order; another seed gives another."""
    alone = sampling.uniforms(["b"], 5, seed=0)
    together = sampling.uniforms(["a", "b", "c"], 5, seed=0)
    assert torch.equal(alone[0], together[1])
    assert not torch.equal(alone, sampling.uniforms(["b"], 5, seed=1))
    assert not torch.equal(together[0], together[1])


def test_numbers_are_uniform():
    """Mean 1/2 and variance 1/12 over 40,000 of them, within five standard errors."""
    numbers = sampling.uniforms([str(i) for i in range(40)], 1000, seed=0).numpy()
    assert abs(numbers.mean() - 0.5) < 5 * np.sqrt(1 / 12 / 40_000)
    assert abs(numbers.var() - 1 / 12) < 5 * np.sqrt(1 / 180 / 40_000)
    assert numbers.min() >= 0
    assert numbers.max() < 1


def test_many_rows_draw_as_one_does():
    """40 rows, looked at 16 at a time, draw what each draws alone."""
    logits = torch.randn(40, 1000, generator=torch.Generator().manual_seed(0)) * 3
    numbers = torch.rand(40, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    together = sampling.sample(logits, numbers, Decoding())
    alone = [sampling.sample(logits[i : i + 1], numbers[i : i + 1], Decoding()).item() for i in range(40)]
    assert together.tolist() == alone
    assert len(set(alone)) > 20
