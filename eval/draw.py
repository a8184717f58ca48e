"""Draws the next token exactly, from a few hundred candidates instead of the whole vocabulary.

Sorting and drawing from 49,152 columns costs more than a small model's step. The nucleus nearly always lies
within the few hundred likeliest tokens; where it does not, more are looked at, up to all. Each document has
uniform numbers of its own, so what is drawn for it does not depend on which documents share its batch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import numpy as np
import torch
from transformers import LogitsProcessor

from toolkit.specs import Decoding

CANDIDATES = 256


def uniforms(keys: Sequence[str], count: int, seed: int) -> torch.Tensor:
    """Uniform numbers in [0, 1), [keys, count], float64: a row depends on its key and the seed alone."""
    rows = []
    for key in keys:
        digest = hashlib.sha256(f"{seed}/{key}".encode()).digest()
        rows.append(np.random.Generator(np.random.Philox(int.from_bytes(digest[:16], "big"))).random(count))
    return torch.from_numpy(np.stack(rows))


class Draw(LogitsProcessor):
    """Leaves each row one finite score, the drawn token's, so that greedy search takes it."""

    def __init__(
        self, decoding: Decoding, numbers: torch.Tensor, on_step: Callable[[int], None] = lambda _: None
    ) -> None:
        self._decoding, self._numbers, self._on_step = decoding, numbers, on_step
        self._step = 0

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """`scores` [rows, vocabulary] -> the same shape with one finite entry a row."""
        self._on_step(self._step)
        if self._decoding.temperature == 0:
            self._step += 1
            return scores
        chosen = sample(scores, self._numbers[:, self._step].to(scores.device), self._decoding)
        self._step += 1
        return torch.full_like(scores, -torch.inf).scatter_(1, chosen[:, None], 0.0)


def sample(logits: torch.Tensor, numbers: torch.Tensor, decoding: Decoding) -> torch.Tensor:
    """One token a row by inverting the distribution function at ``numbers`` [rows]: int64 [rows].

    The distribution is softmax(logits / temperature), cut to the `top_k` likeliest, then to the smallest set
    whose share of what is left reaches `top_p` (Holtzman et al. 2020), and renormalised.
    """
    scaled = logits.float() / decoding.temperature
    vocabulary = scaled.shape[1]
    size = min(decoding.top_k or (CANDIDATES if decoding.top_p < 1 else vocabulary), vocabulary)
    normaliser = torch.logsumexp(scaled, dim=1, keepdim=True)
    while True:
        if size == vocabulary:
            values, tokens = scaled.sort(dim=1, descending=True)
        else:
            values, tokens = scaled.topk(size, dim=1)
        shares = (values - normaliser).exp().double()
        cumulated = shares.cumsum(dim=1)
        if decoding.top_k:
            cumulated = cumulated / cumulated[:, -1:]
            shares = shares / shares.sum(dim=1, keepdim=True)
        if decoding.top_k or size == vocabulary or bool((cumulated[:, -1] >= decoding.top_p).all()):
            break
        size = min(8 * size, vocabulary)
    # A token belongs to the nucleus while what stands before it has not reached top_p.
    inside = (cumulated - shares) < decoding.top_p
    mass = (shares * inside).sum(dim=1, keepdim=True)
    position = torch.searchsorted(cumulated, (numbers.double()[:, None] * mass), right=True)
    last = inside.sum(dim=1, keepdim=True) - 1
    return tokens.gather(1, position.minimum(last))[:, 0]
