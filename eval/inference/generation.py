"""What a model writes after each prompt, in batches that a row leaves when its text has ended."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

import torch
from transformers import GenerationConfig, LogitsProcessor, StoppingCriteria

from eval.inference import kv_cache
from eval.inference.sampling import sample, uniforms, without_own_settings
from toolkit.data import batches as tokens
from toolkit.data.conversations.template import ChatTemplate
from toolkit.errors import UserError, in_halves
from toolkit.events import Advanced, Listener, ignore
from toolkit.models import probe
from toolkit.records import Generation
from toolkit.specs import Decoding, EvalSpec

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

GENERATE_TOKENS = 65536  # positions of the key-value cache of a batch
LEAVE = 8  # ended rows leave once they are one in so many: leaving copies the cache
OnStep = Callable[[int], None]


def generate(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[str],
    mode: str,
    decoding: Decoding,
    spec: EvalSpec,
    progress: Listener = ignore,
    *,
    documents: Sequence[str] | None = None,
    batched: bool = True,
    template: ChatTemplate | None = None,
) -> list[Generation]:
    """Return one continuation of each prompt, in the prompts' order.

    It ends at end-of-text, at the limit or where the model's context ends, and never at the end marker:
    stopping there would hide that a model never learned to stop. Only ``decoding`` decides how a token is
    chosen, not the base's ``generation_config.json``. Random numbers belong to a prompt and, if ``documents``
    gives their ids, to its document: equal prompts of two documents then get different draws.
    ``batched=False`` generates one text at a time, for bases whose batches are wrong. With ``template`` the
    prompts are what it rendered, and a text ends at the end of the turn too. A prompt that fills the model's
    context has an empty text, with a warning. Raises UserError if all do.
    """
    if not prompts:
        return []
    stops = (int(tokenizer.eos_token_id),) if template is None else template.stops
    start = [tokens.prefix_token(tokenizer)] if template is None else []
    rows = [[*start, *ids] for ids in tokenizer(list(prompts), add_special_tokens=False)["input_ids"]]
    limits = _limits(model, rows, spec)
    keys = [f"{mode}/{decoding.name}/{prompt}" for prompt in prompts]
    if documents is not None:
        keys = [f"{key}/{document}" for key, document in zip(keys, documents, strict=True)]

    def text(index: int, ids: Sequence[int]) -> Generation:
        ended = bool(ids) and ids[-1] in stops
        body = ids[:-1] if ended else ids
        return Generation(
            prompt_mode=mode,
            decoding=decoding.name,
            prompt=prompts[index],
            text=tokenizer.decode(body, skip_special_tokens=True, clean_up_tokenization_spaces=False),
            tokens=len(body),
            ended="end_of_text" if ended else "limit",
            batched=batched,
        )

    result = {index: text(index, []) for index, limit in enumerate(limits) if not limit}
    lengths = [decoding.num_beams * (len(row) + limit) for row, limit in zip(rows, limits, strict=True)]
    batches = _batches(model, lengths, limits, batched)
    before, total = 0, sum(limits[batch[0]] for batch in batches)
    for batch in batches:
        limit = limits[batch[0]]

        def on_step(step: int, before: int = before) -> None:
            progress(Advanced(work="generating", done=before + step, total=total))

        def write(part: Sequence[int], limit: int = limit, on_step: OnStep = on_step) -> list[list[int]]:
            numbers = uniforms([keys[i] for i in part], limit, spec.seed)
            ids: list[list[int]] = _continue(
                model, [rows[i] for i in part], limit, stops, decoding, numbers, on_step
            )
            return ids

        written = in_halves(batch, write)
        for index, ids in zip(batch, written, strict=True):
            result[index] = text(index, ids)
        before += limit
    return [result[index] for index in range(len(prompts))]


def _limits(model: PreTrainedModel, rows: Sequence[Sequence[int]], spec: EvalSpec) -> list[int]:
    """New tokens of each text: the study's, or as many as the context has room for after its prompt."""
    context = probe.context(model) or math.inf
    limits = [int(max(0, min(spec.max_new_tokens, context - len(row)))) for row in rows]
    full = limits.count(0)
    fills = f"the model's context of {context} tokens (a learnt prompt takes some of them)"
    if full == len(rows):
        raise UserError(f"every prompt fills {fills}: shorten them, or take a base with a longer context")
    if full:
        warnings.warn(f"{full} of {len(rows)} prompts fill {fills}: their texts are empty", stacklevel=3)
    if short := sum(0 < limit < spec.max_new_tokens for limit in limits):
        warnings.warn(
            f"{short} of {len(rows)} prompts leave room for fewer than {spec.max_new_tokens} tokens in the "
            f"model's context of {context}: their texts end there",
            stacklevel=3,
        )
    return limits


def _batches(
    model: PreTrainedModel, lengths: Sequence[int], limits: Sequence[int], batched: bool
) -> list[list[int]]:
    """Batches of texts of one limit. A prompt that leaves less room is with none of another length."""
    if not batched:
        return [[index] for index, limit in enumerate(limits) if limit]
    most = max(limits)
    roomy = [index for index, limit in enumerate(limits) if limit == most]
    batches = [
        [roomy[place] for place in batch]
        for batch in tokens.sorted_batches([lengths[index] for index in roomy], GENERATE_TOKENS)
    ]
    if _learns_a_prompt(model):  # peft drops the position ids that padding would need
        batches = [list(same) for batch in batches for _, same in groupby(batch, lambda i: lengths[i])]
    rest = sorted((i for i in range(len(limits)) if 0 < limits[i] < most), key=lambda i: limits[i])
    return batches + [list(same) for _, same in groupby(rest, lambda i: limits[i])]


