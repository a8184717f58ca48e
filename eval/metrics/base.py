"""What a metric is, and what it may look at besides the outcome."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from toolkit.errors import unknown_name
from toolkit.records import Generation, Outcome
from toolkit.specs import Format

Floats = NDArray[np.float64]
T = TypeVar("T")


@dataclass(frozen=True)
class Context:
    """What a metric may look at besides the outcome."""

    form: Format
    """Markers, sections and end of the documents."""
    train: Sequence[str] = ()
    """Rendered training texts: what may have been copied, and where the nearest document is looked for."""
    prompt_mode: str | None = None
    """The prompt mode that is scored; None takes an outcome's first."""
    decoding: str | None = None
    """The decoding setting that is scored; None takes an outcome's first."""
    outcomes: Sequence[Outcome] = ()
    """All that are measured together, for metrics of a whole set; `measure` fills it."""
    _of_train: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    _of_outcomes: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        names = [section.name for section in self.form.sections]
        if self.prompt_mode is not None and self.prompt_mode not in names:
            raise unknown_name(f"prompt mode of format '{self.form.name}'", self.prompt_mode, names)

    def among(self, outcomes: Sequence[Outcome]) -> Context:
        """The same, for these outcomes."""
        changed = replace(self, outcomes=outcomes)
        object.__setattr__(changed, "_of_train", self._of_train)  # the same texts: made once for all sets
        return changed

    def at(self, prompt_mode: str, decoding: str) -> Context:
        """The same, for the generations of another setting."""
        changed = replace(self, prompt_mode=prompt_mode, decoding=decoding)
        object.__setattr__(changed, "_of_train", self._of_train)
        return changed

    def from_train(self, key: str, make: Callable[[], T]) -> T:
        """What ``make`` makes of the training texts, made once."""
        return _once(self._of_train, key, make)

    def from_outcomes(self, key: str, make: Callable[[], T]) -> T:
        """What ``make`` makes of all outcomes, made once."""
        return _once(self._of_outcomes, key, make)

    def generation(self, outcome: Outcome) -> Generation | None:
        """The generation that is scored; None where the document was not generated for."""
        for generation in outcome.generations:
            if self.prompt_mode in (None, generation.prompt_mode) and self.decoding in (
                None,
                generation.decoding,
            ):
                return generation
        return None


class Metric(Protocol):
    """Additive statistics of one document, and one formula over their sums.

    Subclass it in a file of its own in this folder, and bind an instance to the name ``METRIC`` there.
    Statistics are summed over documents; nothing else about a document is ever needed again, so intervals
    and paired tests are matrix products.
    """

    name: str
    """Its key in records, e.g. `bits_per_byte`."""
    title: str
    """Its label in tables and figures, e.g. `Bits per byte`."""
    unit: str
    """Unit of the value, e.g. `bits per byte`."""
    direction: Literal["lower", "higher", "neither"]
    """Which way is better."""
    margin: float | None = None
    """Differences smaller than this are of no account; None has no default, and no verdict `equivalent`."""
    margin_kind: Literal["absolute", "relative"] = "absolute"
    """Whether the margin is in the metric's unit or a share of the baseline's value."""
    headline: bool = False
    """Whether it gets a verdict unless a study says otherwise."""
    binary: bool = False
    """Whether a document's statistics are (0 or 1, 1): intervals then allow for what 0 of n does not show."""
    core: int | None = None
    """How many leading statistics the value rests on, the others being for `details`; None for all."""
    of_generations: bool = True
    """Whether it looks at generations, so that prompt mode and decoding belong to its signature."""
    needs: str | None = None
    """A pip package without which it is not offered, with its version; `pip install --no-deps` adds it."""
    of_general: bool = False
    """Whether it is about the general texts, and not about the held-out documents."""

    @property
    def signature(self) -> str:
        """Every choice that changes the number."""
        ...

    def statistics(self, outcome: Outcome, context: Context) -> tuple[float, ...] | None:
        """Additive statistics of one document; None where the metric is not defined on it."""
        ...

    def aggregate(self, sums: Floats) -> Floats:
        """Value from summed statistics, ``[..., k] -> [...]`` with k of at least `core`; nan if undefined."""
        ...

    def details(self, sums: Floats, context: Context) -> dict[str, float | None]:
        """Parts of it worth a look, from summed statistics ``[k]``."""
        return {}


def _once(kept: dict[str, Any], key: str, make: Callable[[], T]) -> T:
    if key not in kept:
        kept[key] = make()
    value: T = kept[key]
    return value


def ratio(top: Floats, bottom: Floats) -> Floats:
    """``top / bottom``, and nan where the bottom is zero."""
    safe = np.where(bottom > 0, bottom, 1.0)
    return np.where(bottom > 0, top / safe, np.nan)


def number(value: float | Floats) -> float | None:
    """A float for a record: None for what is undefined or not finite."""
    return float(value) if np.isfinite(value) else None
