"""Texts that no model wrote, as outcomes: what the metrics say of them puts a model's values in place."""

from __future__ import annotations

from collections.abc import Sequence

from eval.metrics import Context
from toolkit.data.format import prompt
from toolkit.records import Generation, Outcome


def as_generated(
    texts: Sequence[str | None], outcomes: Sequence[Outcome], context: Context, decoding: str = "anchor"
) -> list[Outcome]:
    """Outcomes in which each whole document of ``texts`` stands as if it had been generated.

    The prompt is the reference's own; the text is what ``texts`` has after its prompt. None is a document
    without a text: every metric is undefined on it. `tokens` counts words, there being no tokenizer.
    """
    mode = context.prompt_mode or context.form.sections[0].name
    made = []
    for text, outcome in zip(texts, outcomes, strict=True):
        generations: tuple[Generation, ...] = ()
        if text is not None:
            rest = text[len(prompt(text, context.form, mode)) :]
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
