"""Causal attention in blocks of queries, for training in bf16 on a CPU.

PyTorch's fused kernel computes in blocks as well, but for the lengths of a recipe it takes two to four times
as long on a CPU as plain matrix products, which run on the same bf16 units as the linear layers. Keys after a
block's last query are never multiplied. As in transformers' eager attention, scores are rounded to bf16, the
softmax is computed in fp32 and its probabilities are rounded to bf16. They are kept for the backward pass: at
most `2 x heads x length^2` bytes a row and layer, half of that for long rows.

Used by runs with `train.attention: blocks`. Everything else (validation in fp32, a GPU, dropout, a cache,
soft-capping, masks that are not causal) goes to PyTorch's attention.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from toolkit import runtime

NAME = "causal_blocks"
BLOCK = 128
"""Queries at once."""
CACHED_ELEMENTS = 1 << 19
"""Scores at once: 2 MiB in fp32, about what a core's cache holds."""


def use_in(model: Any, precision: str) -> bool:
    """Let a model that uses PyTorch's attention train with blocks; return whether it does.

    Only in bf16 on a CPU. Models without a choice of attention (RWKV, Mamba, remote code) keep theirs.
    """
    if precision != "bf16" or runtime.device().type != "cpu":
        return False
    base = model.get_base_model() if hasattr(model, "peft_config") else model
    if getattr(base.config, "_attn_implementation", None) != "sdpa":
        return False
    AttentionInterface.register(NAME, attention)
    AttentionMaskInterface.register(NAME, sdpa_mask)
    base.set_attn_implementation(NAME)
    return bool(base.config._attn_implementation == NAME)


def attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **rest: Any,
) -> tuple[torch.Tensor, None]:
    """Attend, as one of transformers' attention functions.

    Query, key and value are ``[rows, heads, length, width]``; the result is ``[rows, length, heads, width]``.
    """
    dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else query.dtype
    usual = (
        torch.is_grad_enabled()
        and dtype == torch.bfloat16
        and not dropout
        and query.shape[2] == key.shape[2]
        and query.shape[3] == value.shape[3]
        and getattr(module, "is_causal", False)
        and all(option is None or option is True for name, option in rest.items() if name in _UNUSUAL)
    )
    compiling = torch.compiler.is_compiling()
    if not usual or not (compiling or _is_causal(attention_mask)):
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **rest
        )
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    attend = _at_once if compiling else CausalAttention.apply
    out = attend(query.to(dtype), key.to(dtype), value.to(dtype), attention_mask, scale)
    return out.transpose(1, 2).contiguous(), None


_UNUSUAL = ("softcap", "s_aux", "position_bias", "is_causal", "cache", "output_attentions")
"""Options that `CausalAttention` does not have; `is_causal` is allowed if True."""


def _is_causal(mask: torch.Tensor | None) -> bool:
    """Return whether a mask (True where a query sees a key) hides all later keys; None means that it does."""
    if mask is None:
        return True
    return mask.dtype == torch.bool and mask.shape[1] == 1 and not bool(mask.triu(1).any())


def _at_once(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None, scale: float
) -> torch.Tensor:
    """Return what `CausalAttention` does, in few operations: a compiler divides them into loops itself."""
    of_group, shape = _grouped(query, key)
    scores = torch.matmul(of_group, key.transpose(2, 3)).float() * scale
    scores = scores.view(*shape[:3], -1)
    every = slice(0, shape[2])
    scores = scores.masked_fill(_hidden(mask, slice(0, shape[0]), every, every, scores), _LOWEST)
    probabilities = torch.softmax(scores, dim=-1).to(query.dtype)
    grouped = probabilities.view(shape[0], key.shape[1], -1, shape[2])
    return torch.matmul(grouped, value).view(shape)


