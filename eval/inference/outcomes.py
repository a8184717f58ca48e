"""One pass of a model over held-out documents: likelihoods by section, and generations."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from eval.inference.generation import generate
from toolkit import runtime
from toolkit.data import batches as tokens
from toolkit.data.format import document_id, prompt, section_bodies, section_spans
from toolkit.events import Advanced, Event, Listener, ignore
from toolkit.models import load
from toolkit.records import Generation, Likelihood, Outcome
from toolkit.specs import EvalSpec, Format
from toolkit.training.loss import NextToken

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

SCORE_TOKENS = {"cpu": 1024, "cuda": 16384}  # positions of a likelihood batch: those of a CPU fit its cache
SCAFFOLD, STOP = "scaffold", "stop"


def outcomes(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    form: Format,
    spec: EvalSpec,
    *,
    general: Sequence[str] = (),
    precision: str,
    progress: Listener = ignore,
) -> tuple[list[Outcome], dict[str, float]]:
    """What the model does on each text, in the texts' order, and the seconds of both halves.

    Behind them comes an outcome a ``general`` text, with its likelihood alone.
    """
    model.eval()
    began = time.perf_counter()
    scores = likelihoods(model, tokenizer, [*texts, *general], form, precision=precision, progress=progress)
    scored = time.perf_counter()
    count = len(texts) if spec.generations is None else min(spec.generations, len(texts))
    if precision == "bf16":
        model.to(torch.bfloat16)  # or the weights would be cast again at every token
    written: list[list[Generation]] = [[] for _ in texts]
    settings = [(mode, decoding) for mode in spec.prompts for decoding in spec.decodings]
    for number, (mode, decoding) in enumerate(settings):

        def on_step(event: Event, number: int = number) -> None:
            if isinstance(event, Advanced):  # of one setting: `generate` reports nothing else
                done = (number + event.done / (event.total or 1)) * spec.max_new_tokens
                total = len(settings) * spec.max_new_tokens
                progress(Advanced(work=event.work, done=int(done), total=total))

        prompts = [prompt(text, form, mode) for text in texts[:count]]
        texts_written = generate(model, tokenizer, prompts, mode, decoding, spec, on_step)
        for generations, generation in zip(written[:count], texts_written, strict=True):
            generations.append(generation)
    result = [
        Outcome(
            document_id=document_id(text),
            title=next(iter(section_bodies(text, form).values())),
            reference=text,
            likelihood=score,
            generations=tuple(generations),
        )
        for text, score, generations in zip(texts, scores[: len(texts)], written, strict=True)
    ]
    result += [
        Outcome(document_id=document_id(text), title="", reference=text, general=True, likelihood=score)
        for text, score in zip(general, scores[len(texts) :], strict=True)
    ]
    seconds = {"likelihood": scored - began, "generation": time.perf_counter() - scored}
    return result, seconds


def likelihoods(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    form: Format,
    *,
    precision: str,
    progress: Listener = ignore,
) -> list[dict[str, Likelihood]]:
    """Summed nll, tokens and bytes of each text by part: sections, `scaffold`, and `stop` for end-of-text.

    A text longer than the model's context is scored in windows as lm-evaluation-harness's rolling
    log-likelihood does: disjoint in what they score, the last one filled up with the tokens before it.
    """
    if not texts:
        return []
    encoded = tokenizer(list(texts), add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    start, stop = tokens.prefix_token(tokenizer), tokenizer.eos_token_id
    rows = [[start, *ids, stop] for ids in encoded["input_ids"]]
    context = load.context(model) or max(map(len, rows))
    windows = [(i, *window) for i, row in enumerate(rows) for window in _windows(len(row), context)]
    where = next(model.parameters()).device
    next_token = NextToken(model)
    nlls = [torch.zeros(len(row)) for row in rows]
    batches = tokens.sorted_batches(
        [last - fed for _, fed, _, last in windows], SCORE_TOKENS["cuda" if where.type == "cuda" else "cpu"]
    )
    with runtime.autocast(where, precision):  # around the loop: inside, weights would be cast for each batch
        for done, batch in enumerate(batches, start=1):
            fed_rows = [rows[i][fed:last] for i, fed, _, last in (windows[w] for w in batch)]
            inputs = {key: value.to(where) for key, value in tokens.collate(fed_rows, stop).items()}
            scores = next_token.nll(model, inputs).cpu()
            for w, score in zip(batch, scores, strict=True):
                i, fed, first, last = windows[w]
                nlls[i][first:last] = score[first - fed : last - fed]
            progress(Advanced(work="scoring", done=done, total=len(batches)))
    return [
        _by_part(text, form, offsets, nll[1:].tolist())
        for text, offsets, nll in zip(texts, encoded["offset_mapping"], nlls, strict=True)
    ]


def _windows(length: int, context: int) -> list[tuple[int, int, int]]:
    """Windows over a row (prefix, tokens, end-of-text): first seen, first scored, one past the last scored.

    A window sees at most ``context`` tokens before its last scored one. End-of-text has a window of its own
    where the text needs more than one, so that the text's windows are lm-evaluation-harness's.
    """
    if length - 1 <= context:
        return [(0, 1, length)]
    windows, scored = [], 0
    while scored < length - 2:
        last = min(scored + context, length - 2)
        windows.append((max(0, last - context), scored + 1, last + 1))
        scored = last
    return [*windows, (length - 1 - context, length - 1, length)]


def _by_part(
    text: str, form: Format, offsets: Sequence[tuple[int, int]], nll: Sequence[float]
) -> dict[str, Likelihood]:
    """A token goes to the part that holds its first character other than a space."""
    spans = section_spans(text, form)
    part_of = [SCAFFOLD] * (len(text) + 1)
    for name, span in spans.items():
        part_of[span.start : span.stop] = [name] * (span.stop - span.start)
    sums = {part: [0.0, 0] for part in (*(s.name for s in form.sections), SCAFFOLD, STOP)}
    for (first, last), value in zip(offsets, nll[:-1], strict=True):
        while first < last - 1 and text[first].isspace():
            first += 1
        sums[part_of[first]][0] += value
        sums[part_of[first]][1] += 1
    sums[STOP] = [nll[-1], 1]
    sizes = {name: len(text[span.start : span.stop].encode()) for name, span in spans.items()}
    sizes[SCAFFOLD] = len(text.encode()) - sum(sizes.values())
    return {
        part: Likelihood(nll=total, tokens=int(count), bytes=sizes.get(part, 0))
        for part, (total, count) in sums.items()
    }
