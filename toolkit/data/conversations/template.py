"""A chat template at work: a conversation's text, token ids, and the tokens that are an answer's."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.catalog import CATALOG
from toolkit.data.conversations.labels import CONTEXT, END, LABEL
from toolkit.data.conversations.turns import Dialogue, from_text
from toolkit.errors import UserError, one_line, unknown_name
from toolkit.specs import AnyFormat, Conversation
from toolkit.specs.reading import LARGEST_FILE

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

TEMPLATES = CATALOG / "templates"
"""The templates that come with the catalog."""
_MARKS = re.compile(r"\{%[-+]?\s*generation\s*[-+]?%\}")
_PROBE = "Vermilion"
_REMEDY = "Correct it, or name another one as `template` of the format"
_LOOKED_AT = 2_000
_DAY = date(2024, 7, 26)
_DATED = (
    "{% macro strftime_now(form) %}{{ form"
    + "".join(f" | replace('%{code}', '{_DAY.strftime('%' + code)}')" for code in "dbBYymHMSAaj")
    + " }}{% endmacro %}"
)
"""Today, to a template that prints the date: the same conversation is the same text on every day."""


def template_text(name: str) -> str:
    """Return the text of a catalog's template or of a `.jinja` file. Raises UserError if there is none."""
    known = _names()
    path = Path(name) if name.endswith(".jinja") else TEMPLATES / f"{name}.jinja"
    if not name.endswith(".jinja") and name not in known:
        raise unknown_name("chat template", name, known)
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise UserError(f"{path}: larger than {LARGEST_FILE:,} bytes: not a chat template")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UserError(f"cannot read chat template {path}: {reason}") from error
    if not text.strip():
        raise UserError(f"chat template {path} is empty")
    return text


def _names() -> list[str]:
    return sorted(file.stem for file in TEMPLATES.glob("*.jinja"))


def rendering(form: AnyFormat) -> list[str]:
    """Return what of a format decides the labels of a conversation besides its text; nothing for documents.

    The template is given by its content: another text of the same name makes another run.
    """
    if not isinstance(form, Conversation):
        return []
    rule = (
        form.train_on
        if form.train_on == "everything"
        else ("every answer" if form.columns == "messages" else "last answer")
    )
    return [template_text(form.template) if form.template else "of the tokenizer", rule]


