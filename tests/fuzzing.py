"""Values for fuzzing, and the one rule for what they meet: an answer or a UserError of one line, and soon."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from toolkit.errors import UserError

SECONDS = 5.0
"""Longest answer to one input, in seconds of this process's own work: a busy machine breaks no test."""
QUICK = settings(
    max_examples=40, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
"""In the default tests: few examples, the same each time."""
LONG = settings(
    max_examples=3000, deadline=None, database=None, print_blob=True, suppress_health_check=list(HealthCheck)
)
"""Behind the marker `slow`: many, and others each time."""

ODD_TEXT = st.sampled_from(
    [
        "", " ", "\n", "\x00", "\x1b[31m", "\u202eab", "\u2028", "½", "🍜", "[END]", "RECIPE:", "null", "~",
        "{", "[" * 50, "a: " * 30, "&a [*a]", "*a", "!!python/object:os.system x", "<<: {}", "---\n---", "on",
        "9" * 5000, "-0", ".nan", ".inf", "0x1f",
        "$\\frac{$", "\\input{/etc/passwd}", "<script>", "| a |", "1e999",
        "../../x", "/etc/passwd", "a=b=c", "=", "x" * 300, "`" * 9, "-" * 40, "1_000", "\ud800",
    ]
)  # fmt: skip
TEXT = st.one_of(ODD_TEXT, st.text(max_size=40))
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXT, inner, max_size=4)),
    max_leaves=8,
)


@contextmanager
def one_line_and_soon() -> Iterator[list[str]]:
    """Let a UserError pass, which the command prints as one line; all else, or more than `SECONDS`, fails.

    The list holds the line afterwards, and stays empty if nothing was refused.
    """
    refusals: list[str] = []
    began = time.process_time()
    try:
        yield refusals
    except UserError as error:
        refusals.append(" ".join(str(error).split()))
        assert refusals[0]
        assert len(str(error)) < 4000, f"a line of {len(str(error)):,} characters"
    assert time.process_time() - began < SECONDS


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value, from the whole to its leaves."""
    found = [at]
    if isinstance(value, dict):
        found += [place for key in value for place in places(value[key], (*at, key))]
    elif isinstance(value, list):
        found += [place for i in range(len(value)) for place in places(value[i], (*at, i))]
    return found


def changed(value: Any, at: tuple[Any, ...], change: Callable[[Any], Any]) -> Any:
    """The JSON value with ``change`` applied at one place."""
    if not at:
        return change(value)
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[at[0]] = changed(value[at[0]], at[1:], change)
    return copy


@st.composite
def mutated_json(draw: Any, original: Any) -> bytes:
    """A JSON text with one to three changes: a value replaced, a key added or taken out, bytes flipped."""
    value = original
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.sampled_from(places(value)))
        kind = draw(st.sampled_from(["replace", "remove", "add"]))
        new, key = draw(VALUES), draw(TEXT)

        def change(old: Any, kind: str = kind, new: Any = new, key: str = key) -> Any:
            if kind == "replace" or not old or not isinstance(old, dict | list):
                return new
            if isinstance(old, list):
                return old[1:] if kind == "remove" else [*old, new]
            return (
                {k: v for k, v in old.items() if k != next(iter(old))}
                if kind == "remove"
                else {**old, key: new}
            )

        value = changed(value, at, change)
    text = json.dumps(value).encode()
    if draw(st.booleans()):
        place = draw(st.integers(0, len(text) - 1))
        text = text[:place] + bytes([draw(st.integers(0, 255))]) + text[place + 1 :]
    return text[: draw(st.integers(0, len(text)))] if draw(st.integers(0, 9)) == 0 else text
