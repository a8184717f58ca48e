"""Summed negative log-likelihood over a count, whole and by section: perplexity and bits per byte."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from eval.metrics.base import Context, Floats, Metric, number, ratio
from toolkit.records import Likelihood, Outcome
from toolkit.specs import Conversation

SCAFFOLD = "scaffold"
STOP = "stop"


class PerUnit(Metric):
    """``formula(sum of nll / sum of units)``: token-weighted, never a mean of documents' values."""

    of_generations = False
    value_columns = 2

    @abstractmethod
    def units(self, part: Likelihood) -> int:
        """What the likelihood is divided by: tokens or bytes of a part."""

    @abstractmethod
    def formula(self, nats_per_unit: Floats) -> Floats:
        """The value from nats per unit."""

    def statistics(self, outcome: Outcome, context: Context) -> tuple[float, ...] | None:
        """Nats and units of the whole, then of each section and the scaffold."""
        if outcome.likelihood is None:
            return None
        parts = outcome.likelihood
        whole = [part for name, part in parts.items() if name != STOP]
        row = [sum(part.nll for part in whole), float(sum(self.units(part) for part in whole))]
        for name in _parts(context):
            row += [parts[name].nll, float(self.units(parts[name]))] if name in parts else [0.0, 0.0]
        return tuple(row)

    def settings(self, context: Context) -> str:
        """Of a conversation only the last answer is scored."""
        return of_what(context)

    def aggregate(self, sums: Floats) -> Floats:
        """The whole's value."""
        return self.formula(ratio(sums[..., 0], sums[..., 1]))

    def details(self, sums: Floats, context: Context) -> dict[str, float | None]:
        """The value by section, and of the scaffold."""
        pairs = sums[2:].reshape(-1, 2)
        values = self.formula(ratio(pairs[:, 0], pairs[:, 1]))
        return {name: number(value) for name, value in zip(_parts(context), values, strict=True)}


def of_what(context: Context) -> str:
    """What of a conversation is scored, for a signature; "" for documents, which are scored whole."""
    return "of:last-answer" if isinstance(context.form, Conversation) else ""


def _parts(context: Context) -> list[str]:
    return [*(section.name for section in context.form.sections), SCAFFOLD]


def exp(x: Floats) -> Floats:
    """``e ** x``; infinity becomes undefined, without a warning."""
    with np.errstate(over="ignore"):
        value = np.exp(x)
    return np.where(np.isfinite(value), value, np.nan)
