"""What a loaded model takes: how many tokens, and which; and what it gives, tried on a few."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from toolkit.errors import UserError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

TOKENS = 8


def token_ids(model: Any, count: int = TOKENS) -> torch.Tensor:
    """Return ``count`` token ids of the model's vocabulary, from 2 upwards: [1, count], on its device."""
    import torch

    embeddings = model.get_input_embeddings().weight
    return torch.arange(2, 2 + count, device=embeddings.device)[None] % embeddings.shape[0]


@contextmanager
def evaluating(model: Any) -> Iterator[None]:
    """Temporarily put the model in evaluation mode, without gradients and without a trace in random state."""
    import torch

    training = model.training
    model.eval()
    try:
        with torch.no_grad(), torch.random.fork_rng():
            yield
    finally:
        model.train(training)


def logits(model: Any, ids: torch.Tensor) -> torch.Tensor:
    """Return the model's logits on ``ids``: [rows, tokens, vocabulary]."""
    with evaluating(model):
        result: torch.Tensor = model(input_ids=ids, use_cache=False).logits
    return result


def context(model: PreTrainedModel) -> int | None:
    """Return how many tokens of text the model takes at once; None if there is no limit (ALiBi, Mamba).

    The virtual tokens of prompt-, prefix- and P-tuning take their places before it.
    """
    config = model.config.get_text_config()
    limits = (getattr(config, name, None) for name in ("max_position_embeddings", "max_seq_len"))
    adapters: Iterable[Any] = getattr(model, "peft_config", {}).values()
    virtual = sum(getattr(adapter, "num_virtual_tokens", None) or 0 for adapter in adapters)
    return next((limit - virtual for limit in limits if limit), None)


def refuse_beyond_context(model: PreTrainedModel, setting: str, longest: int) -> None:
    """Raise UserError if a document of ``longest`` tokens does not fit; lowering ``setting`` helps."""
    room = context(model)
    if room and longest > room + 1:  # the last token is predicted and never read
        raise UserError(
            f"a document of {longest} tokens is longer than the {room} that this {model.config.model_type} "
            f"takes: lower {setting}"
        )


def refuse_beyond_vocabulary(model: PreTrainedModel, rows: Iterable[Sequence[int]]) -> None:
    """Raise UserError if a row holds a token id that the model has no embedding for.

    A tokenizer may have more tokens than its model, for padding, as long as no text needs them.
    """
    known = int(model.get_input_embeddings().weight.shape[0])
    highest = max(map(max, rows), default=0)
    if highest >= known:
        raise UserError(
            f"the tokenizer gives token {highest}, and this {model.config.model_type} has {known:,} "
            "embeddings: take the tokenizer that belongs to it (`tokenizer:` in the model's entry), or "
            "resize the model's embeddings and save it again"
        )


def refuse_missing(owner: str, model: Any, loading: Mapping[str, Any]) -> None:
    """Raise UserError, beginning with ``owner``, if weights that it lacks were drawn at random.

    ``loading`` is what transformers returns for `output_loading_info`.
    """
    if missing := sorted(loading["missing_keys"]):
        raise UserError(
            f"{owner} lacks {len(missing)} of a {model.config.model_type}'s weights ({missing[0]}, …), which "
            "would start at random. Was it saved whole, with its language-model head?"
        )


def language_parameters(model: Any) -> list[tuple[str, Any]]:
    """Return the names and parameters of the model's language model.

    All of them, unless the model is a wrapper around several: of Gemma 3's multimodal class the vision tower
    and its projection are left out, since text never reaches them.
    """
    config = model.config
    if config.get_text_config() is config:
        return list(model.named_parameters())
    language = {id(p) for part in _language_modules(model) for p in part.parameters()}
    return [(name, p) for name, p in model.named_parameters() if id(p) in language]


def modules_beside_language(model: Any) -> list[str]:
    """Return the names of the modules that are no part of the model's language model; usually none."""
    config = model.config
    if config.get_text_config() is config:
        return []
    language = {id(module) for part in _language_modules(model) for module in part.modules()}
    return [
        name
        for name, module in model.named_modules()
        if id(module) not in language and not list(module.children())
    ]


def _language_modules(model: Any) -> list[Any]:
    return [part for part in (model.get_decoder(), model.get_output_embeddings()) if part is not None]
