"""What a study concludes, in `results/<study>/`: comparisons, published findings, a recommendation."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from toolkit.records.base import FORMAT_VERSION, Record
from toolkit.records.data import DataReport
from toolkit.records.study import (
    Cell,
    Comparison,
    Condition,
    ConditionRecord,
    DecodingEffect,
    Estimate,
    FailureCount,
    FamilyChange,
    Finding,
    Optimum,
    SettingEstimate,
)

Support = Literal["supports", "contradicts", "undecided"]
CostKind = Literal["memory", "time", "size"]
"""What a recommendation saves."""
CLEARLY = 0.05
"""A share by which two costs have to differ before one is called lower: runs of one method differ by less."""


def clearly_less(cost: float, other: float) -> bool:
    """Whether a cost is lower than another by more than `CLEARLY`."""
    return cost < (1 - CLEARLY) * other


class ComparisonEvidence(Record):
    """A comparison of two methods that a published finding is judged by."""

    method: str
    against: str
    metric: str
    label: str | None = None
    unit: str | None = None
    """The metric's unit; None if the study has no such comparison."""
    expected: tuple[Literal["better", "worse", "equivalent"], ...]
    """Verdicts that support the finding."""
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    """Method minus the other one, with its 95 % interval."""
    margin: float | None = None
    """Of *equivalent*; None too in records from before 2026-11-28."""
    verdict: Literal["better", "worse", "equivalent", "undecided", "refused"] | None
    """None if the study lacks one of the two methods, or an evaluated run of it."""
    reason: str | None = None
    """Why it was refused, is not there, or is shown and judges nothing."""
    support: Support


class RatioEvidence(Record):
    """A ratio of two methods that a published finding is judged by."""

    what: Literal["optimum", "peak_memory_bytes", "seconds_per_token"]
    method: str
    against: str
    expected_low: float
    expected_high: float
    """The ratio's whole interval inside these supports the finding, outside contradicts it."""
    value: float | None
    """None if this study does not know it."""
    low: float | None
    high: float | None
    """The 95 % interval over seeds; None with one seed, or if a tuning seed has no optimum."""
    seeds: int | None = None
    """Seeds that the value is over; None in conclusions from before 2026-11-27."""
    without: int = 0
    """Tuning seeds at which one of the two has no optimum between the rates tried."""
    support: Support


class Claim(ConditionRecord):
    """A published finding, and what a study shows about it."""

    name: str
    text: str
    source: str
    verdict: Literal["reproduced", "contradicted", "undecided"]
    comparisons: tuple[ComparisonEvidence, ...] = ()
    ratios: tuple[RatioEvidence, ...] = ()


class Candidate(Record):
    """A trained method, as a candidate for being recommended."""

    method: str
    relation: Literal["best", "within_margin", "better", "worse", "undecided", "refused"]
    """To the method with the best value of the primary metric. `within_margin`: equivalent to it, or worse
    by less than the margin."""
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    """Method minus the best one, on the primary metric, with its 95 % interval; None for the best."""
    margin: float | None = None
    needed_documents: int | None = None
    needed_seeds: int | None = None
    """How many would decide its relation; None if it is decided or none do."""
    worse_on: tuple[str, ...] = ()
    """Other headline metrics on which it is worse than the best method, by more than the margin."""
    memory_bytes: float | None = None
    """Peak memory of training; mean over seeds, like the next two. None if unknown."""
    train_seconds: float | None = None
    saved_bytes: float | None = None

    def cost(self, by: CostKind) -> float | None:
        """Return what the method costs, in bytes or seconds; None if unknown."""
        return {"memory": self.memory_bytes, "time": self.train_seconds, "size": self.saved_bytes}[by]


