"""Published findings, read from `findings.yaml`: what was reported, by whom, and what would agree with it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import Field

from toolkit import config
from toolkit.specs import Spec

FILE = Path(__file__).with_name("findings.yaml")
Verdict = Literal["better", "worse", "equivalent"]


class Pair(Spec):
    """A comparison of two methods that a finding is judged by."""

    method: str
    against: str
    metrics: tuple[str, ...] = Field(min_length=1)
    """The first that is defined on a study's data judges: a conversation has no content beside the answer."""
    expected: tuple[Verdict, ...]
    """Verdicts that agree with the finding; only the opposite direction contradicts it."""
    margin: float | None = Field(default=None, gt=0)
    """Replaces the metric's own margin: in its unit, or a share if that margin is a share."""


class Band(Spec):
    """A ratio of two methods that a finding is judged by: inside the band it agrees."""

    what: Literal["optimum", "peak_memory_bytes", "seconds_per_token"]
    method: str
    against: str
    low: float
    high: float


class PublishedFinding(Spec):
    """A finding. It is reproduced if everything agrees, contradicted if anything contradicts it."""

    name: str
    text: str
    source: str
    pairs: tuple[Pair, ...] = ()
    bands: tuple[Band, ...] = ()


@cache
def published_findings() -> tuple[PublishedFinding, ...]:
    """Every finding, in the order of the report."""
    entries = config.read_yaml(FILE)
    return tuple(
        config.validate(PublishedFinding, {"name": name, **entry}, f"{FILE.name}: {name}")
        for name, entry in entries.items()
    )