@torch.no_grad()  # type: ignore[untyped-decorator]
def _continue(
    model: PreTrainedModel,
    rows: Sequence[Sequence[int]],
    limit: int,
    stops: tuple[int, ...],
    decoding: Decoding,
    numbers: torch.Tensor,
    on_step: OnStep,
) -> list[list[int]]:
    """Token ids after each row, at most ``limit``, with the end-of-text if the text ended by itself."""
    where = next(model.parameters()).device
    longest, stop = max(map(len, rows)), stops[-1]
    ids = torch.tensor([[stop] * (longest - len(row)) + list(row) for row in rows], device=where)
    mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows], device=where)
    config = GenerationConfig(
        max_new_tokens=limit,
        do_sample=False,  # tokens are drawn by `sample`
        num_beams=decoding.num_beams,
        eos_token_id=list(stops),
        pad_token_id=stop,
        use_cache=True,
    )
    numbers = numbers.to(where)
    missing = kv_cache.missing_hooks()
    if missing:
        warnings.warn(
            f"this version of transformers or torch lacks {', '.join(missing)}: generating with plain "
            "`generate`, which writes the same texts more slowly",
            stacklevel=3,
        )
    if missing or decoding.num_beams > 1:
        processors: Any = [_Draw(decoding, numbers, longest)] if decoding.temperature > 0 else []
        watch: Any = [_Watch(on_step)]
        with without_own_settings(model):
            whole = model.generate(
                input_ids=ids,
                attention_mask=mask,
                generation_config=config,
                stopping_criteria=watch,
                logits_processor=processors,
            )
        return [_through(row, stops) for row in whole[:, longest:].tolist()]

    def loop(model: PreTrainedModel, input_ids: torch.Tensor, **inputs: Any) -> list[list[int]]:
        return _loop(model, input_ids, limit, stops, decoding, numbers, on_step, inputs)

    # `generate` prepares what the architecture (or the adapter) needs, and hands over to the loop.
    with without_own_settings(model):
        written: list[list[int]] = model.generate(
            input_ids=ids, attention_mask=mask, generation_config=config, custom_generate=loop
        )
    return written


class _Watch(StoppingCriteria):  # type: ignore[misc]
    """Reports each step of transformers' own loop, and stops nothing."""

    def __init__(self, on_step: OnStep) -> None:
        self.on_step, self.step = on_step, 0

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor, **kwargs: Any) -> torch.Tensor:
        self.on_step(self.step)
        self.step += 1
        return torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)


class _Draw(LogitsProcessor):  # type: ignore[misc]
    """Leaves only the token that `sample` draws, so that transformers' greedy search has to choose it."""

    def __init__(self, decoding: Decoding, numbers: torch.Tensor, prompt_length: int) -> None:
        self.decoding, self.numbers, self.prompt_length = decoding, numbers, prompt_length

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        step = input_ids.shape[1] - self.prompt_length
        drawn = sample(scores, self.numbers[:, step], self.decoding)
        return torch.full_like(scores, -math.inf).scatter(1, drawn[:, None], 0.0)


def _loop(
    model: PreTrainedModel,
    ids: torch.Tensor,
    limit: int,
    stops: tuple[int, ...],
    decoding: Decoding,
    numbers: torch.Tensor,
    on_step: OnStep,
    inputs: dict[str, Any],
) -> list[list[int]]:
    state = kv_cache.start(inputs)
    stop, ending = stops[-1], torch.tensor(stops, device=ids.device)
    written = torch.full((len(ids), limit), stop, device=ids.device)
    here = torch.arange(len(ids), device=ids.device)  # the rows that are still in the batch
    ended = torch.zeros(len(ids), dtype=torch.bool, device=ids.device)
    for step in range(limit):
        on_step(step)
        logits, state = kv_cache.forward(model, ids, state, first=step == 0)
        if decoding.temperature == 0:
            chosen = logits.argmax(dim=1)
        else:
            chosen = sample(logits, numbers[here, step], decoding)
        del logits
        written[here, step] = torch.where(ended, stop, chosen)
        ids = torch.cat([ids, chosen[:, None]], dim=1)
        ended = ended | torch.isin(chosen, ending)
        count = int(ended.sum())
        if count == len(ids):
            break
        if LEAVE * count >= len(ids):
            going_on = (~ended).nonzero()[:, 0]
            state = kv_cache.select_rows(state, going_on, len(ids))
            here, ids, ended = here[going_on], ids[going_on], ended[going_on]
    return [_through(row, stops) for row in written.tolist()]


def _learns_a_prompt(model: PreTrainedModel) -> bool:
    return getattr(getattr(model, "active_peft_config", None), "is_prompt_learning", False)


def _through(row: list[int], stops: tuple[int, ...]) -> list[int]:
    """The row up to its first stop, which is in it."""
    first = next((index for index, token in enumerate(row) if token in stops), len(row))
    return row[: first + 1]