class ChatTemplate:
    """Renders conversations of one format with one tokenizer."""

    def __init__(self, form: Conversation, tokenizer: PreTrainedTokenizerBase) -> None:
        """Raise UserError if the format names no template and the tokenizer has none."""
        own = tokenizer.chat_template
        if isinstance(own, dict):
            own = own.get("default")
        if form.template is None and not own:
            names = ", ".join(_names())
            raise UserError(
                f"format '{form.name}': the base model's tokenizer has no chat template. Name one in the "
                f"format, `template:` {names}, or the path of a .jinja file"
            )
        self.form, self.tokenizer = form, tokenizer
        self.text: str = template_text(form.template) if form.template else str(own)
        """The template itself."""
        self._dated = _DATED + self.text if "strftime_now" in self.text else self.text

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return f"chat template '{self.form.template or 'of the tokenizer'}'"

    @property
    def marked(self) -> bool:
        """Whether the template marks what the assistant writes with `{% generation %}`."""
        return _MARKS.search(self.text) is not None

    def render(self, messages: Sequence[dict[str, str]], *, prompt: bool = False) -> str:
        """Return the text of some turns; with ``prompt`` up to where the assistant begins to write."""
        return str(self._apply(messages, tokenize=False, add_generation_prompt=prompt))

    def prompt(self, dialogue: Dialogue) -> str:
        """Return what the model is prompted with: all turns before the last answer."""
        return self.render(dialogue.messages[:-1], prompt=True)

    def question(self, text: str) -> str:
        """Return what the model is prompted with for one user's message, to which nothing came before."""
        return self.render([{"role": "user", "content": text}], prompt=True)

    def ids(self, messages: Sequence[dict[str, str]], *, prompt: bool = False) -> list[int]:
        """Return the token ids of `render`."""
        encoded = self._apply(messages, tokenize=True, return_dict=True, add_generation_prompt=prompt)
        return list(encoded["input_ids"])

    def encode(self, dialogue: Dialogue) -> tuple[list[int], bytes]:
        """Return a conversation's token ids, and the kind of each: `CONTEXT`, `LABEL` or `END`.

        Labels are those of TRL's SFTTrainer. `everything` is every token. Of `prompt-completion` and
        `instruction` rows, labels are all that follows the tokens which the prompt has in common with the
        whole; of `messages` what the template marks with `{% generation %}`, or if it marks nothing the same
        rule for each answer. Raises UserError if the template raises, or leaves the answer out.
        """
        ids = self.ids(dialogue.messages)
        if self.form.train_on == "everything":
            labels = [True] * len(ids)
        elif self.form.columns != "messages":
            labels = self._between(dialogue, ids, [len(dialogue.turns) - 1])
        elif self.marked:
            labels = self._marked(dialogue)
        else:
            answers = [place for place, turn in enumerate(dialogue.turns) if turn.role == "assistant"]
            labels = self._between(dialogue, ids, answers)
        if dialogue.answer.strip() not in self.render(dialogue.messages) or not any(labels[1:]):
            answer = dialogue.answer.strip()[:60]
            raise UserError(f"{self.name}: leaves out the answer '{answer}'. {_REMEDY}")
        return ids, self._kinds(ids, labels)

    def last_answer(self, dialogue: Dialogue) -> tuple[list[int], bytes]:
        """Return what `encode` does, with the last answer's tokens as the only labels."""
        ids = self.ids(dialogue.messages)
        return ids, self._kinds(ids, self._between(dialogue, ids, [len(dialogue.turns) - 1]))

    def check(self, roles: Sequence[str]) -> None:
        """Raise UserError unless, in a made-up conversation, answers follow their prompts and the last ends.

        A template that writes something else there in training than in asking, such as an empty block of
        thoughts, would have labels and likelihoods of more than the answer, or of nothing.
        """
        messages = [{"role": role, "content": f"{_PROBE} {place}"} for place, role in enumerate(roles)]
        whole = self.render(messages)
        answers = [place for place, role in enumerate(roles) if role == "assistant"]
        every = self.form.columns == "messages" and self.form.train_on != "everything"
        for place in answers if every else answers[-1:]:
            prompt = self.render(messages[:place], prompt=True).rstrip()
            rest = whole[len(prompt) :].lstrip()
            if not (whole.startswith(prompt) and rest.startswith(messages[place]["content"])):
                raise UserError(
                    f"{self.name}: in turns of {', '.join(roles)} an answer does not follow its prompt: "
                    f"after {prompt[-40:]!r} comes {rest[:40]!r}. Labels and likelihoods would not be the "
                    f"answer's. {_REMEDY}"
                )
        last = messages[answers[-1]]["content"]
        rest = whole[whole.rfind(last) + len(last) :]
        ends = self.tokenizer(rest, add_special_tokens=False)["input_ids"] if rest else []
        if not {*ends} & {*self.stops}:
            raise UserError(
                f"{self.name}: what follows an answer, {rest!r}, has no token by which a text of this base "
                f"ends, so that no answer would end. {_REMEDY}"
            )

    @cached_property
    def stops(self) -> tuple[int, ...]:
        """Ids that end a turn: the special token after an answer, and end-of-text."""
        turns = [{"role": "user", "content": "Which colour?"}, {"role": "assistant", "content": _PROBE}]
        text = self.render(turns)
        after = text[text.rfind(_PROBE) + len(_PROBE) :]
        first = self.tokenizer(after, add_special_tokens=False)["input_ids"][:1] if _PROBE in text else []
        special = {*self.tokenizer.all_special_ids, *self.tokenizer.get_added_vocab().values()}
        end = int(self.tokenizer.eos_token_id)
        return tuple(dict.fromkeys([*(i for i in first if i in special), end]))

    def shown(self, answer: str) -> str:
        """Return an answer as the template renders it: some cut off white space at its ends."""
        left, right = self._trims
        answer = answer.lstrip() if left else answer
        return answer.rstrip() if right else answer

    @cached_property
    def _trims(self) -> tuple[bool, bool]:
        """Whether white space before, and after, an answer is cut off."""
        answer = f" \n{_PROBE}\n "
        text = self.render(
            [{"role": "user", "content": "Which colour?"}, {"role": "assistant", "content": answer}]
        )
        return f" \n{_PROBE}" not in text, f"{_PROBE}\n " not in text

    def _between(self, dialogue: Dialogue, ids: list[int], answers: Sequence[int]) -> list[bool]:
        """Which ids are of the answers, by rendering the turns before each of them, and those up to it."""
        labels = [False] * len(ids)
        messages = dialogue.messages
        for place in answers:
            start = _common(self.ids(messages[:place], prompt=True), ids)
            last = place == len(messages) - 1
            stop = len(ids) if last else _common(self.ids(messages[: place + 1]), ids)
            labels[start:stop] = [True] * (stop - start)
        return labels

    def _marked(self, dialogue: Dialogue) -> list[bool]:
        encoded = self._apply(
            dialogue.messages, tokenize=True, return_dict=True, return_assistant_tokens_mask=True
        )
        return [bool(bit) for bit in encoded["assistant_masks"]]

    def _kinds(self, ids: list[int], labels: list[bool]) -> bytes:
        """Kind of each token. What follows an answer's last stop, a line end, ends the turn too."""
        kinds = bytearray(LABEL if label else CONTEXT for label in labels)
        ending = False
        for place, token in enumerate(ids):
            ending = labels[place] and (
                token in self.stops or (ending and not self.tokenizer.decode([token]).strip())
            )
            if ending:
                kinds[place] = END
        return bytes(kinds)

    def _apply(self, messages: Sequence[dict[str, str]], **options: Any) -> Any:
        try:
            return self.tokenizer.apply_chat_template(list(messages), chat_template=self._dated, **options)
        except Exception as error:  # a template is a program of somebody else's, and may raise anything
            roles = ", ".join(message["role"] for message in messages)
            reason = one_line(error).rstrip(".")
            raise UserError(f"{self.name}: refuses a conversation of {roles}: {reason}. {_REMEDY}") from error


def check_template(form: Conversation, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> None:
    """Encode the first stored conversation of each order of roles, among the first 2,000 of ``texts``.

    Raises UserError if the tokenizer has no template, if it raises or leaves the answer out, and if answers
    do not follow their prompts or do not end (`ChatTemplate.check`).
    """
    template = ChatTemplate(form, tokenizer)
    first: dict[tuple[str, ...], Dialogue] = {}
    for text in texts[:_LOOKED_AT]:
        dialogue = from_text(text)
        first.setdefault(tuple(turn.role for turn in dialogue.turns), dialogue)
    for dialogue in first.values():
        template.encode(dialogue)
        template.check([turn.role for turn in dialogue.turns])


def set_template(tokenizer: PreTrainedTokenizerBase, form: AnyFormat | None) -> None:
    """Give a tokenizer the template of a conversation's format, so that it is saved with the model."""
    if isinstance(form, Conversation):
        tokenizer.chat_template = ChatTemplate(form, tokenizer).text


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    """How many leading ids two rows have in common."""
    for place, (first, second) in enumerate(zip(one, other, strict=False)):
        if first != second:
            return place
    return min(len(one), len(other))
