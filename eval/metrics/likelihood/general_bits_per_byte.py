"""Bits per byte of general text: after training against the untouched base, it is what was forgotten."""

from __future__ import annotations

from eval.metrics.base import Context
from eval.metrics.likelihood.bits_per_byte import BitsPerByte
from eval.metrics.likelihood.likelihood import STOP
from toolkit.records import Outcome


class GeneralBitsPerByte(BitsPerByte):
    """On the texts of `evaluate.general`, which are not documents of the study; None without them."""

    name = "general_bits_per_byte"
    label = "bits per byte of general text"
    signature = "weighting:byte|logs:2|text:general|stop:no"
    headline = False
    of_general = True

    def statistics(self, outcome: Outcome, context: Context) -> tuple[float, ...] | None:
        """Nats and bytes."""
        if outcome.likelihood is None:
            return None
        parts = [part for name, part in outcome.likelihood.items() if name != STOP]
        return sum(part.nll for part in parts), float(sum(self.units(part) for part in parts))

    def settings(self, context: Context) -> str:
        """Nothing: general text is scored whole, also beside conversations."""
        return ""

    def details(self, sums: object, context: Context) -> dict[str, float | None]:
        """None: general text has no sections."""
        return {}


METRIC = GeneralBitsPerByte()
