"""Likelihoods of a conversation's last answer, and of every answer that it could have had."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from eval.inference.likelihood import nlls_of_rows
from eval.metrics.likelihood.likelihood import STOP
from toolkit.data.conversations.labels import END, LABEL
from toolkit.data.conversations.template import ChatTemplate
from toolkit.data.conversations.turns import from_text
from toolkit.events import Listener, ignore
from toolkit.records import Choice, Likelihood

if TYPE_CHECKING:
    from transformers import PreTrainedModel

ANSWER = "answer"


def answer_likelihoods(
    model: PreTrainedModel,
    template: ChatTemplate,
    texts: Sequence[str],
    *,
    precision: str,
    progress: Listener = ignore,
) -> list[dict[str, Likelihood]]:
    """Return summed nll, tokens and bytes of each conversation's last `answer`, and of its `stop`.

    The prompt is seen and not scored. Bytes are those of the answer as the template shows it; `stop` is the
    one token that ends the turn.
    """
    dialogues = [from_text(text) for text in texts]
    encoded = [template.last_answer(dialogue) for dialogue in dialogues]
    pad = int(template.tokenizer.eos_token_id)
    nlls = nlls_of_rows(model, [ids for ids, _ in encoded], pad, precision, progress)
    result = []
    for dialogue, (_, kinds), nll in zip(dialogues, encoded, nlls, strict=True):
        scored = [index for index, kind in enumerate(kinds) if kind == LABEL]
        stop = [index for index, kind in enumerate(kinds) if kind == END][:1]
        size = len(template.shown(dialogue.answer).encode())
        result.append(
            {
                ANSWER: Likelihood(nll=float(nll[scored].sum()), tokens=len(scored), bytes=size),
                STOP: Likelihood(nll=float(nll[stop].sum()), tokens=len(stop), bytes=0),
            }
        )
    return result


def choice_likelihoods(
    model: PreTrainedModel,
    template: ChatTemplate,
    texts: Sequence[str],
    *,
    precision: str,
    progress: Listener = ignore,
) -> list[tuple[Choice, ...]]:
    """Return the nll of every possible answer after the prompt; nothing for a conversation without choices.

    As lm-evaluation-harness scores `multiple_choice`: the tokens of prompt and choice together, without those
    of the prompt without white space at its end; what ends a turn is not scored.
    """
    tokenizer = template.tokenizer
    rows: list[list[int]] = []
    places: list[tuple[int, int, str]] = []
    for number, text in enumerate(texts):
        dialogue = from_text(text)
        if not dialogue.choices:
            continue
        prompt = template.prompt(dialogue)
        start = len(tokenizer(prompt.rstrip(), add_special_tokens=False)["input_ids"])
        for choice in dialogue.choices:
            rows.append(tokenizer(prompt + choice, add_special_tokens=False)["input_ids"])
            places.append((number, start, choice))
    by_text: list[list[Choice]] = [[] for _ in texts]
    if rows:
        nlls = nlls_of_rows(model, rows, int(tokenizer.eos_token_id), precision, progress)
        for (number, start, choice), nll in zip(places, nlls, strict=True):
            right = choice == from_text(texts[number]).answer
            by_text[number].append(Choice(nll=float(nll[start:].sum()), characters=len(choice), right=right))
    return [tuple(choices) for choices in by_text]
