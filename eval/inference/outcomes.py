"""One pass of a model over held-out documents: likelihoods by section, and generations."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from eval.inference.generation import generate
from eval.inference.likelihood import likelihoods
from eval.inference.trial import batches_agree
from toolkit.data.format import document_id, prompt, section_bodies
from toolkit.events import Advanced, Event, Listener, ignore
from toolkit.models.artifact import for_generation
from toolkit.records import Generation, Outcome
from toolkit.specs import AnyFormat, EvalSpec

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


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
    every = [*texts, *general]
    scores = likelihoods(
        model, tokenizer, every, form, precision=spec.likelihood_precision, progress=progress
    )
    scored = time.perf_counter()
    count = len(texts) if spec.generations is None else min(spec.generations, len(texts))
    batched = batches_agree(model, tokenizer, [prompt(t, form, spec.prompts[0]) for t in texts[:count]])
    if not batched:
        print("this base writes other texts in a batch than alone: generating one text at a time")
    for_generation(model, precision)
    written: list[list[Generation]] = [[] for _ in texts]
    ids = [document_id(text) for text in texts]
    settings = [(mode, decoding) for mode in spec.prompts for decoding in spec.decodings]
    for number, (mode, decoding) in enumerate(settings):

        def on_step(event: Event, number: int = number) -> None:
            if isinstance(event, Advanced):  # of one setting: `generate` reports nothing else
                done = (number + event.done / (event.total or 1)) * spec.max_new_tokens
                total = len(settings) * spec.max_new_tokens
                progress(Advanced(work=event.work, done=int(done), total=total))

        prompts = [prompt(text, form, mode) for text in texts[:count]]
        texts_written = generate(
            model, tokenizer, prompts, mode, decoding, spec, on_step, documents=ids[:count], batched=batched
        )
        for generations, generation in zip(written[:count], texts_written, strict=True):
            generations.append(generation)
    result = [
        Outcome(
            document_id=identity,
            title=next(iter(section_bodies(text, form).values())),
            reference=text,
            likelihood=score,
            generations=tuple(generations),
        )
        for text, identity, score, generations in zip(texts, ids, scores[: len(texts)], written, strict=True)
    ]
    result += [
        Outcome(document_id=document_id(text), title="", reference=text, general=True, likelihood=score)
        for text, score in zip(general, scores[len(texts) :], strict=True)
    ]
    seconds = {"likelihood": scored - began, "generation": time.perf_counter() - scored}
    return result, seconds
