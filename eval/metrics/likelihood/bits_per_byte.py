"""Bits per byte: the likelihood metric that base models with different tokenizers may be ranked by."""

from __future__ import annotations

import math

from eval.metrics.base import Floats
from eval.metrics.likelihood.likelihood import PerUnit
from toolkit.records import Likelihood


class BitsPerByte(PerUnit):
    """Sum of nll over the text, in bits, by its UTF-8 bytes; the end-of-text token is not counted."""

    name = "bits_per_byte"
    label = "bits per byte"
    unit = "bits per byte"
    lowest = 0.0
    direction = "lower"
    signature = "weighting:byte|logs:2|text:whole|stop:no"
    margin = 0.01
    margin_kind = "relative"
    headline = True

    def units(self, part: Likelihood) -> int:
        """Bytes."""
        return part.bytes

    def formula(self, nats_per_unit: Floats) -> Floats:
        """Nats to bits."""
        return nats_per_unit / math.log(2)


METRIC = BitsPerByte()
