"""What a model writes after each prompt, in batches that a row leaves when its text has ended."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

import torch
from transformers import GenerationConfig, StoppingCriteria
from transformers.cache_utils import Cache, DynamicLayer

from eval.inference.sampling import sample, uniforms
from toolkit.data import batches as tokens
from toolkit.errors import UserError
from toolkit.events import Advanced, Listener, ignore
from toolkit.models import load
from toolkit.records import Generation
from toolkit.specs import Decoding, EvalSpec

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

GENERATE_TOKENS = 65536  # positions of the key-value cache of a batch
GROWTH = 64  # positions by which a cache layer's room grows
LEAVE = 8  # ended rows leave once they are one in so many: leaving copies the cache


def generate(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[str],
    mode: str,
    decoding: Decoding,
    spec: EvalSpec,
    progress: Listener = ignore,
) -> list[Generation]:
    """One continuation of each prompt, in the prompts' order.

    It ends at end-of-text or at the limit and never at the end marker: a model that has not learned to stop
    shall not be stopped by the judge.
    """
    if not prompts:
        return []
    start, stop = tokens.prefix_token(tokenizer), tokenizer.eos_token_id
    rows = [[start, *ids] for ids in tokenizer(list(prompts), add_special_tokens=False)["input_ids"]]
    room = load.context(model) or math.inf
    limit = int(min(spec.max_new_tokens, room - max(map(len, rows))))
    if limit < 1:
        raise UserError(
            f"a prompt of {max(map(len, rows))} tokens fills the model's context of {room} tokens"
        )
    result: dict[int, Generation] = {}
    lengths = [decoding.num_beams * (len(row) + limit) for row in rows]
    batches = tokens.sorted_batches(lengths, GENERATE_TOKENS)
    if _learns_a_prompt(model):  # peft drops the position ids that padding would need
        batches = [list(same) for batch in batches for _, same in groupby(batch, lambda i: lengths[i])]
    for number, batch in enumerate(batches):

        def on_step(step: int, number: int = number) -> None:
            progress(Advanced(work="generating", done=number * limit + step, total=len(batches) * limit))

        numbers = uniforms([f"{mode}/{decoding.name}/{prompts[i]}" for i in batch], limit, spec.seed)
        written = _continue(model, [rows[i] for i in batch], limit, stop, decoding, numbers, on_step)
        for index, ids in zip(batch, written, strict=True):
            body = ids[: ids.index(stop)] if stop in ids else ids
            result[index] = Generation(
                prompt_mode=mode,
                decoding=decoding.name,
                prompt=prompts[index],
                text=tokenizer.decode(body, skip_special_tokens=True, clean_up_tokenization_spaces=False),
                tokens=len(body),
                ended="end_of_text" if stop in ids else "limit",
            )
    return [result[index] for index in range(len(prompts))]


@torch.no_grad()
def _continue(
    model: PreTrainedModel,
    rows: Sequence[Sequence[int]],
    limit: int,
    stop: int,
    decoding: Decoding,
    numbers: torch.Tensor,
    on_step: Callable[[int], None],
) -> list[list[int]]:
    """What is written after each row, at most ``limit`` tokens, with the end-of-text where there is one."""
    where = next(model.parameters()).device
    longest = max(map(len, rows))
    ids = torch.tensor([[stop] * (longest - len(row)) + list(row) for row in rows], device=where)
    mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows], device=where)
    config = GenerationConfig(
        max_new_tokens=limit,
        do_sample=False,  # what is drawn is drawn by `sample`
        num_beams=decoding.num_beams,
        eos_token_id=stop,
        pad_token_id=stop,
        use_cache=True,
    )
    if decoding.num_beams > 1:
        watch: Any = [_Watch(on_step)]
        whole = model.generate(ids, attention_mask=mask, generation_config=config, stopping_criteria=watch)
        return whole[:, longest:].tolist()
    numbers = numbers.to(where)

    def loop(model: PreTrainedModel, input_ids: torch.Tensor, **given: Any) -> list[list[int]]:
        return _loop(model, input_ids, limit, stop, decoding, numbers, on_step, given)

    # `generate` prepares what the architecture (or the adapter) needs, and hands over to the loop.
    return model.generate(input_ids=ids, attention_mask=mask, generation_config=config, custom_generate=loop)


class _Watch(StoppingCriteria):
    """Tells each step of transformers' own loop, and stops nothing."""

    def __init__(self, on_step: Callable[[int], None]) -> None:
        self.on_step, self.step = on_step, 0

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor, **kwargs: Any) -> torch.Tensor:
        self.on_step(self.step)
        self.step += 1
        return torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)


