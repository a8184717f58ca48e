"""Names of ingredients, from lines such as `2 cups (250 g) flour, sifted`, and where a text mentions them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from eval.metrics.base import Context
from eval.metrics.texts import to_end
from eval.metrics.words import folded
from toolkit.data.format import section_bodies
from toolkit.specs import AnyFormat

SIGNATURE = "names:last-two-words,en"
SEEN = 3
"""A word is known as an ingredient's if it ends a name in at least so many training texts, and most of the
texts that mention it list it: `butter` is, `piece` is not."""

_UNITS = (
    "teaspoon tsp tablespoon tbsp tbs cup ounce oz fl fluid us pound lb gram g kilogram kg mg "
    "milliliter millilitre ml cl dl deciliter liter litre l pint pt quart qt gallon pinch dash drop "
    "handful bunch sprig clove slice piece can tin jar package packet pkg bag box bottle stick stalk "
    "head ear sheet inch cm part splash knob"
)
_OTHERS = (
    "a an and or of the to for with in into from on at as if by about approximately each plus more "
    "less not per e eg etc optional optionally preferably taste needed desired such any other some "
    "your choice see note like used use also which one two three four five six fresh freshly dried "
    "dry ground large medium small big extra thin thinly thick finely coarsely roughly chopped diced "
    "minced sliced grated shredded crushed peeled cubed beaten melted softened cooked uncooked raw "
    "ripe whole halved quartered divided cut hot cold warm boiling room temperature all purpose good "
    "quality lightly well very"
)
_NOT_NAMES = frozenset(folded(f"{_UNITS} {_OTHERS}"))
_ASIDE = re.compile(r"\([^)]*\)?")
_PARTS = re.compile(r"[,;]")


class Recipe(NamedTuple):
    """What the metrics read of a document with a list section and sections after it."""

    names: list[tuple[str, ...]]
    """Of each listed ingredient, the last one or two words of its name."""
    directions: set[str]
    """Words of the sections after the list."""

    @property
    def used(self) -> int:
        """Listed ingredients of whose names a word stands in the directions."""
        return sum(any(word in self.directions for word in name) for name in self.names)

    @property
    def heads(self) -> set[str]:
        """The last word of each name: what the ingredient is."""
        return {name[-1] for name in self.names}


def name_words(item: str) -> tuple[str, ...]:
    """The last one or two words of the ingredient's name; none for a line that has no name.

    Asides in brackets, what stands after a comma, numbers, units and ways of preparing are no name.
    """
    for part in _PARTS.split(_ASIDE.sub(" ", item)):
        name = [word for word in folded(part) if word not in _NOT_NAMES]
        if name:
            return tuple(name[-2:])
    return ()


def list_section(form: AnyFormat) -> str | None:
    """The name of the first section that is a list, if any section follows it."""
    for section in form.sections[:-1]:
        if section.separator is not None:
            return section.name
    return None


def read(text: str, form: AnyFormat) -> Recipe | None:
    """Ingredients and directions of any text; None where the format has no list section."""
    listed = list_section(form)
    if listed is None:
        return None
    bodies = section_bodies(to_end(text, form), form)
    names = [section.name for section in form.sections]
    place = names.index(listed)
    items = bodies.get(listed, "").split((form.sections[place].separator or ",").strip() or None)
    later = " ".join(bodies.get(name, "") for name in names[place + 1 :])
    return Recipe([name for item in items if (name := name_words(item))], set(folded(later)))


def known_heads(context: Context) -> frozenset[str]:
    """Words known to be an ingredient's: from the training texts, or the references if there are none."""
    if context.train:
        return context.from_train("known_heads", lambda: _known(context.train, context.form))
    references = (outcome.reference for outcome in context.outcomes)
    return context.from_outcomes("known_heads", lambda: _known(references, context.form))


def _known(texts: Iterable[str], form: AnyFormat) -> frozenset[str]:
    listed: Counter[str] = Counter()
    mentioned: Counter[str] = Counter()
    both: Counter[str] = Counter()
    for text in texts:
        recipe = read(text, form)
        if recipe is not None:
            words = {word for name in recipe.names for word in name}
            listed.update(recipe.heads)
            mentioned.update(recipe.directions)
            both.update(recipe.directions & words)
    return frozenset(word for word in listed if listed[word] >= SEEN and 2 * both[word] > mentioned[word])
