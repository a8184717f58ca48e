"""What is wrong with a generation: every class that fits it, each with words that say what was found."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from eval.metrics.ingredients.names import list_section, read
from eval.metrics.structure.checks import check_structure, text_after_end
from eval.metrics.words import ngrams, words
from toolkit.data.format import find_markers
from toolkit.records import Generation
from toolkit.specs import AnyFormat

STRUCTURAL = (
    "missing_marker",
    "repeated_marker",
    "out_of_order",
    "empty_section",
    "ran_to_limit",
    "text_after_end",
    "second_document",
)
"""Classes of form: a text has none of them if and only if it passes every structure check."""

CLASSES = (*STRUCTURAL, "loop", "unused_ingredients")
"""Every class, in the order of tables."""

LONG = 8
"""Words of a phrase that is a loop wherever its repetitions stand; a shorter one must repeat in a row."""
TIMES = 3
IN_A_ROW = 6
"""Words that a short phrase and its repetitions must have together: `1 cup, 1 cup, 1 cup` has."""
USED = 0.25
"""Below this share of listed ingredients mentioned, the ingredients count as never used."""
SHOWN = 60
"""Characters of a text that are quoted."""


def failures(generation: Generation, form: AnyFormat) -> dict[str, str]:
    """Class -> what is wrong, in words; empty for a text that nothing is wrong with.

    Structure is that of prompt and text together; a loop is looked for in what was written alone.
    """
    found = _structural(generation, form) if form.markers else _cut(generation)
    repeated = loop(generation.text)
    if repeated is not None:
        phrase, times, place = repeated
        found["loop"] = f"“{_short(phrase)}” {times} times{place}"
    unused = _unused(generation.document, form)
    if unused is not None:
        found["unused_ingredients"] = unused
    return found


def loop(text: str) -> tuple[str, int, str] | None:
    """A phrase that repeats, how often and how; None where none does.

    Three times in a row (six words in all), or eight words three times anywhere. Of 2,500 Wikibooks recipes,
    0.1 % have one.
    """
    said = words(text)
    numbers = {word: number for number, word in enumerate(dict.fromkeys(said))}
    ids = np.array([numbers[word] for word in said])
    best: tuple[str, int, str] | None = None
    longest = 0
    for size in range(1, LONG):
        run, stop = _longest_run(ids[size:] == ids[:-size])
        times = run // size + 1
        if times >= TIMES and times * size >= max(IN_A_ROW, longest + 1):
            start = stop - run
            longest = times * size
            best = " ".join(said[start : start + size]), times, " in a row"
    if best is None and len(said) >= LONG + TIMES:
        phrase, times = Counter(ngrams(said, LONG)).most_common(1)[0]
        if times >= TIMES:
            best = " ".join(phrase), times, ""
    return best


def _longest_run(same: NDArray[np.bool_]) -> tuple[int, int]:
    """The longest run of True: its length, and the place after it."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], same.astype(np.int8), [0]))))
    if not len(edges):
        return 0, 0
    lengths = edges[1::2] - edges[::2]
    at = int(np.argmax(lengths))
    return int(lengths[at]), int(edges[1::2][at])


def _structural(generation: Generation, form: AnyFormat) -> dict[str, str]:
    text = generation.document
    checks = check_structure(text, form, generation.ended == "end_of_text")
    found = find_markers(text, form)
    first = list(dict.fromkeys(marker for marker, _ in found))
    parts = {**{section.name: section.marker for section in form.sections}, "end": form.end}
    missing = [marker for name, marker in parts.items() if not checks[f"{name} present"]]
    again = {marker: sum(m == marker for m, _ in found) for marker in parts.values()}
    empty = [m for name, m in parts.items() if checks.get(f"{name} not empty") is False]
    wrong = {
        "missing_marker": f"lacks {', '.join(missing)}" if missing else "",
        "repeated_marker": ", ".join(f"{m} {n} times" for m, n in again.items() if n > 1),
        "out_of_order": f"the order is {', '.join(first)}" if checks["in order"] is False else "",
        "empty_section": f"nothing after {', '.join(empty)}" if empty else "",
        "ran_to_limit": "" if checks["stopped by itself"] else f"cut at {generation.tokens} tokens",
        "text_after_end": (
            f"goes on after {form.end}: “{_short(text_after_end(text, form))}”"
            if checks["nothing after end"] is False
            else ""
        ),
        "second_document": _second(text, form),
    }
    return {name: words_ for name, words_ in wrong.items() if words_}


def _cut(generation: Generation) -> dict[str, str]:
    """All that can be wrong with the form of a text without markers: it did not end."""
    ended = generation.ended == "end_of_text"
    return {} if ended else {"ran_to_limit": f"cut at {generation.tokens} tokens"}


def _second(text: str, form: AnyFormat) -> str:
    """A first section's marker after the first document's others."""
    opening, between = form.sections[0].marker, False
    begun = False
    for marker, span in find_markers(text, form):
        if marker != opening:
            between = True
        elif begun and between:
            return f"begins another: “{_short(text[span.start :])}”"
        begun = begun or marker == opening
        between = between and marker != opening
    return ""


def _unused(text: str, form: AnyFormat) -> str | None:
    recipe = read(text, form)
    if recipe is None or len(recipe.names) < 2 or not recipe.directions:
        return None
    if recipe.used >= USED * len(recipe.names):
        return None
    left = [" ".join(name) for name in recipe.names if not recipe.directions & set(name)]
    named = ", ".join(left[:4]) + (", …" if len(left) > 4 else "")
    return f"never mentions {named} ({len(left)} of {len(recipe.names)} {list_section(form)})"


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= SHOWN else text[: SHOWN - 1].rstrip() + "…"
