"""The contract of a metric, and the context it is measured in."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from toolkit.errors import unknown_name
from toolkit.records import Direction, Generation, Outcome
from toolkit.specs import AnyFormat

Floats = NDArray[np.float64]
T = TypeVar("T")
MarginKind = Literal["absolute", "relative", "gain"]


class Cache:
    """Results that several documents or metrics share, each computed once.

    Results about the training texts outlive a set of outcomes; results about outcomes belong to one set.
    """

    def __init__(self, train_results: dict[Hashable, Any] | None = None) -> None:
        self._train: dict[Hashable, Any] = {} if train_results is None else train_results
        self._outcomes: dict[Hashable, Any] = {}

    def for_other_outcomes(self) -> Cache:
        """Return a cache for another set of outcomes, with the same results about training texts."""
        return Cache(self._train)

    def from_train(self, train: Sequence[str], key: str, make: Callable[[], T]) -> T:
        """Return ``make()``, computed once per ``key`` and ``train``, which is compared by identity."""
        place = (key, id(train))
        if place not in self._train:
            self._train[place] = (train, make())  # holding on to the texts keeps their id from being reused
        value: T = self._train[place][1]
        return value

    def from_outcomes(self, key: str, make: Callable[[], T]) -> T:
        """Return ``make()``, computed once per ``key``."""
        if key not in self._outcomes:
            self._outcomes[key] = make()
        value: T = self._outcomes[key]
        return value


@dataclass(frozen=True)
class Context:
    """What a metric may use besides the outcome."""

    form: AnyFormat
    """Markers, sections and end of the documents."""
    train: Sequence[str] = ()
    """Rendered training texts: what may have been copied, and where the nearest document is looked for."""
    further: Sequence[str] = ()
    """Rendered documents that share a held-out document's title and were excluded: second references."""
    prompt_mode: str | None = None
    """The prompt mode that is scored; None takes an outcome's first."""
    decoding: str | None = None
    """The decoding setting that is scored; None takes an outcome's first."""
    outcomes: Sequence[Outcome] = ()
    """All outcomes that are measured together, for metrics of a whole set; set by `measure`."""
    cache: Cache = field(default_factory=Cache, repr=False, compare=False)
    """Shared results about ``train`` and ``outcomes``."""

    def __post_init__(self) -> None:
        names = [section.name for section in self.form.sections]
        if self.prompt_mode is not None and self.prompt_mode not in names:
            raise unknown_name(f"prompt mode of format '{self.form.name}'", self.prompt_mode, names)

    def among(self, outcomes: Sequence[Outcome]) -> Context:
        """Return the same context for these outcomes."""
        return replace(self, outcomes=outcomes, cache=self.cache.for_other_outcomes())

    def at(self, prompt_mode: str, decoding: str) -> Context:
        """Return the same context for the generations of another setting."""
        cache = self.cache.for_other_outcomes()
        return replace(self, prompt_mode=prompt_mode, decoding=decoding, cache=cache)

    def from_train(self, key: str, make: Callable[[], T]) -> T:
        """Return what ``make`` computes from the training texts, computed once."""
        return self.cache.from_train(self.train, key, make)

    def from_outcomes(self, key: str, make: Callable[[], T]) -> T:
        """Return what ``make`` computes from all outcomes, computed once."""
        return self.cache.from_outcomes(key, make)

    def generation(self, outcome: Outcome) -> Generation | None:
        """Return the generation that is scored; None if there is none for this document."""
        for generation in outcome.generations:
            if self.prompt_mode in (None, generation.prompt_mode) and self.decoding in (
                None,
                generation.decoding,
            ):
                return generation
        return None


