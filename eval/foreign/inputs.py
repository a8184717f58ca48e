"""What callers of `score` and `compare` pass, checked: texts and how they ended, by seed, and a format."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from numbers import Integral
from typing import cast

from toolkit.catalog import document_format
from toolkit.errors import UserError
from toolkit.specs import Conversation, Format

Texts = Sequence[str]
"""One text per document."""
Seeds = Sequence[Texts]
"""One list of texts per seed, each over the same documents."""
Endings = Sequence[bool] | Sequence[Sequence[bool]]
"""Whether the model ended each text by itself; one such list per seed if there are several."""


_HALF = re.compile(r"[\ud800-\udfff]")


def texts_of(given: object, name: str) -> list[str]:
    """Return a list of texts. UserError for anything else, such as several references of a text."""
    values = _values(given, name)
    for text in values:
        if not isinstance(text, str):
            raise UserError(f"{name}: expected one text per document, got {_shown(text)}")
        if _HALF.search(text):
            raise UserError(f"{name}: {text!r:.60} is no Unicode text: it holds half a surrogate pair")
    return cast("list[str]", values)


def seeds_of(given: object, name: str) -> list[list[str]]:
    """Return one list of texts per seed, whichever of the two forms came."""
    values = _values(given, name)
    if all(isinstance(text, str) for text in values):
        return [texts_of(values, name)]
    if any(isinstance(text, str) for text in values) or not all(isinstance(run, Sequence) for run in values):
        wrong = next(value for value in values if not isinstance(value, str))
        raise UserError(
            f"{name}: expected a list of texts, or one list of texts per seed, got {_shown(wrong)} in it"
        )
    return [texts_of(run, name) for run in values]


def endings_of(given: Endings | None, runs: Seeds, name: str) -> list[list[bool]]:
    """Return whether the model ended each text, one list per seed; if None is given, all did."""
    if given is None:
        return [[True] * len(texts) for texts in runs]
    values = _values(given, name, "True and False")
    by_seed = bool(values) and all(isinstance(v, Iterable) and not isinstance(v, str) for v in values)
    seeds = [_values(value, name, "True and False") for value in values] if by_seed else [values]
    if len(seeds) != len(runs):
        raise UserError(f"{name}: {len(seeds)} lists for {len(runs)} seeds: give one list per seed")
    for texts, ended in zip(runs, seeds, strict=True):
        if len(ended) != len(texts):
            raise UserError(
                f"{len(texts)} predictions and {len(ended)} values of '{name}': give one per document"
            )
        if wrong := [value for value in ended if isinstance(value, Iterable) or value not in (True, False)]:
            raise UserError(f"{name}: expected True or False per document, got {_shown(wrong[0])}")
    return [[bool(value) for value in ended] for ended in seeds]


def format_of(given: str | Format | None) -> Format | None:
    """Return the format of a name; None for None. UserError for conversations, which texts alone are not."""
    if isinstance(given, str):
        return format_named(given)
    if isinstance(given, Conversation):
        raise _of_conversations(given.name)
    return given


def format_named(name: str) -> Format:
    """Return the format of the catalog. UserError for conversations."""
    form = document_format(name)
    if isinstance(form, Conversation):
        raise _of_conversations(form.name)
    return form


def seed_of(given: object) -> int:
    """Return the seed of random draws. UserError unless it is a whole number from 0 on."""
    if isinstance(given, bool) or not isinstance(given, Integral) or given < 0:
        raise UserError(f"seed: expected a whole number from 0 on, got {_shown(given)}")
    return int(given)


def _of_conversations(name: str) -> UserError:
    return UserError(
        f"format '{name}' is of conversations: leave `format` out and give the answers as texts, or compare "
        "methods on conversations with bakeoff.study"
    )


def _values(given: object, name: str, what: str = "texts") -> list[object]:
    if isinstance(given, str) or not isinstance(given, Iterable):
        kind = "one string" if isinstance(given, str) else _shown(given)
        raise UserError(f"{name}: expected a list of {what}, got {kind}")
    if isinstance(given, set | frozenset):
        raise UserError(f"{name}: a {type(given).__name__} has no order to pair documents by: give a list")
    return list(given)


def _shown(value: object) -> str:
    return "None" if value is None else f"{type(value).__name__}: {value!r:.60}"
