"""Score lists of texts with any metric of generations, and compare two lists: strings in, an interval out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from eval.foreign.inputs import Endings, Seeds, Texts, endings_of, format_of, seed_of, seeds_of, texts_of
from eval.foreign.outcomes import PLAIN, outcome_of, require_defined, require_endings, require_train
from eval.metrics import Context, Metric, measure, metric
from eval.statistics.compare import Difference, estimate, stack
from eval.statistics.compare import compare as compare_statistics
from eval.statistics.verdicts import require_margin_within
from toolkit.errors import UserError
from toolkit.records import MetricValue
from toolkit.specs import Format

__all__ = ["Score", "Seeds", "Texts", "compare", "score"]

Rows = list[tuple[float, ...] | None]


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
    interval = estimate(item, statistics, seed=seed_of(seed))
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
    right, seed = texts_of(references, "references"), seed_of(seed)
    sides = []
    for given, name, stopped in ((ours, "ours", ours_stopped), (theirs, "theirs", theirs_stopped)):
        runs = seeds_of(given, name)
        measured = _measured(item, runs, right, endings_of(stopped, runs, f"{name}_stopped"), context)
        sides.append(stack([rows for _, rows in measured]))
    if margin is None:
        return compare_statistics(item, *sides, margin=item.margin, seed=seed)
    require_margin_within(item, margin)
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
    right = texts_of(train, "train")
    require_train(item, right)
    mode = prompt_mode or form.sections[0].name
    return item, Context(form=form, train=right, prompt_mode=mode, decoding="given")


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