class Metric(ABC):
    """Additive statistics of one document, and one formula over their sums.

    Subclass it in a file of its own in one of these folders, and bind an instance to the name ``METRIC``.
    Statistics are summed over documents; nothing else about a document is ever needed again, so intervals
    and paired tests are matrix products.
    """

    name: ClassVar[str]
    """Its key in records, e.g. `bits_per_byte`."""
    label: ClassVar[str]
    """Its name in tables, figures and sentences, as it reads inside a sentence: `bits per byte`."""
    unit: ClassVar[str]
    """Unit of the value, e.g. `bits per byte`."""
    lowest: ClassVar[float] = -math.inf
    """The least value that is possible; 0 for a share."""
    highest: ClassVar[float] = math.inf
    """The largest value that is possible; 1 for a share."""
    direction: ClassVar[Direction]
    """Which way is better."""
    margin: ClassVar[float | None] = None
    """Equivalence margin: smaller differences are negligible. None: no verdict `equivalent` by default."""
    margin_kind: ClassVar[MarginKind] = "absolute"
    """What the margin is: in the metric's unit, a share of the baseline's value, or a share of what the
    baseline gained over the untouched base model."""
    margin_floor: ClassVar[float] = 0.0
    """The least a margin of kind "gain" comes to, in the metric's unit."""
    headline: ClassVar[bool] = False
    """Whether it gets a verdict unless a study says otherwise."""
    binary: ClassVar[bool] = False
    """Whether a document's statistics are (0 or 1, 1): intervals then allow for what 0 of n does not show."""
    value_columns: ClassVar[int | None] = None
    """How many leading statistics the value rests on, the others being for `details`; None for all."""
    of_set: ClassVar[bool] = False
    """Whether a document's statistics depend on the other documents, as of how many different words a set
    has: resampling them is then no measure of the value's error, and there are no intervals or verdicts."""
    of_generations: ClassVar[bool] = True
    """Whether it looks at generations, so that prompt mode and decoding belong to its signature."""
    needs_references: ClassVar[bool] = True
    """Whether it looks at what should have been written, and not at the written text alone."""
    needs_train: ClassVar[bool] = False
    """Whether it looks at the training texts."""
    needs_endings: ClassVar[bool] = False
    """Whether it looks at whether the model ended a text by itself, which the text does not show."""
    needs: ClassVar[str | None] = None
    """The pip package and version without which it is unavailable; `pip install --no-deps` adds it."""
    of_general: ClassVar[bool] = False
    """Whether it is about the general texts, and not about the held-out documents."""

    @property
    @abstractmethod
    def signature(self) -> str:
        """Every choice that changes the number."""

    @abstractmethod
    def statistics(self, outcome: Outcome, context: Context) -> tuple[float, ...] | None:
        """Return additive statistics of one document; None if the metric is not defined on it."""

    @abstractmethod
    def aggregate(self, sums: Floats) -> Floats:
        """Return the value from summed statistics, ``[..., k] -> [...]``; nan if undefined.

        k is at least `value_columns`.
        """

    def unsupported(self, sums: Floats) -> bool:
        """Return whether values with these sums ``[seeds, k]`` rest on too little for an interval."""
        return False

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and the largest value that are possible: intervals end there."""
        share = self.binary or self.unit == "share"
        return (0.0, 1.0) if share else (self.lowest, self.highest)

    def defined_on(self, form: AnyFormat) -> bool:
        """Return whether it says anything about documents of a format; if not, it is not measured on them."""
        return True

    def settings(self, context: Context) -> str:
        """Return what the format adds to the signature, "" if nothing."""
        return ""

    def details(self, sums: Floats, context: Context) -> dict[str, float | None]:
        """Return components of the value by name, from summed statistics ``[k]``."""
        return {}


class RatioMetric(Metric):
    """A metric whose value is its first statistic over its second, each summed over the documents."""

    def aggregate(self, sums: Floats) -> Floats:
        """Return the ratio, ``[..., k] -> [...]``; nan where the second sum is zero."""
        return ratio(sums[..., 0], sums[..., 1])


def ratio(top: Floats, bottom: Floats) -> Floats:
    """Return ``top / bottom``, and nan where the bottom is zero."""
    safe = np.where(bottom > 0, bottom, 1.0)
    return np.where(bottom > 0, top / safe, np.nan)


def number(value: float | Floats) -> float | None:
    """Return a float for a record: None for what is undefined or not finite."""
    return float(value) if np.isfinite(value) else None
