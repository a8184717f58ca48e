"""What a running job reports: a few frozen types, one listener, and their form as one line of JSON."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Phase = Literal[
    "preparing", "waiting", "loading", "compiling", "training", "saving", "evaluating", "measuring"
]
"""What a job is doing; `waiting` is for another process that works on the same run."""


@dataclass(frozen=True, kw_only=True)
class PhaseStarted:
    """A job has entered a phase."""

    phase: Phase
    resumed: bool = False
    """Whether training continues from a checkpoint."""


@dataclass(frozen=True, kw_only=True)
class Advanced:
    """Countable work has advanced: rows read, batches scored, tokens generated."""

    work: str
    """What is being counted, in the progressive: `reading`, `comparing`, `scoring`, `generating`."""
    done: int
    total: int | None = None
    """None while the total is unknown."""


@dataclass(frozen=True, kw_only=True)
class StepTaken:
    """An optimizer step is done."""

    step: int
    steps: int
    loss: float
    """Nats per supervised token."""
    tokens: int
    """Supervised tokens so far."""
    seconds: float
    """Training seconds so far, without validation and saving."""


@dataclass(frozen=True, kw_only=True)
class Validated:
    """The validation split has been scored."""

    step: int
    nll: float
    """Nats per token, end-of-text included."""
    bits_per_byte: float


@dataclass(frozen=True, kw_only=True)
class Started:
    """A job's process has started."""

    node: str | None = None
    """The machine it runs on; None for this one."""


@dataclass(frozen=True, kw_only=True)
class Halted:
    """A signal has stopped a job's process: it does nothing until it is continued."""

    process: int
    """Its process id."""


@dataclass(frozen=True, kw_only=True)
class Failed:
    """A job reports its own error, in one line."""

    error: str


@dataclass(frozen=True, kw_only=True)
class Ended:
    """A job's process has ended."""

    error: str | None = None
    """Why it failed; None if it finished."""


Event = PhaseStarted | Advanced | StepTaken | Validated | Started | Halted | Failed | Ended
Listener = Callable[[Event], None]

_KINDS: dict[str, type[Event]] = {
    kind.__name__: kind
    for kind in (PhaseStarted, Advanced, StepTaken, Validated, Started, Halted, Failed, Ended)
}


def ignore(event: Event) -> None:
    """Listen to nothing."""


def to_json(event: Event) -> str:
    """The event as one line of JSON."""
    return json.dumps({"event": type(event).__name__, **dataclasses.asdict(event)})


def from_json(line: str) -> Event:
    """The inverse of `to_json`. Raises ValueError for a line that is not an event."""
    try:
        values = json.loads(line)
        return _KINDS[values.pop("event")](**values)
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"not an event: {line[:200]!r}") from error
