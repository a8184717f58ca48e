"""Bits per byte of what stands in the sections: without markers, line ends and the end marker."""

from __future__ import annotations

from eval.metrics.base import Context, Floats
from eval.metrics.likelihood.bits_per_byte import BitsPerByte
from toolkit.records import Outcome
from toolkit.specs import AnyFormat, Conversation


class ContentBitsPerByte(BitsPerByte):
    """The text that differs between documents, each token given all before it, markers included.

    Markers are the same in every document, the first of them is in every prompt, and structure checks measure
    whether they are learnt. A model may be far off at the very first tokens, which have little before them.
    """

    name = "content_bits_per_byte"
    label = "bits per byte of the content"
    signature = "weighting:byte|logs:2|text:sections|stop:no"
    headline = False

    def defined_on(self, form: AnyFormat) -> bool:
        """Of documents with sections: a conversation's answer is content as a whole."""
        return not isinstance(form, Conversation)

    def statistics(self, outcome: Outcome, context: Context) -> tuple[float, ...] | None:
        """Nats and UTF-8 bytes of the sections."""
        if outcome.likelihood is None:
            return None
        names = [section.name for section in context.form.sections]
        parts = [outcome.likelihood[name] for name in names if name in outcome.likelihood]
        return sum(part.nll for part in parts), float(sum(map(self.units, parts)))

    def details(self, sums: Floats, context: Context) -> dict[str, float | None]:
        """None: sections are those of bits per byte."""
        return {}


METRIC = ContentBitsPerByte()
