"""Rows of three kinds -> conversations, or the reason why a row is none."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from toolkit.data.cleaning import ABSURD, RefusedError, cell_text
from toolkit.data.conversations.turns import Dialogue, Turn
from toolkit.errors import UserError
from toolkit.specs import Conversation

COLUMNS = {
    "messages": ("messages",),
    "prompt-completion": ("prompt", "completion"),
    "instruction": ("instruction", "output"),
}
"""Kind of row -> columns that it must have."""
OPTIONAL = {
    "messages": (),
    "prompt-completion": ("system",),
    "instruction": ("input", "system"),
}
"""Kind of row -> columns that it may have: read only if `fields` names them, or if a row has them."""
ROLES = {"developer": "system", "human": "user", "gpt": "assistant", "bot": "assistant", "model": "assistant"}
"""Other names of a role -> ours."""


def to_dialogue(row: Mapping[str, Any], form: Conversation, fields: Mapping[str, str]) -> Dialogue:
    """Return the conversation in a row, its text as it is. Raises RefusedError with the reason."""

    def cell(name: str) -> Any:
        if name not in fields and name in fields.values():  # the column is another's
            return None
        value = row.get(fields.get(name, name))
        return None if value is None or value != value else value  # noqa: PLR0124 - NaN: a missing text

    if form.columns == "messages":
        turns = _turns(cell("messages"), "messages")
    else:
        prompt_column, answer_column = COLUMNS[form.columns]
        turns = [
            *([Turn("system", _text(cell("system"), "system"))] if cell("system") else []),
            *_one_or_more(
                cell(prompt_column),
                prompt_column,
                "user",
                cell("input") if form.columns == "instruction" else None,
            ),
            *_one_or_more(cell(answer_column), answer_column, "assistant"),
        ]
    _check_order(turns)
    dialogue = Dialogue(tuple(turns))
    if form.choices is None:
        return dialogue
    given = None if form.columns == "messages" else cell(COLUMNS[form.columns][1])
    number = given if isinstance(given, int) and not isinstance(given, bool) else None
    return _with_choices(dialogue, row.get(form.choices), number)


def _one_or_more(value: Any, name: str, role: str, more: Any = None) -> list[Turn]:
    """A column's text as a turn, or its list of messages; ``more`` follows the text after an empty line."""
    if isinstance(value, list | tuple):
        return _turns(value, name)
    if value is None:
        raise RefusedError("an empty answer" if role == "assistant" else f"no {name}")
    text = _text(value, name)
    return [Turn(role, f"{text}\n\n{_text(more, 'input')}" if more else text)]


def _turns(value: Any, name: str) -> list[Turn]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise RefusedError(f"{name}: a list that cannot be read") from None
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        raise RefusedError(f"no {name}")
    return [_turn(message, place, name) for place, message in enumerate(value)]


def _turn(message: Any, place: int, name: str) -> Turn:
    """A message: a role and a content, by either common pair of keys; a bare text takes its turn."""
    if isinstance(message, str | int | float):
        return Turn(("user", "assistant")[place % 2], _text(message, name))
    if not isinstance(message, Mapping):
        raise RefusedError(f"{name}: not a list of roles and contents")
    role, content = message.get("role", message.get("from")), message.get("content", message.get("value"))
    if not isinstance(role, str) or content is None:
        raise RefusedError(f"{name}: not a list of roles and contents")
    role = ROLES.get(role, role)
    if role not in ("system", "user", "assistant"):
        raise RefusedError("a role other than system, user and assistant")
    return Turn(role, _text(_joined(content), name))


def _joined(content: Any) -> Any:
    """A content in parts, `[{"type": "text", "text": …}, …]`, as one text; anything else as it is."""
    if not isinstance(content, list | tuple):
        return content
    parts = [part.get("text") if isinstance(part, Mapping) else None for part in content]
    texts = [part for part in parts if isinstance(part, str)]
    if not texts or len(texts) < len(parts):
        raise RefusedError("a content with parts that are no text")
    return "".join(texts)


def _text(value: Any, name: str) -> str:
    """The text of a cell, unchanged. Raises RefusedError for what is none."""
    if isinstance(value, str) and len(value) > ABSURD:
        raise RefusedError(f"{name}: over {ABSURD:,} characters")
    return cell_text(value, name, "not a text")


def _check_order(turns: Sequence[Turn]) -> None:
    spoken = turns[1:] if turns[0].role == "system" else turns
    if any(turn.role != ("user", "assistant")[place % 2] for place, turn in enumerate(spoken)):
        raise RefusedError("roles out of order: after a system turn, user and assistant take turns")
    if not spoken or len(spoken) % 2:
        raise RefusedError("no answer at the end")
    for turn in turns:
        if not turn.content.strip():
            raise RefusedError("an empty answer" if turn.role == "assistant" else "an empty turn")


def _with_choices(dialogue: Dialogue, value: Any, number: int | None) -> Dialogue:
    """Add the possible answers. The answer is one of them, or its number counted from 0.

    ``number``: the answer's cell if it is a number and no text. Digits that are a choice and the number of
    another one are refused. Raises UserError for the number after the last: then all are counted from 1.
    """
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            value = None
    if not isinstance(value, list | tuple) or len(value) < 2:
        raise RefusedError("choices: not a list of two or more")
    choices = tuple(_text(choice, "choices") for choice in value)
    answer = dialogue.answer
    counted = number if number is not None else int(answer) if answer.isdecimal() else None
    if counted is not None and 0 <= counted < len(choices):
        if number is None and answer in choices and choices[counted] != answer:
            raise RefusedError("choices: the answer is one of them and the number of another")
        answer = choices[counted]
    elif counted == len(choices) and answer not in choices:
        raise UserError(
            f"choices: an answer is number {counted}, and {counted} choices are counted from 0 to "
            f"{counted - 1}. If yours are counted from 1, each would be taken for the next one: give the "
            "answer's text, or subtract 1"
        )
    if answer not in choices:
        raise RefusedError("choices: the answer is none of them")
    if len(set(choices)) < len(choices) or not all(choice.strip() for choice in choices):
        raise RefusedError("choices: empty, or two are the same")
    return Dialogue((*dialogue.turns[:-1], Turn("assistant", answer)), choices)
