"""Write with all arms at once: one token of each in turn, so that their texts grow side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch

from eval.inference.sampling import sample, uniforms
from experiments.playground.live.arms import Arm, Arms
from toolkit.data import batches
from toolkit.data.conversations.template import ChatTemplate
from toolkit.models import probe
from toolkit.specs import Decoding


@dataclass(frozen=True)
class Piece:
    """What an arm wrote since its last piece."""

    arm: str
    text: str
    """All of it so far: a token may change how the one before is decoded."""
    tokens: int
    ended: Literal["end_of_text", "limit"] | None
    """None while it goes on."""


@dataclass
class _State:
    arm: Arm
    cache: Any = None
    ids: list[int] = field(default_factory=list)
    ended: Literal["end_of_text", "limit"] | None = None


@torch.inference_mode()  # type: ignore[untyped-decorator]  # torch is not typed here
def write(
    arms: Arms,
    chosen: Sequence[str],
    prompt: str,
    decoding: Decoding,
    limit: int,
    seed: int,
    template: ChatTemplate | None = None,
) -> Iterator[Piece]:
    """Yield pieces of every chosen arm in turn until all have ended. The same seed writes the same texts.

    An arm ends at end-of-text, at ``limit`` new tokens, or where the model's context is full. With
    ``template`` the prompt is a user's message that it renders, and an arm ends at the end of its turn too.
    """
    tokenizer = arms.tokenizer
    stops = (int(tokenizer.eos_token_id),) if template is None else template.stops
    rendered = prompt if template is None else template.question(prompt)
    start = [] if template else [batches.prefix_token(tokenizer)]
    start += tokenizer(rendered, add_special_tokens=False)["input_ids"]
    states = [_State(arm) for arm in arms.arms if arm.name in chosen]
    room = min((probe.context(state.arm.model) or limit + len(start) for state in states), default=0)
    limit = min(limit, room - len(start))
    numbers = uniforms([f"playground/{prompt}"], max(limit, 1), seed)
    while going := [state for state in states if state.ended is None]:
        for state in going:
            step = len(state.ids)
            token = _next(state, start, numbers[:, step], decoding) if step < limit else None
            if token in stops:
                state.ended = "end_of_text"
            else:
                state.ended = "limit" if step + 1 >= limit else None
                state.ids += [] if token is None else [token]
            text = tokenizer.decode(state.ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
            if state.ended is None:
                text = text.rstrip("\N{REPLACEMENT CHARACTER}")  # half of a character: the rest follows
            yield Piece(state.arm.name, text, len(state.ids), state.ended)


def _next(state: _State, start: list[int], number: torch.Tensor, decoding: Decoding) -> int:
    model = state.arm.model
    # peft puts a learned prompt before whatever it is given: such a model reads all of the text each time
    whole = getattr(getattr(model, "active_peft_config", None), "is_prompt_learning", False)
    given = [*start, *state.ids] if whole or state.cache is None else state.ids[-1:]
    ids = torch.tensor([given], device=next(model.parameters()).device)
    with state.arm.active():
        output = model(
            input_ids=ids, **({} if whole else {"past_key_values": state.cache, "use_cache": True})
        )
    # a model with a state of its own kind, as Mamba, reads all of the text each time too
    state.cache = None if whole else getattr(output, "past_key_values", None)
    logits = output.logits[:, -1]
    if decoding.temperature == 0:
        return int(logits.argmax(dim=1))
    return int(sample(logits, number.to(logits.device), decoding))