class Recommendation(ConditionRecord):
    """The cheapest method that is as good as the best one, and what it was chosen from."""

    metric: str
    """The primary metric: the first headline metric that has a direction."""
    label: str | None = None
    unit: str | None = None
    by: CostKind
    budget: float | None = None
    """Most that a method may cost, in bytes or seconds; None for no limit."""
    best: str
    """The method with the best value of the primary metric."""
    method: str | None
    """The recommended method; None if no method is within the budget."""
    status: Literal["equivalent", "best", "over_budget", "none"]
    """`equivalent`: cheaper than the best and within its margin. `best`: the best one itself. `over_budget`:
    nothing within the budget is as good as the best, and the method is the best of what is."""
    undecided: tuple[str, ...] = ()
    """Methods that cost less than the recommended one and about which the study has not decided."""
    candidates: tuple[Candidate, ...]


class MethodLook(Record):
    """How a study wants a method shown; what is None follows from the method's name."""

    label: str | None = None
    """Its name in figures and tables, which no other has; sentences keep the method's own."""
    colour: str | None = Field(default=None, pattern="^#[0-9a-fA-F]{6}$")
    """As `#rrggbb`."""
    mark: Literal["o", "s", "D", "^", "v", "P", "X", "p", "<", ">", "h", "*", "d", "8"] | None = None
    """A marker of matplotlib."""


class Look(Record):
    """One size at which a growing study is looked at."""

    seeds: int
    documents: int
    """Test documents."""
    level: float
    """Two-sided: a corrected p-value below it decides, and an interval has a confidence of 1 - level. Over
    all looks together that is 5 % and 95 %."""


class LookPlan(Record):
    """The looks of a study that is run until it is decided, and how far it is."""

    planned: tuple[Look, ...]
    """In their order; the last is the largest size that the budget allows."""
    taken: int
    """Looks taken so far; the conclusions are those of the last of them."""
    state: Literal["decided", "refused", "missing", "continue", "futile", "exhausted"] | None = None
    """After it: every primary comparison is decided; none is undecided, but the audit refused some; there is
    none at all; the study may grow; it would hardly be decided if it did; or it is at its largest size. None
    if that is not known yet."""
    chance: float | None = None
    """Of a primary decision at the largest size, at the differences seen; None if nothing is undecided."""
    budget_seconds: float
    """What the looks were planned for."""
    concluded_before: bool
    """Whether the study had been concluded, and so looked at, before the looks were planned."""
    methods: tuple[str, ...]
    metrics: tuple[str, ...]
    """Of the study that was planned."""
    study: str | None = None
    """The digest of what it trains; None in looks planned before 2026-11-27."""

    @property
    def now(self) -> Look:
        """The last look taken."""
        return self.planned[self.taken - 1]


class Conclusions(Record):
    """`results/<study>/comparisons.json`: what a study concludes."""

    version: int = FORMAT_VERSION
    study: str
    question: str | None
    baseline: str
    headline: tuple[str, ...]
    """Metrics that get a verdict, in the order of the tables."""
    cells: tuple[Cell, ...]
    estimates: tuple[Estimate, ...]
    comparisons: tuple[Comparison, ...]
    audit: tuple[Finding, ...] = ()
    family_changes: tuple[FamilyChange, ...] = ()
    """In the order in which they happened; a study that is run from the start has none."""
    optima: tuple[Optimum, ...] = ()
    """Of every method that searched, if a learning rate was searched for."""
    claims: tuple[Claim, ...] = ()
    """Published findings, if the study asks for them to be judged."""
    recommendations: tuple[Recommendation, ...] = ()
    """One per condition with several trained methods: the one that needs least memory."""
    settings: tuple[SettingEstimate, ...] = ()
    """Every prompt mode and decoding, the headline's too, if there is more than one."""
    decoding: tuple[DecodingEffect, ...] = ()
    """Effects of decoding; empty with a single decoding."""
    failures: tuple[FailureCount, ...] = ()
    data: dict[str, DataReport] = Field(default_factory=dict)
    """Data set name -> its data report."""
    sequential: LookPlan | None = None
    """If the study was run until decided: its comparisons are at the level of the last look taken."""
    looks: dict[str, MethodLook] = Field(default_factory=dict)
    """Method -> how the study wants it shown, for those that it chose a look for."""

    @property
    def conditions(self) -> list[Condition]:
        """The conditions of its cells, in the study's order."""
        return list(dict.fromkeys(cell.condition for cell in self.cells))
