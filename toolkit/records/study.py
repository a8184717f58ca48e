"""What a study measures under each condition: cells, estimates, comparisons, failures, optima, the audit."""

from __future__ import annotations

from typing import Literal, NamedTuple

from toolkit.records.base import Record
from toolkit.records.evaluation import Direction
from toolkit.specs import BASE

SpeaksAbout = Literal["checkpoints", "methods"]
"""What an interval is about: these checkpoints on other documents (one or two seeds), or the methods."""
Phase = Literal["base", "tune", "confirm"]
"""What a run is for: the untouched base, the choice of a learning rate, or a seed at the chosen one."""


class Condition(NamedTuple):
    """What methods are compared under. Each is judged, audited and drawn on its own."""

    base_model: str
    dataset: str
    train_size: int | None = None
    epochs: float | None = None


class ConditionRecord(Record):
    """A record about one condition."""

    base_model: str
    dataset: str
    train_size: int | None = None
    """Training documents."""
    epochs: float | None = None

    @property
    def condition(self) -> Condition:
        """The condition that it belongs to."""
        return Condition(self.base_model, self.dataset, self.train_size, self.epochs)


RateChoice = Literal["fixed", "interpolated", "grid", "edge"]
"""How a learning rate was chosen: given by the study; the minimum of a parabola through the best rate tried
and its neighbours; the best rate tried; or the same at an edge, so that a better one may lie beyond."""


class Cell(ConditionRecord):
    """One run of a study and where its records are. An untouched base has a cell in each condition."""

    method: str
    learning_rate: float | None
    seed: int
    tuned: bool
    """Whether the learning rate was chosen on validation data among as many as every other method had."""
    rate_choice: RateChoice | None = None
    """How a confirming run's learning rate was chosen; None for other runs."""
    phase: Phase
    """`base` for the untouched base model; `tune` chooses a learning rate, `confirm` is evaluated."""
    budget: float = 1.0
    """Share of the condition's epochs that it trained: below 1 for the short runs of successive halving."""
    run_id: str
    eval_digest: str | None
    """None for a tuning run: it is never evaluated on the test split."""
    status: Literal["finished", "diverged", "failed"]
    error: str | None = None
    """Why it failed, or what showed that it diverged."""

    @property
    def is_base(self) -> bool:
        """Whether this is the untouched base model."""
        return self.method == BASE


class Estimate(ConditionRecord):
    """A method's value of a metric over its seeds, with an interval."""

    method: str
    metric: str
    value: float | None
    low: float | None
    high: float | None
    """The 95 % interval."""
    seeds: int
    documents: int
    """Documents, or clusters of documents, on which the metric is defined."""
    speaks_about: SpeaksAbout
    unit: str | None = None
    label: str | None = None
    """The metric's unit and label, as in its MetricValue."""


class SettingEstimate(Estimate):
    """The same on the generations of one prompt mode and decoding."""

    prompt_mode: str
    decoding: str


class DecodingEffect(ConditionRecord):
    """How much of a metric's differences is decoding and how much is method, from one prompt mode's texts.

    Shares are of the sum of squares of a table of trained methods x decodings, less what documents (and
    seeds, if there are several) are expected to add to each by chance; they add up to 1 with that noise.
    """

    prompt_mode: str
    metric: str
    unit: str
    label: str | None = None
    methods: tuple[str, ...]
    decodings: tuple[str, ...]
    seeds: int
    """Of the method that has fewest."""
    documents: int
    """Documents, or clusters of documents, on which all methods and decodings are defined."""
    over_decodings: float | None
    """Highest less lowest value over decodings within a method, mean over methods, in the metric's unit."""
    over_methods: float | None
    """Highest less lowest value over methods within a decoding, mean over decodings."""
    share_decodings: float | None
    share_methods: float | None
    share_both: float | None
    """Of decodings that suit one method more than another: the interaction."""
    share_noise: float | None
    """None for all four with fewer than two methods, or if the metric is not defined on the documents."""


class FailureCount(ConditionRecord):
    """How many generations of a run fail, by class. A text may have several classes."""

    method: str
    """A method, `base`, or `references`: the test documents as if generated."""
    seed: int
    prompt_mode: str
    decoding: str | None
    """None for the references."""
    generations: int
    failing: int
    """Generations with any class."""
    classes: dict[str, int]
    """Class -> generations that have it; every class, in the order of tables."""


