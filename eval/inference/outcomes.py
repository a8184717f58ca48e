"""One pass of a model over held-out documents: likelihoods by section, and generations."""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from eval.inference.answers import answer_likelihoods, choice_likelihoods
from eval.inference.generation import generate
from eval.inference.likelihood import likelihoods
from eval.inference.trial import batches_agree
from toolkit.data.conversations.template import ChatTemplate
from toolkit.data.conversations.turns import from_text
from toolkit.data.format import document_id, prompt, section_bodies
from toolkit.events import Advanced, Event, Listener, ignore
from toolkit.models.artifact import for_generation
from toolkit.records import Choice, Generation, Outcome
from toolkit.specs import AnyFormat, Conversation, EvalSpec, Format, Section

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

PLAIN = Format(name="plain", sections=(Section(name="text", marker="TEXT:"),), end="[END]")
"""What general texts are scored as beside conversations: one text without markers."""


def outcomes(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    form: AnyFormat,
    spec: EvalSpec,
    *,
    general: Sequence[str] = (),
    precision: str,
    progress: Listener = ignore,
) -> tuple[list[Outcome], dict[str, float]]:
    """Return what the model does on each text, in the texts' order, and the seconds of both passes.

    One outcome per ``general`` text follows, with its likelihood alone. ``precision`` is that of generation;
    likelihoods are computed in ``spec.likelihood_precision``.
    """
    model.eval()
    began = time.perf_counter()
    template = ChatTemplate(form, tokenizer) if isinstance(form, Conversation) else None
    settings_of_scores: dict[str, Any] = {"precision": spec.likelihood_precision, "progress": progress}
    choices: list[tuple[Choice, ...]] = [()] * len(texts)
    if isinstance(form, Conversation) and template is not None:
        scores = answer_likelihoods(model, template, texts, **settings_of_scores)
        scores += likelihoods(model, tokenizer, general, PLAIN, **settings_of_scores)
        choices = choice_likelihoods(model, template, texts, **settings_of_scores)
    else:
        scores = likelihoods(model, tokenizer, [*texts, *general], form, **settings_of_scores)
    scored = time.perf_counter()
    count = len(texts) if spec.generations is None else min(spec.generations, len(texts))
    first = _prompts(texts[:count], form, spec.prompts[0], template)
    batched = batches_agree(model, tokenizer, first, template)
    if not batched:
        about = "this base writes other texts in a batch than alone: generating one text at a time"
        warnings.warn(about, stacklevel=2)
    for_generation(model, precision)
    written: list[list[Generation]] = [[] for _ in texts]
    ids = [document_id(text) for text in texts]
    settings = [(mode, decoding) for mode in spec.prompts for decoding in spec.decodings]
    for number, (mode, decoding) in enumerate(settings):
        texts_written = generate(
            model,
            tokenizer,
            _prompts(texts[:count], form, mode, template),
            mode,
            decoding,
            spec,
            _one_of_several(progress, number, len(settings), spec.max_new_tokens),
            documents=ids[:count],
            batched=batched,
            template=template,
        )
        for generations, generation in zip(written[:count], texts_written, strict=True):
            generations.append(generation)
    result = [
        Outcome(
            document_id=identity,
            title=next(iter(section_bodies(text, form).values())),
            reference=text,
            likelihood=score,
            choices=possible,
            generations=tuple(generations),
        )
        for text, identity, score, possible, generations in zip(
            texts, ids, scores[: len(texts)], choices, written, strict=True
        )
    ]
    result += [
        Outcome(document_id=document_id(text), title="", reference=text, general=True, likelihood=score)
        for text, score in zip(general, scores[len(texts) :], strict=True)
    ]
    seconds = {"likelihood": scored - began, "generation": time.perf_counter() - scored}
    return result, seconds


def _one_of_several(progress: Listener, number: int, settings: int, tokens: int) -> Listener:
    """A listener for the generations of one setting, which reports the progress of all of them."""

    def on_step(event: Event) -> None:
        if isinstance(event, Advanced):  # `generate` reports nothing else
            done = int((number + event.done / (event.total or 1)) * tokens)
            progress(Advanced(work=event.work, done=done, total=settings * tokens))

    return on_step


def _prompts(texts: Sequence[str], form: AnyFormat, mode: str, template: ChatTemplate | None) -> list[str]:
    """What the model is prompted with: the start of each document, or what the chat template makes of it."""
    if template is not None:
        return [template.prompt(from_text(text)) for text in texts]
    return [prompt(text, form, mode) for text in texts]
