"""Texts that no model wrote, as outcomes: what the metrics say of them puts a model's values in place."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from eval.metrics import Context
from eval.metrics.texts import without_markers
from eval.metrics.words import words
from toolkit.data.conversations.turns import from_text
from toolkit.data.duplicates.shingles import normalised_title, title_key
from toolkit.data.format import after_prompt, prompt, section_bodies
from toolkit.records import Generation, Outcome
from toolkit.specs import Conversation


def as_generated(
    texts: Sequence[str | None], outcomes: Sequence[Outcome], context: Context, decoding: str = "anchor"
) -> list[Outcome]:
    """Outcomes in which each whole document of ``texts`` stands as if it had been generated.

    The prompt is the reference's own; the text is what ``texts`` has after its prompt. None is a document
    without a text: every metric is undefined on it. `tokens` counts words, there being no tokenizer.
    """
    mode = _mode(context)
    made = []
    for text, outcome in zip(texts, outcomes, strict=True):
        generations: tuple[Generation, ...] = ()
        if text is not None:
            rest = after_prompt(text, context.form, mode)
            generations = (
                Generation(
                    prompt_mode=mode,
                    decoding=context.decoding or decoding,
                    prompt=prompt(outcome.reference, context.form, mode),
                    text=rest,
                    tokens=len(rest.split()),
                    ended="end_of_text",
                ),
            )
        made.append(
            Outcome(
                document_id=outcome.document_id,
                title=outcome.title,
                reference=outcome.reference,
                generations=generations,
            )
        )
    return made


def references(outcomes: Sequence[Outcome], context: Context) -> list[Outcome]:
    """The references as if generated: structure 1.0 and BLEU 100, or a metric is broken."""
    return as_generated([outcome.reference for outcome in outcomes], outcomes, context)


def unrelated(outcomes: Sequence[Outcome], context: Context) -> list[Outcome]:
    """A floor: another test document's text, half the test part away and of another title."""
    count = len(outcomes)
    keys = [_key(outcome.reference, context) for outcome in outcomes]
    texts: list[str | None] = []
    for place, own in enumerate(keys):
        others = ((place + count // 2 + step) % count for step in range(count))
        texts.append(next((outcomes[other].reference for other in others if keys[other] != own), None))
    return as_generated(texts, outcomes, context)


def nearest_training(outcomes: Sequence[Outcome], context: Context) -> list[Outcome]:
    """A baseline without a model: the training document whose prompt has most of the prompt's rare words.

    Cosine of words weighted by their rarity among the training prompts; of equals the first. None without
    training texts or a word in common.
    """
    mode = _mode(context)
    index = context.from_train(f"nearest {mode}", lambda: _Nearest(context))
    neighbours = [index.nearest(prompt(outcome.reference, context.form, mode)) for outcome in outcomes]
    return as_generated([None if n is None else context.train[n] for n in neighbours], outcomes, context)


def same_title(outcomes: Sequence[Outcome], context: Context) -> list[Outcome]:
    """Return a ceiling: another document of the same title, as a second cook wrote it; None without one.

    It comes from the test or training split, or from the documents that were excluded because a held-out
    document has their title.
    """
    by_title: dict[str, list[str]] = {}
    for text in [*(outcome.reference for outcome in outcomes), *context.train, *context.further]:
        by_title.setdefault(_key(text, context), []).append(text)
    texts = []
    for outcome in outcomes:
        others = (text for text in by_title[_key(outcome.reference, context)])
        texts.append(next((text for text in others if text != outcome.reference), None))
    return as_generated(texts, outcomes, context)


ANCHORS: dict[str, Callable[[Sequence[Outcome], Context], list[Outcome]]] = {
    "references": references,
    "unrelated": unrelated,
    "nearest_training": nearest_training,
    "same_title": same_title,
}
"""Every anchor by the name it has in records."""


class _Nearest:
    """Training prompts by their words, for cosine similarity."""

    def __init__(self, context: Context) -> None:
        mode = _mode(context)
        bags = [
            set(words(without_markers(prompt(t, context.form, mode), context.form))) for t in context.train
        ]
        places: dict[str, list[int]] = {}
        for number, bag in enumerate(bags):
            for word in bag:
                places.setdefault(word, []).append(number)
        self._form = context.form
        self._places = {word: np.array(numbers) for word, numbers in places.items()}
        self._rarity = {word: float(np.log1p(len(bags) / len(n))) for word, n in places.items()}
        squares = [sum(self._rarity[word] ** 2 for word in sorted(bag)) for bag in bags]
        self._norms = np.sqrt(np.array(squares))

    def nearest(self, text: str) -> int | None:
        """Number of the training document nearest to a prompt; None where no word is shared."""
        known = sorted({word for word in words(without_markers(text, self._form)) if word in self._places})
        if not known:
            return None
        scores = np.zeros(len(self._norms))
        for word in known:
            scores[self._places[word]] += self._rarity[word] ** 2
        return int(np.argmax(np.divide(scores, self._norms, out=scores, where=self._norms > 0)))


def _mode(context: Context) -> str:
    return context.prompt_mode or context.form.sections[0].name


def _key(text: str, context: Context) -> str:
    """What makes two documents' titles, or two conversations' prompts, the same, as for the split."""
    if isinstance(context.form, Conversation):
        return title_key(from_text(text))
    return normalised_title(section_bodies(text, context.form).get(context.form.sections[0].name, ""))
