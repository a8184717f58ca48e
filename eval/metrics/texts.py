"""What a model wrote and what it should have written, with the markers taken out."""

from __future__ import annotations

from typing import NamedTuple

from eval.metrics.base import Context
from eval.metrics.words import words
from toolkit.data.format import after_prompt, find_markers, section_bodies
from toolkit.records import Generation, Outcome
from toolkit.specs import AnyFormat, Conversation

SIGNATURE = "text:written,to-end,markers-out,spaces-one"
"""What is done to a text before it is scored; part of the signature of every metric that uses `pair`."""


class Pair(NamedTuple):
    """A hypothesis and its reference, without markers."""

    hypothesis: str
    reference: str


def to_end(text: str, form: AnyFormat) -> str:
    """Return the text before its first end marker; all of it if there is none."""
    ends = [span.start for marker, span in find_markers(text, form) if marker == form.end]
    return text[: ends[0]] if ends else text


def without_markers(text: str, form: AnyFormat) -> str:
    """The text before its first end marker, markers taken out, runs of white space one space."""
    text = to_end(text, form)
    pieces, at = [], 0
    for _, span in find_markers(text, form):
        pieces.append(text[at : span.start])
        at = span.stop
    return " ".join(" ".join([*pieces, text[at:]]).split())


def continuation(outcome: Outcome, generation: Generation, form: AnyFormat) -> str:
    """The part of the reference that the prompt does not hold."""
    return after_prompt(outcome.reference, form, generation.prompt_mode)


def pair(outcome: Outcome, context: Context) -> Pair | None:
    """All that was written against all that should have been; None if nothing was requested.

    An empty text that should have been written counts, as in sacreBLEU and in SQuAD's evaluation. A model
    that leaves out a marker is still scored on its words: what it owes the format is another metric.
    """
    generation = context.generation(outcome)
    if generation is None:
        return None
    form = context.form
    reference = without_markers(continuation(outcome, generation, form), form)
    if not reference and generation.prompt_mode == form.sections[-1].name:  # the prompt holds everything
        return None
    return Pair(without_markers(generation.text, form), reference)


def section_pairs(outcome: Outcome, context: Context) -> dict[str, Pair]:
    """By section that the prompt does not hold; a section that was not written is an empty hypothesis."""
    generation = context.generation(outcome)
    if generation is None:
        return {}
    form = context.form
    if isinstance(form, Conversation):
        answer = " ".join(continuation(outcome, generation, form).split())
        return {"answer": Pair(" ".join(generation.text.split()), answer)} if answer else {}
    names = [section.name for section in form.sections]
    requested = names[names.index(generation.prompt_mode) + 1 :]
    written = section_bodies(to_end(generation.document, form), form)
    wanted = section_bodies(to_end(outcome.reference, form), form)
    spaced = {name: " ".join(written.get(name, "").split()) for name in requested}
    return {
        name: Pair(spaced[name], " ".join(wanted[name].split())) for name in requested if wanted.get(name)
    }


def written(outcome: Outcome, context: Context) -> str | None:
    """All that was written; None without a generation."""
    generation = context.generation(outcome)
    return None if generation is None else without_markers(generation.text, context.form)


def written_words(outcome: Outcome, context: Context) -> list[str] | None:
    """The words of all that was written; None without a generation."""
    text = written(outcome, context)
    return None if text is None else words(text)
