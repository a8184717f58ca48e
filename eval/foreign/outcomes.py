"""Texts of anywhere as the records that metrics read, and what a metric needs that texts alone lack."""

from __future__ import annotations

from eval.foreign.inputs import Endings, Texts
from eval.metrics import Context, Metric
from toolkit.data.format import after_prompt, document_id, find_markers, prompt
from toolkit.errors import UserError
from toolkit.records import Generation, Outcome
from toolkit.specs import AnyFormat, Conversation, Format, Section

PLAIN = Format(
    name="plain",
    sections=(Section(name="none", marker="\x00prompt"), Section(name="text", marker="\x00text")),
    end="\x00end",
)
"""Texts without markers: an empty prompt and one section, whose markers start with NUL as no text does."""
START, OPENING = "\x00prompt \n", "\x00text "
ANSWERS = Conversation(name="plain")
"""What plain texts are to a metric: answers without sections, of which the data set says nothing more."""


def require_defined(metric: Metric, form: AnyFormat) -> None:
    """Raise UserError if a metric says nothing about texts of a format."""
    if form is PLAIN and not metric.defined_on(ANSWERS):
        raise UserError(
            f"metric '{metric.name}' needs more than plain texts: the format of documents with sections, "
            "e.g. format='recipe', or a data set of conversations that says how answers are scored"
        )
    if form is not PLAIN and not metric.defined_on(form):
        raise UserError(f"metric '{metric.name}' says nothing about documents of format '{form.name}'")


def require_endings(item: Metric, **stopped: Endings | None) -> None:
    """Raise UserError if a metric is about endings, which texts do not show, and one of them is None."""
    if item.needs_endings and any(ended is None for ended in stopped.values()):
        raise UserError(
            f"metric '{item.name}' needs to know which texts the model ended by itself: give "
            f"{' and '.join(stopped)}, True or False per text"
        )


def require_train(item: Metric, train: Texts) -> None:
    """Raise UserError if a metric looks at training texts, and none are given."""
    if item.needs_train and not train:
        raise UserError(f"metric '{item.name}' looks at training texts: give them as `train`")


def outcome_of(prediction: str, reference: str, *, ended: bool, context: Context) -> Outcome:
    """Return one prediction and its reference as the record that metrics read.

    With a format, a prediction is the whole document or only what follows the prompt; a whole document begins
    with the first section's marker, and its own prompt is no part of what was written.
    """
    form = context.form
    mode = context.prompt_mode or form.sections[0].name
    if form is PLAIN:
        title, start = reference[:60], START
        written, reference = OPENING + prediction, START + OPENING + reference
    else:
        title, start = reference.split("\n")[0], prompt(reference, form, mode)
        if start.strip() and prediction.startswith(start):
            written = prediction[len(start) :]
        elif _is_whole(prediction, form):
            start, written = prompt(prediction, form, mode), after_prompt(prediction, form, mode)
        else:
            written = prediction
    generation = Generation(
        prompt_mode=mode,
        decoding="given",
        prompt=start,
        text=written,
        tokens=len(written.split()),
        ended="end_of_text" if ended else "limit",
    )
    return Outcome(
        document_id=document_id(reference), title=title, reference=reference, generations=(generation,)
    )


def _is_whole(prediction: str, form: AnyFormat) -> bool:
    """Whether a text begins with the first section's marker: a later one may open another document."""
    markers = find_markers(prediction, form)
    return (
        bool(markers) and markers[0][0] == form.markers[0] and not prediction[: markers[0][1].start].strip()
    )