def _loop(
    model: PreTrainedModel,
    ids: torch.Tensor,
    limit: int,
    stop: int,
    decoding: Decoding,
    numbers: torch.Tensor,
    on_step: Callable[[int], None],
    given: dict[str, Any],
) -> list[list[int]]:
    state = {key: value for key, value in given.items() if key not in _NOT_THE_MODELS}
    _give_room(state.get("past_key_values"))
    written = torch.full((len(ids), limit), stop, device=ids.device)
    here = torch.arange(len(ids), device=ids.device)  # the rows that are still in the batch
    ended = torch.zeros(len(ids), dtype=torch.bool, device=ids.device)
    for step in range(limit):
        on_step(step)
        following = {} if step == 0 else {"next_sequence_length": 1}
        inputs = model.prepare_inputs_for_generation(ids, is_first_iteration=step == 0, **following, **state)
        output = model(**inputs, return_dict=True)
        state = model._update_model_kwargs_for_generation(output, state)
        logits = output.logits[:, -1]
        if decoding.temperature == 0:
            chosen = logits.argmax(dim=1)
        else:
            chosen = sample(logits, numbers[here, step], decoding)
        del output, logits
        written[here, step] = torch.where(ended, stop, chosen)
        ids = torch.cat([ids, chosen[:, None]], dim=1)
        ended = ended | (chosen == stop)
        count = int(ended.sum())
        if count == len(ids):
            break
        if LEAVE * count >= len(ids):
            kept = (~ended).nonzero()[:, 0]
            state = _select(state, kept, len(ids))
            here, ids, ended = here[kept], ids[kept], ended[kept]
    return [_through(row, stop) for row in written.tolist()]


_NOT_THE_MODELS = ("logits_processor", "stopping_criteria", "generation_config", "synced_gpus")


def _select(state: dict[str, Any], kept: torch.Tensor, rows: int) -> dict[str, Any]:
    """The state of a generation with these rows alone."""
    chosen = {}
    for key, value in state.items():
        if isinstance(value, torch.Tensor) and value.dim() and len(value) == rows:
            value = value[kept]
        elif isinstance(value, Cache):
            for layer in value.layers:
                # A recurrent layer (Mamba) only knows how to choose its rows by their new order.
                recurrent = hasattr(layer, "recurrent_states")
                (layer.reorder_cache if recurrent else layer.batch_select_indices)(kept)
        chosen[key] = value
    return chosen


def _learns_a_prompt(model: PreTrainedModel) -> bool:
    return getattr(getattr(model, "active_peft_config", None), "is_prompt_learning", False)


def _through(row: list[int], stop: int) -> list[int]:
    return row[: row.index(stop) + 1] if stop in row else row


class _Roomy(DynamicLayer):
    """A cache layer that keeps room for what comes, where transformers' copies all of it at every token."""

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append the new keys and values [rows, heads, new, width]; all of them, as views."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        self.keys = _append(self.keys, key_states)
        self.values = _append(self.values, value_states)
        return self.keys, self.values


def _append(past: torch.Tensor, new: torch.Tensor) -> torch.Tensor:
    """``past`` with ``new`` behind it along the third dimension, in place while there is room behind."""
    length = past.shape[2] if past.numel() else 0
    total = length + new.shape[2]
    base = past._base
    if base is None or base.shape[:2] != new.shape[:2] or base.shape[2] < total:
        shape = (*new.shape[:2], total + GROWTH, new.shape[3])
        base = torch.empty(shape, dtype=new.dtype, device=new.device)
        if length:
            base[:, :, :length] = past
    base[:, :, length:total] = new
    return base[:, :, :total]


def _give_room(cache: Cache | None) -> None:
    if cache is None:
        return
    if getattr(cache, "layer_class_to_replicate", None) is DynamicLayer:
        cache.layer_class_to_replicate = _Roomy
    cache.layers = [
        _Roomy() if type(layer) is DynamicLayer and not layer.is_initialized else layer
        for layer in getattr(cache, "layers", [])
    ]
