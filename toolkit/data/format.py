"""The text of a document: markers, sections, end. Spelled only here; prompts and parsing follow."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from toolkit.data.conversations import turns
from toolkit.errors import UserError
from toolkit.specs import AnyFormat, Conversation, Format, Section

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class Document(NamedTuple):
    """Section bodies in the format's order; a list section's body is a tuple of items.

    A recipe is `Document((title, (ingredient, …), directions))`. Bodies are clean: no marker inside, no
    separator inside an item (see `toolkit/data/cleaning.py`), so `parse(render(d)) == d`.
    """

    bodies: tuple[str | tuple[str, ...], ...]

    @property
    def title(self) -> str:
        """The first section's text, which every prompt holds."""
        first = self.bodies[0]
        return first if isinstance(first, str) else ", ".join(first)


class Span(NamedTuple):
    """A stretch of a text, in characters."""

    start: int
    stop: int


def body_text(section: Section, body: str | tuple[str, ...]) -> str:
    """Return the body as it appears in the text."""
    return body if isinstance(body, str) else (section.separator or " ").join(body)


def opening(document_format: Format, *bodies: str | tuple[str, ...]) -> str:
    r"""Return the prompt made of the first sections' bodies: `RECIPE: Pie\n`, or more sections."""
    pairs = zip(document_format.sections, bodies, strict=False)
    return "".join(f"{section.marker} {body_text(section, body)}\n" for section, body in pairs)


def render(document: Document, document_format: Format) -> str:
    """Return the document's text: each section on a new line, then the end marker without a line end."""
    if len(document.bodies) != len(document_format.sections):
        raise ValueError(f"{len(document.bodies)} bodies for {len(document_format.sections)} sections")
    return opening(document_format, *document.bodies) + document_format.end


def body_spans(document: Document, document_format: Format) -> list[Span]:
    """Return where each body is in the document's rendered text."""
    spans: list[Span] = []
    at = 0
    for section, body in zip(document_format.sections, document.bodies, strict=True):
        start = at + len(section.marker) + 1
        at = start + len(body_text(section, body)) + 1
        spans.append(Span(start, at - 1))
    return spans


def document_id(text: str) -> str:
    """Return a document's identity in every record: first 16 hex digits of the SHA-256 of its text."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def prompt(text: str, document_format: AnyFormat, through: str) -> str:
    """Return a rendered document up to the end of the section named ``through``, line end included.

    Of a text without the marker that comes next, return as many lines as there are sections. Of a stored
    conversation return the contents of the turns before the last answer.
    """
    if isinstance(document_format, Conversation):
        return turns.from_text(text).title
    last = [section.name for section in document_format.sections].index(through)
    following = (*document_format.markers, document_format.end)[last + 1]
    for marker, span in find_markers(text, document_format):
        if marker == following:
            return text[: span.start]
    return "".join(line + "\n" for line in text.split("\n")[: last + 1])


def after_prompt(text: str, document_format: AnyFormat, through: str) -> str:
    """Return what follows the prompt in a rendered document, or in a stored conversation: the last answer."""
    if isinstance(document_format, Conversation):
        return turns.from_text(text).answer
    return text[len(prompt(text, document_format, through)) :]


def plain_text(text: str, document_format: AnyFormat) -> str:
    """Return a document's text; of a stored conversation the contents of its turns, a line each."""
    return turns.from_text(text).contents if isinstance(document_format, Conversation) else text


def find_markers(text: str, document_format: AnyFormat) -> list[tuple[str, Span]]:
    """Return every marker at the start of a line, in order of appearance, with its span."""
    if isinstance(document_format, Conversation):
        return []
    pattern = _pattern((*document_format.markers, document_format.end))
    return [(match.group(1), Span(*match.span(1))) for match in pattern.finditer(text)]


@lru_cache(maxsize=64)
def _pattern(markers: tuple[str, ...]) -> re.Pattern[str]:
    choices = "|".join(re.escape(marker) for marker in sorted(markers, key=len, reverse=True))
    return re.compile(rf"^({choices})", flags=re.MULTILINE)


def section_spans(text: str, document_format: AnyFormat) -> dict[str, Span]:
    """Return section name -> span of its body without outer white space; a section's first marker counts.

    A body reaches to the next marker, whichever that is, or to the end of the text. The rest is scaffold.
    Works on any text, well-formed or not; a section without a marker is absent.
    """
    names = {section.marker: section.name for section in document_format.sections}
    markers = find_markers(text, document_format)
    spans: dict[str, Span] = {}
    for index, (marker, span) in enumerate(markers):
        if marker not in names or names[marker] in spans:
            continue
        stop = markers[index + 1][1].start if index + 1 < len(markers) else len(text)
        body = text[span.stop : stop]
        start = span.stop + len(body) - len(body.lstrip())
        spans[names[marker]] = Span(start, max(start, span.stop + len(body.rstrip())))
    return spans


def section_bodies(text: str, document_format: AnyFormat) -> dict[str, str]:
    """Return section name -> body of any text; a section without a marker is absent.

    Of a stored conversation return its prompt and its answer.
    """
    if isinstance(document_format, Conversation):
        dialogue = turns.from_text(text)
        return {"prompt": dialogue.title, "answer": dialogue.answer}
    return {name: text[span.start : span.stop] for name, span in section_spans(text, document_format).items()}


def parse(text: str, document_format: Format) -> Document | None:
    """Return the document that a text holds, or None if it is not of the format. Inverse of `render`."""
    markers = find_markers(text, document_format)
    spans = [span for _, span in markers]
    if [marker for marker, _ in markers] != [*document_format.markers, document_format.end]:
        return None
    if spans[0].start != 0 or spans[-1].stop != len(text):
        return None
    bodies: list[str | tuple[str, ...]] = []
    for section, span, following in zip(document_format.sections, spans[:-1], spans[1:], strict=True):
        body = text[span.stop + 1 : following.start - 1]
        if text[span.stop : span.stop + 1] != " " or (section.whitespace == "fold" and "\n" in body):
            return None
        bodies.append(tuple(body.split(section.separator)) if section.separator else body)
    return Document(tuple(bodies))


def check_markers(form: Format, tokenizer: PreTrainedTokenizerBase) -> None:
    """Raise UserError for a marker that no generated text could have: a special token, or a changed one."""
    for marker in (*(section.marker for section in form.sections), form.end):
        ids = tokenizer(marker, add_special_tokens=False)["input_ids"]
        back = tokenizer.decode(ids, skip_special_tokens=True)
        if back.strip() != marker.strip():
            raise UserError(
                f"format '{form.name}': this base's tokenizer reads the marker {marker!r} and writes "
                f"{back!r}: it is a special token, or is changed, so that no generated text could have it. "
                "Choose another"
            )


def texts_with_special_tokens(
    texts: Iterable[str], tokenizer: PreTrainedTokenizerBase, form: AnyFormat | None
) -> int:
    """Return how many texts have a special token of the base, such as `</s>`, written inside.

    In conversations: inside a turn, where it may end it or begin another one.
    """
    added = (token.content for token in tokenizer.added_tokens_decoder.values() if token.special)
    known = {*tokenizer.all_special_tokens, *added}
    if tokenizer.unk_token != tokenizer.eos_token:  # an unknown character is no such text
        known.discard(tokenizer.unk_token)
    if not known:
        return 0
    written = re.compile("|".join(map(re.escape, sorted(known))))
    if isinstance(form, Conversation):
        texts = ("\n".join(turn.content for turn in turns.from_text(text).turns) for text in texts)
    return sum(written.search(text) is not None for text in texts)
