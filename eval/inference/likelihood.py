"""Summed negative log-likelihoods of texts, by section."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from eval.metrics.likelihood.likelihood import SCAFFOLD, STOP
from toolkit.data import batches as tokens
from toolkit.data.format import section_spans
from toolkit.errors import UserError, in_halves
from toolkit.events import Advanced, Listener, ignore
from toolkit.models import probe
from toolkit.models.precision import scoring
from toolkit.records import Likelihood
from toolkit.specs import AnyFormat
from toolkit.training.step.loss import NextToken

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

SCORE_TOKENS = {"cpu": 1024, "cuda": 16384}  # positions of a likelihood batch: those of a CPU fit its cache


def likelihoods(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    form: AnyFormat,
    *,
    precision: str,
    progress: Listener = ignore,
) -> list[dict[str, Likelihood]]:
    """Return summed nll, tokens and bytes of each text by part: sections, `scaffold`, and `stop`.

    ``precision`` is `fp32`, without TF32, or `bf16`. `stop` is the end-of-text token.

    A text longer than the model's context is scored in windows as lm-evaluation-harness's rolling
    log-likelihood does: disjoint in what they score, the last one filled up with the tokens before it.
    """
    if not texts:
        return []
    encoded = tokenizer(list(texts), add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    start, stop = tokens.prefix_token(tokenizer), tokenizer.eos_token_id
    rows = [[start, *ids, stop] for ids in encoded["input_ids"]]
    nlls = nlls_of_rows(model, rows, stop, precision, progress)
    return [
        _by_part(text, form, offsets, nll[1:].tolist())
        for text, offsets, nll in zip(texts, encoded["offset_mapping"], nlls, strict=True)
    ]


def nlls_of_rows(
    model: PreTrainedModel, rows: Sequence[list[int]], pad: int, precision: str, progress: Listener = ignore
) -> list[torch.Tensor]:
    """Return the nll of every token of each row given those before it, in nats; 0 for the first.

    A row longer than the model's context is scored in windows, see `likelihoods`. Raises UserError if
    one is not finite, and for a token that the model has no embedding for.
    """
    probe.refuse_beyond_vocabulary(model, rows)
    context = probe.context(model) or max(map(len, rows))
    windows = [(i, *window) for i, row in enumerate(rows) for window in _windows(len(row), context)]
    where = next(model.parameters()).device
    next_token = NextToken(model)
    nlls = [torch.zeros(len(row)) for row in rows]
    batches = tokens.sorted_batches(
        [last - fed for _, fed, _, last in windows], SCORE_TOKENS["cuda" if where.type == "cuda" else "cpu"]
    )

    def score(part: Sequence[int]) -> list[torch.Tensor]:
        fed_rows = [rows[i][fed:last] for i, fed, _, last in (windows[w] for w in part)]
        inputs = {key: value.to(where) for key, value in tokens.collate(fed_rows, pad).items()}
        return list(next_token.nll(model, inputs).cpu())

    with scoring(where, precision):  # around the loop: inside, weights would be cast for each batch
        for done, batch in enumerate(batches, start=1):
            for w, scores in zip(batch, in_halves(batch, score), strict=True):
                i, fed, first, last = windows[w]
                nlls[i][first:last] = scores[first - fed : last - fed]
            progress(Advanced(work="scoring", done=done, total=len(batches)))
    _require_finite(nlls, precision)
    return nlls


def _require_finite(nlls: Sequence[torch.Tensor], precision: str) -> None:
    for number, nll in enumerate(nlls, start=1):
        if not torch.isfinite(nll).all():
            remedy = "" if precision == "fp32" else "; try evaluate.likelihood_precision: fp32"
            raise UserError(
                f"the model's likelihood of text {number} of {len(nlls)} is not a finite number in "
                f"{precision}: its weights hold one that is not, or lead beyond floating point{remedy}"
            )


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
    text: str, form: AnyFormat, offsets: Sequence[tuple[int, int]], nll: Sequence[float]
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
