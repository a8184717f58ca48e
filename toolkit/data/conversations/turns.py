"""A conversation as a stored text: canonical JSON of its turns."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

from toolkit.specs import Conversation


class Turn(NamedTuple):
    """One message."""

    role: str
    """`system`, `user` or `assistant`."""
    content: str


class Dialogue(NamedTuple):
    """A conversation that ends in an answer."""

    turns: tuple[Turn, ...]
    choices: tuple[str, ...] = ()
    """Possible last answers, the right one among them; empty if the question is an open one."""

    @property
    def title(self) -> str:
        """The contents of all turns before the last answer."""
        return "\n".join(turn.content for turn in self.turns[:-1])

    @property
    def answer(self) -> str:
        """The content of the last turn."""
        return self.turns[-1].content

    @property
    def contents(self) -> str:
        """The contents of all turns, a line each."""
        return f"{self.title}\n{self.answer}"

    @property
    def bodies(self) -> tuple[str, str]:
        """What stands for the sections of a document: what is prompted with, and the whole conversation.

        Near-copies are conversations whose second body is alike. A system turn is in neither: it may be the
        same long text everywhere.
        """
        spoken = [turn.content for turn in self.turns if turn.role != "system"]
        return "\n".join(spoken[:-1]), "\n".join(spoken)

    @property
    def messages(self) -> list[dict[str, str]]:
        """The turns as a chat template takes them."""
        return [turn._asdict() for turn in self.turns]


def to_text(dialogue: Dialogue) -> str:
    """Return the canonical JSON of a conversation. Inverse of `from_text`."""
    value: dict[str, Any] = {"messages": dialogue.messages}
    if dialogue.choices:
        value["choices"] = list(dialogue.choices)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@lru_cache(maxsize=4096)
def from_text(text: str) -> Dialogue:
    """Return the conversation in a stored text."""
    value = json.loads(text)
    turns = tuple(Turn(message["role"], message["content"]) for message in value["messages"])
    return Dialogue(turns, tuple(value.get("choices", ())))


def answer_bytes(dialogue: Dialogue, form: Conversation, shown: Callable[[str], str]) -> int:
    """Return the UTF-8 bytes of the answers that the format trains on, as a template has ``shown`` them."""
    answers = dialogue.turns if form.columns == "messages" else dialogue.turns[-1:]
    return sum(len(shown(turn.content).encode()) for turn in answers if turn.role == "assistant")
