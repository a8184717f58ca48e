"""Draws the next token exactly, from a few hundred candidates instead of the whole vocabulary.

Sorting and drawing from 49,152 columns costs more than a small model's step. The nucleus nearly always lies
within the few hundred likeliest tokens; where it does not, more are looked at, up to all. Each document has
uniform numbers of its own, so what is drawn for it does not depend on which documents share its batch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import torch
from transformers import GenerationConfig

from toolkit.specs import Decoding

if TYPE_CHECKING:
    from transformers import PreTrainedModel

CANDIDATES = 256
ROWS = 16  # rows looked at together on a CPU: what a few rows take stays in its cache


def uniforms(keys: Sequence[str], count: int, seed: int) -> torch.Tensor:
    """Uniform numbers in [0, 1), [keys, count], float64: a row depends on its key and the seed alone."""
    rows = []
    for key in keys:
        digest = hashlib.sha256(f"{seed}/{key}".encode()).digest()
        rows.append(np.random.Generator(np.random.Philox(int.from_bytes(digest[:16], "big"))).random(count))
    return torch.from_numpy(np.stack(rows))


def sample(logits: torch.Tensor, numbers: torch.Tensor, decoding: Decoding) -> torch.Tensor:
    """One token a row by inverting the distribution function at ``numbers`` [rows]: int64 [rows].

    The distribution is softmax(logits / temperature), cut to the `top_k` likeliest, then to the smallest set
    whose share of what is left reaches `top_p` (Holtzman et al. 2020), and renormalised.
    """
    rows = ROWS if logits.device.type == "cpu" else max(1, len(logits))
    parts = zip(logits.split(rows), numbers.split(rows), strict=True)
    return torch.cat([_sample(*part, decoding) for part in parts])


def _sample(logits: torch.Tensor, numbers: torch.Tensor, decoding: Decoding) -> torch.Tensor:
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


@contextmanager
def without_own_settings(model: PreTrainedModel) -> Iterator[None]:
    """Leave out what a base's `generation_config.json` sets, such as a penalty on repetitions."""
    owners = [part for part in model.modules() if "generation_config" in vars(part)]
    kept = [part.generation_config for part in owners]
    for part in owners:
        part.generation_config = GenerationConfig()
    try:
        yield
    finally:
        for part, config in zip(owners, kept, strict=True):
            part.generation_config = config
