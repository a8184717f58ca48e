"""Try a model before its batches are trusted: the same greedy text in a padded batch and one at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from eval.inference.generation import generate
from toolkit.data import batches as tokens
from toolkit.data.conversations.template import ChatTemplate
from toolkit.specs import Decoding, EvalSpec

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

PROMPTS = 4
TOKENS = 8
TIE = 1e-2
"""Logits this close, as a share of their standard deviation, are a tie that rounding may decide."""


def batches_agree(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[str],
    template: ChatTemplate | None = None,
) -> bool:
    """Whether a padded batch of a few of the prompts is continued as each of them alone.

    Eight greedy tokens of up to four prompts, from the shortest to the longest. Two continuations that part
    at a tie agree. Some architectures (RWKV) ignore the padding and write other texts in a batch, silently.
    """
    by_length = sorted(dict.fromkeys(prompts), key=len)
    count = min(PROMPTS, len(by_length))
    if count < 2:
        return True
    chosen = [by_length[i * (len(by_length) - 1) // (count - 1)] for i in range(count)]
    greedy, spec = Decoding(name="trial", temperature=0), EvalSpec(max_new_tokens=TOKENS)
    together = generate(model, tokenizer, chosen, "trial", greedy, spec, template=template)
    alone = generate(model, tokenizer, chosen, "trial", greedy, spec, batched=False, template=template)
    return all(
        one.text == other.text or _parts_at_a_tie(model, tokenizer, prompt, one.text, other.text, template)
        for prompt, one, other in zip(chosen, together, alone, strict=True)
    )


@torch.no_grad()  # type: ignore[untyped-decorator]
def _parts_at_a_tie(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompt: str,
    one: str,
    other: str,
    template: ChatTemplate | None,
) -> bool:
    """Whether the first token in which two continuations differ is as likely in one as in the other."""
    ids, first, second = (
        tokenizer(text, add_special_tokens=False)["input_ids"] for text in (prompt, one, other)
    )
    end = tokenizer.eos_token_id if template is None else template.stops[0]
    first, second = [*first, end], [*second, end]
    shared = next((i for i, pair in enumerate(zip(first, second, strict=False)) if len(set(pair)) > 1), None)
    if shared is None:
        return False
    start = [tokens.prefix_token(tokenizer)] if template is None else []
    row = [*start, *ids, *first[:shared]]
    logits = (
        model(input_ids=torch.tensor([row], device=next(model.parameters()).device)).logits[0, -1].float()
    )
    gap = (logits[first[shared]] - logits[second[shared]]).abs()
    return bool(gap <= TIE * logits.std())
