"""Bits per byte of what stands in the sections: without markers, line ends and the end marker."""

from __future__ import annotations

import math

from eval.metrics.base import Context, Floats, Metric, ratio
from toolkit.records import Outcome
from toolkit.specs import AnyFormat, Conversation


class ContentBitsPerByte(Metric):
    """The text that differs between documents, each token given all before it, markers included.

    Markers are the same in every document, the first of them is in every prompt, and structure checks measure
    whether they are learnt. A model may be far off at the very first token, which has nothing before it.
    """

    name = "content_bits_per_byte"
    label = "bits per byte of the content"
    unit = "bits per byte"
    lowest = 0.0
    direction = "lower"
    signature = "weighting:byte|logs:2|text:sections|stop:no"
    margin = 0.01
    margin_kind = "relative"
    of_generations = False

    def defined_on(self, form: AnyFormat) -> bool:
        """Of documents with sections: a conversation's answer is content as a whole."""
        return not isinstance(form, Conversation)

    def statistics(self, outcome: Outcome, context: Context) -> tuple[float, ...] | None:
        """Nats and UTF-8 bytes of the sections."""
        if outcome.likelihood is None:
            return None
        names = [section.name for section in context.form.sections]
        parts = [outcome.likelihood[name] for name in names if name in outcome.likelihood]
        return sum(part.nll for part in parts), float(sum(part.bytes for part in parts))

    def aggregate(self, sums: Floats) -> Floats:
        """Bits by bytes."""
        return ratio(sums[..., 0], sums[..., 1]) / math.log(2)


METRIC = ContentBitsPerByte()