class CausalAttention(torch.autograd.Function):
    """``softmax(scale x query x key^T) x value`` over keys up to the query's place; grouped heads share keys.

    Query is ``[rows, heads, length, width]``, key and value ``[rows, groups, length, width]``, the mask
    ``[rows, 1, length, length]`` (True where a query sees a key) or None.
    """

    @staticmethod
    def forward(
        ctx: Any,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        mask: torch.Tensor | None,
        scale: float,
    ) -> torch.Tensor:
        """Return the attended values, ``[rows, heads, length, width]``."""
        out = torch.empty_like(query)
        saved = []
        for rows, places, keys in _blocks(query):
            of_block, shape = _grouped(query[rows, :, places], key)
            scores = torch.matmul(of_block, key[rows, :, keys].transpose(2, 3)).to(_exact(key)).mul_(scale)
            scores.view(*shape[:3], -1).masked_fill_(_hidden(mask, rows, places, keys, scores), _LOWEST)
            probabilities = torch.softmax(scores, dim=-1).to(query.dtype)
            out[rows, :, places] = torch.matmul(probabilities, value[rows, :, keys]).view(shape)
            saved.append(probabilities)
        ctx.save_for_backward(query, key, value, *saved)
        ctx.scale = scale
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Return the gradients of query, key and value."""
        (gradient,) = gradients
        query, key, value, *saved = ctx.saved_tensors
        of_query = torch.empty_like(query)
        of_key = torch.zeros_like(key, dtype=_exact(key))
        of_value = torch.zeros_like(of_key)
        for (rows, places, keys), probabilities in zip(_blocks(query), saved, strict=True):
            of_out, shape = _grouped(gradient[rows, :, places], key)
            of_value[rows, :, keys] += torch.matmul(probabilities.transpose(2, 3), of_out)
            exact = probabilities.to(of_key.dtype, copy=True)
            of_scores = (
                torch.matmul(of_out, value[rows, :, keys].transpose(2, 3)).to(of_key.dtype).mul_(exact)
            )
            of_scores -= exact.mul_(of_scores.sum(dim=-1, keepdim=True))
            rounded = of_scores.mul_(ctx.scale).to(query.dtype)
            of_query[rows, :, places] = torch.matmul(rounded, key[rows, :, keys]).view(shape)
            of_block, _ = _grouped(query[rows, :, places], key)
            of_key[rows, :, keys] += torch.matmul(rounded.transpose(2, 3), of_block)
        return of_query, of_key.to(key.dtype), of_value.to(value.dtype), None, None


_LOWEST = torch.finfo(torch.float32).min  # not minus infinity: a query that sees no key would be NaN


def _exact(values: torch.Tensor) -> torch.dtype:
    """Return the type that sums are kept in: fp32, or fp64 for fp64."""
    return torch.promote_types(values.dtype, torch.float32)


def _blocks(query: torch.Tensor) -> Iterator[tuple[slice, slice, slice]]:
    """Yield slices of rows, of queries and of the keys that any of these queries may see."""
    rows, heads, length, _ = query.shape
    for first in range(0, length, BLOCK):
        last = min(length, first + BLOCK)
        together = max(1, CACHED_ELEMENTS // (heads * (last - first) * last))
        for row in range(0, rows, together):
            yield slice(row, row + together), slice(first, last), slice(0, last)


def _grouped(block: torch.Tensor, key: torch.Tensor) -> tuple[torch.Tensor, torch.Size]:
    """Return ``[rows, groups, heads of a group x places, width]`` and the shape before."""
    rows, _, _, width = block.shape
    return block.reshape(rows, key.shape[1], -1, width), block.shape


def _hidden(
    mask: torch.Tensor | None, rows: slice, places: slice, keys: slice, scores: torch.Tensor
) -> torch.Tensor:
    """Return which keys a query does not see: ``[rows or 1, 1, places, keys]``."""
    if mask is not None:
        return ~mask[rows if len(mask) > 1 else slice(None), :, places, keys]
    place = torch.arange(places.start, places.stop, device=scores.device)
    return place[None, None, :, None] < torch.arange(keys.stop, device=scores.device)
