"""Score lists of texts with any metric of generations, and compare two lists: strings in, an interval out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from eval.foreign.inputs import Endings, Seeds, Texts, endings_of, format_of, seeds_of, texts_of
from eval.metrics import Context, Metric, measure, metric
from eval.metrics.structure.stop_rate import StopRate
from eval.statistics.compare import Difference, estimate, stack
from eval.statistics.compare import compare as compare_statistics
from toolkit.data.format import after_prompt, document_id, find_markers, prompt
from toolkit.errors import UserError
from toolkit.records import Generation, MetricValue, Outcome
from toolkit.specs import AnyFormat, Conversation, Format, Section

__all__ = ["Score", "Seeds", "Texts", "compare", "outcome_of", "score"]

Rows = list[tuple[float, ...] | None]

PLAIN = Format(
    name="plain",
    sections=(Section(name="none", marker="\x00prompt"), Section(name="text", marker="\x00text")),
    end="\x00end",
)
"""Texts without markers: an empty prompt and one section, whose markers start with NUL as no text does."""
START, OPENING = "\x00prompt \n", "\x00text "
ANSWERS = Conversation(name="plain")
"""What plain texts are to a metric: answers without sections, of which the data set says nothing more."""


@dataclass(frozen=True, kw_only=True)
class Score:
    """A metric over a list of texts, with its 95 % interval."""

    metric: str
    value: float | None
    """Mean over the seeds; None if the metric is not defined on any text."""
    low: float | None
    high: float | None
    """The 95 % interval over documents (and seeds, with several); None if no error can be estimated."""
    documents: int
    """Documents on which the metric is defined."""
    seeds: int
    unit: str
    direction: Literal["lower", "higher", "neither"]
    """Which way is better."""
    signature: str
    """Every choice that changes the number."""
    details: dict[str, float | None] = field(default_factory=dict)
    """Components of the first seed's value by name, e.g. BLEU's brevity penalty."""

    def __str__(self) -> str:
        """Return one line: the metric, its value and interval, and its signature."""
        value = "undefined" if self.value is None else f"{self.value:.4g}"
        interval = "" if self.low is None or self.high is None else f" [{self.low:.4g}, {self.high:.4g}]"
        return f"{self.metric} {value}{interval} ({self.documents} documents) {self.signature}"


def score(
    predictions: Texts | Seeds,
    references: Texts,
    metric: str = "bleu",  # noqa: A002 - the word users know it by
    *,
    format: str | Format | None = None,  # noqa: A002 - the word users know it by
    prompt_mode: str | None = None,
    stopped: Endings | None = None,
    train: Texts = (),
    seed: int = 0,
) -> Score:
    """Score texts against references with a 95 % interval.

    Parameters
    ----------
    predictions
        One text per reference; or one such list per training seed.
    references
        The texts that should have been written.
    metric
        A metric of generations by name (``bakeoff catalog metrics``).
    format
        Name of a document format, for metrics that read sections; None for plain texts.
    prompt_mode
        With a format: the last section that the prompts held; its first section if None.
    stopped
        Whether the model ended each text by itself, for `stop_rate`, which needs it, and structure; all did
        if None. With several seeds one list per seed.
    train
        Training texts, for metrics that look for copies.
    seed
        Seed of the bootstrap.

    Raises
    ------
    UserError
        For an unknown metric or format, a format of conversations, lists of different lengths, anything but
        texts in them, and a metric that texts alone do not define.
    """
    item, context = _prepared(metric, format, prompt_mode, train)
    require_endings(item, stopped=stopped)
    runs, right = seeds_of(predictions, "predictions"), texts_of(references, "references")
    measured = _measured(item, runs, right, endings_of(stopped, runs, "stopped"), context)
    statistics = stack([rows for _, rows in measured])
    interval = estimate(item, statistics, seed=seed)
    first = measured[0][0]
    return Score(
        metric=item.name,
        value=interval.value,
        low=interval.low,
        high=interval.high,
        documents=first.documents,
        seeds=len(runs),
        unit=first.unit,
        direction=first.direction,
        signature=first.signature,
        details=first.details,
    )


def compare(
    ours: Texts | Seeds,
    theirs: Texts | Seeds,
    references: Texts,
    metric: str = "bleu",  # noqa: A002 - the word users know it by
    *,
    margin: float | None = None,
    ours_stopped: Endings | None = None,
    theirs_stopped: Endings | None = None,
    format: str | Format | None = None,  # noqa: A002 - the word users know it by
    prompt_mode: str | None = None,
    train: Texts = (),
    seed: int = 0,
) -> Difference:
    """Compare two sets of texts on the same references: difference, 95 % interval, p and verdict.

    Parameters
    ----------
    ours
        One text per reference; or one such list per training seed.
    theirs
        The baseline's texts, in the same form and with the same seeds.
    references
        The texts that should have been written.
    metric
        A metric of generations by name (``bakeoff catalog metrics``).
    margin
        Equivalence margin in the metric's unit. If None, the metric's own default; there is none if that is
        a share of what fine-tuning gained over the untouched base model (BLEU), which is unknown here.
    ours_stopped, theirs_stopped
        Whether the model ended each text of a side by itself, as `stopped` in `score`.
    format, prompt_mode, train, seed
        As in `score`.

    Raises
    ------
    UserError
        As `score`; also if both sides have several seeds, and one more than the other.
    """
    item, context = _prepared(metric, format, prompt_mode, train)
    require_endings(item, ours_stopped=ours_stopped, theirs_stopped=theirs_stopped)
    right = texts_of(references, "references")
    sides = []
    for given, name, stopped in ((ours, "ours", ours_stopped), (theirs, "theirs", theirs_stopped)):
        runs = seeds_of(given, name)
        measured = _measured(item, runs, right, endings_of(stopped, runs, f"{name}_stopped"), context)
        sides.append(stack([rows for _, rows in measured]))
    if margin is None:
        return compare_statistics(item, *sides, margin=item.margin, seed=seed)
    return compare_statistics(item, *sides, margin=margin, margin_kind="absolute", seed=seed)


def _prepared(
    name: str, format_: str | Format | None, prompt_mode: str | None, train: Texts
) -> tuple[Metric, Context]:
    item = metric(name)
    if not item.of_generations:
        raise UserError(
            f"metric '{name}' needs a model's likelihoods, which texts do not hold; use bakeoff.study"
        )
    form = format_of(format_) or PLAIN
    require_defined(item, form)
    mode = prompt_mode or form.sections[0].name
    return item, Context(form=form, train=texts_of(train, "train"), prompt_mode=mode, decoding="given")


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
    if isinstance(item, StopRate) and any(ended is None for ended in stopped.values()):
        raise UserError(
            f"metric '{item.name}' needs to know which texts the model ended by itself: give "
            f"{' and '.join(stopped)}, True or False per text"
        )


def _measured(
    item: Metric, runs: Seeds, references: Texts, endings: Sequence[Sequence[bool]], context: Context
) -> list[tuple[MetricValue, Rows]]:
    """Return the metric on each seed, and its statistics on each document."""
    measured = []
    for texts, ended in zip(runs, endings, strict=True):
        if len(texts) != len(references):
            counts = f"{len(texts)} predictions and {len(references)} references"
            raise UserError(f"{counts}: give one per document")
        if not texts:
            raise UserError("no predictions: give at least one text")
        outcomes = [
            outcome_of(text, reference, ended=stop, context=context)
            for text, reference, stop in zip(texts, references, ended, strict=True)
        ]
        measured.append(measure(item, outcomes, context))
    return measured


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