class FailedGeneration(ConditionRecord):
    """One line of `failures.jsonl`: a generation that fails, to be found in its run's outcomes."""

    method: str
    seed: int
    run_id: str
    document_id: str
    title: str
    prompt_mode: str
    decoding: str
    classes: dict[str, str]
    """Class -> what is wrong, in words."""


class Comparison(ConditionRecord):
    """Two methods on one metric. `difference` is method minus baseline, in the metric's unit."""

    method: str
    baseline: str
    metric: str
    direction: Direction
    difference: float | None
    low: float | None
    high: float | None
    """The 95 % interval of the difference."""
    p: float | None
    p_holm: float | None
    """Holm-corrected over the comparisons of its family."""
    margin: float | None
    """Equivalence margin in the metric's unit: smaller differences are negligible."""
    verdict: Literal["better", "worse", "equivalent", "undecided", "refused"]
    """Better or worse first: a difference may be real and negligible at once (`within_margin`)."""
    within_margin: bool = False
    """Whether the whole interval lies inside the margin: true of every `equivalent`, and of some others."""
    beyond_margin: bool = False
    """Whether the whole interval lies outside the margin: better or worse by more than the margin."""
    speaks_about: SpeaksAbout | None
    """None if refused."""
    unseeded: Literal["method", "baseline"] | None = None
    """The side that has no seed, such as the untouched base model; None for neither."""
    family: Literal["primary", "base", "claims", "conversions"] = "primary"
    """What its p-value is corrected with: the baseline's comparisons, those with the untouched base model,
    those that only published findings need, or those of conversions with what was converted."""
    seeds: int
    documents: int
    """Documents, or clusters of documents, that were compared."""
    smallest_detectable: float | None = None
    """The smallest true difference that a study of this size calls with 80 % power, as its clearest one."""
    needed_documents: int | None = None
    """How many documents decide with 80 % power if the difference stays the same; None if it is decided or
    if no number of documents does."""
    needed_documents_range: tuple[int, int | None] | None = None
    """The same if the variance over seeds lies at either end of its 80 % interval; None as an end: never."""
    needed_seeds: int | None = None
    """How many seeds decide, at the documents there are; None as above, and with one seed."""
    needed_seeds_range: tuple[int, int | None] | None = None
    reason: str | None = None
    """Why it was refused, or what the reader should know."""
    unit: str | None = None
    label: str | None = None
    """The metric's unit and label, as in its MetricValue."""


class Finding(Record):
    """One line of the audit."""

    check: str
    status: Literal["ok", "flagged", "refused"]
    text: str
    base_model: str | None = None
    dataset: str | None = None
    train_size: int | None = None
    epochs: float | None = None
    methods: tuple[str, ...] = ()
    """Methods that it concerns; empty for all."""
    sides: tuple[tuple[str, ...], ...] = ()
    """Methods grouped by what they differ in: those of one side may be compared, those of two may not."""


class FamilyChange(Record):
    """The study's `metrics` were changed after results existed, which changes the correction of p-values."""

    before: tuple[str, ...]
    after: tuple[str, ...]
    """Metrics of the primary family."""
    verdicts: tuple[str, ...]
    """Comparisons whose verdict changed although their difference and interval did not, in words."""


class Optimum(ConditionRecord):
    """The learning rate at which a method's validation result would be lowest, from its tuning runs."""

    method: str
    learning_rate: float | None
    """Geometric mean over the tuning seeds; None if no seed's optimum lies between the rates tried."""
    low: float | None
    high: float | None
    """The 95 % interval over seeds; None with fewer than two. Validation documents are taken as they are."""
    seeds: int
    """Tuning seeds whose optimum lies between the rates tried."""
    outside: int
    """Tuning seeds whose best rate is the first or last one, or beside one that diverged."""
    confirmed_rate: float | None = None
    """The learning rate of the confirming runs; None if there are none."""
    rate_choice: RateChoice | None = None
    """How it was chosen, from the mean over the tuning seeds."""
    ratio: float | None = None
    """The optimum over that of the study's baseline, paired by seed."""
    ratio_seeds: int | None = None
    """Tuning seeds that the ratio is over; None of the baseline itself."""
    ratio_low: float | None = None
    ratio_high: float | None = None
