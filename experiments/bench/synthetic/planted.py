"""A CSV of RecipeNLG's shape with known near-copies, to measure the data module against the truth."""

from __future__ import annotations

import csv
import json
import random
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any

COLUMNS = ("", "title", "ingredients", "directions", "link", "source", "NER")
COPIES = 0.05
"""Share of the rows that are near-copies (Jaccard similarity at least 0.9) of an earlier row."""
EXACT = 0.02
"""Share of rows that repeat an earlier row exactly."""
BROKEN = 0.003
"""Share that must be refused: a list cut off, a missing part, a cell too few."""
REPEATED_TITLES = 0.41
"""Share of the rows that take an earlier row's title, as in RecipeNLG."""
_UNITS = ("cup", "c.", "tsp.", "Tbsp.", "lb.", "oz.", "can", "pkg.", "clove", "pinch")
_FILLERS = (
    "the",
    "and",
    "until",
    "in",
    "with",
    "to",
    "a",
    "over",
    "into",
    "for",
    "on",
    "of",
    "then",
    "from",
    "at",
)
_VERBS = (
    "mix",
    "bake",
    "stir",
    "pour",
    "add",
    "combine",
    "cook",
    "heat",
    "chop",
    "beat",
    "serve",
    "cover",
    "drain",
)
_STOCK = (
    "Preheat oven to 350 degrees.",
    "Bake at 350 degrees for 30 minutes.",
    "Mix all ingredients together in a large bowl.",
    "Serve warm or cold.",
    "Let cool before serving.",
)


@dataclass
class Truth:
    """What was planted. Rows that must be refused are counted apart and have no place in the lists."""

    broken: int = 0
    families: list[int] = field(default_factory=list)
    """For each good row in order, the number of the row it is a copy of, or its own."""
    near: list[tuple[int, int]] = field(default_factory=list)
    """(original, copy), numbers of good rows, with Jaccard similarity of at least 0.9."""


@dataclass(frozen=True)
class _Recipe:
    title: str
    ingredients: list[str]
    directions: list[str]


def triples(recipe_words: list[str]) -> set[tuple[str, ...]]:
    """Sets of three consecutive words, the unit of similarity."""
    return set(zip(recipe_words, recipe_words[1:], recipe_words[2:], strict=False))


def similarity(one: list[str], other: list[str]) -> float:
    """Exact Jaccard similarity of two lists of words."""
    a, b = triples(one), triples(other)
    return len(a & b) / len(a | b)


class _Kitchen:
    """Draws recipes from a fixed vocabulary with the long tail of a real one."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        letters = "abcdefghijklmnoprstuvw"
        self.words = [
            "".join(self.random.choices(letters, k=self.random.randint(3, 9))) for _ in range(20_000)
        ]
        self.weights = list(accumulate(1 / (rank + 5) for rank in range(len(self.words))))

    def names(self, count: int) -> list[str]:
        return self.random.choices(self.words, cum_weights=self.weights, k=count)

    def recipe(self) -> _Recipe:
        draw = self.random
        things = self.names(draw.randint(4, 12))
        ingredients = [f"{draw.randint(1, 9)} {draw.choice(_UNITS)} {thing}" for thing in things]
        directions = []
        for _ in range(draw.randint(3, 12)):
            if draw.random() < 0.2:
                directions.append(draw.choice(_STOCK))
                continue
            words = [draw.choice(_VERBS)]
            for _ in range(draw.randint(2, 5)):
                words += [draw.choice(_FILLERS), draw.choice(things), *self.names(1)]
            directions.append(" ".join(words).capitalize() + ".")
        title = " ".join(self.names(draw.randint(2, 4))).title()
        return _Recipe(title, ingredients, directions)

    def near_copy(self, recipe: _Recipe) -> _Recipe | None:
        """The recipe with another title and a few words changed, at a similarity of 0.9 or more."""
        steps = [step.split(" ") for step in recipe.directions]
        before = _words(recipe)
        best = None
        for _ in range(self.random.randint(1, 4)):
            step = self.random.choice(steps)
            step[self.random.randrange(len(step))] = self.names(1)[0]
            changed = _Recipe(recipe.title + " Deluxe", recipe.ingredients, [" ".join(s) for s in steps])
            if similarity(before, _words(changed)) < 0.9:
                break
            best = changed
        return best


def _words(recipe: _Recipe) -> list[str]:
    return " ".join([*recipe.ingredients, *recipe.directions]).lower().replace(".", " ").split()


def write(path: Path, rows: int, seed: int = 0) -> Truth:
    """Write ``rows`` rows and say what was planted among them."""
    kitchen = _Kitchen(seed)
    draw = kitchen.random
    truth = Truth()
    seen: list[tuple[int, _Recipe]] = []  # originals that copies are drawn from
    titles: list[str] = []
    with path.open("w", encoding="utf-8", newline="") as stream:
        out = csv.writer(stream)
        out.writerow(COLUMNS)
        for number in range(rows):
            kind = draw.random()
            if kind < BROKEN and seen:
                _broken(out, number, seen[-1][1], draw.randrange(3))
                truth.broken += 1
                continue
            recipe, family = None, len(truth.families)
            if seen and kind < BROKEN + EXACT:
                family, recipe = draw.choice(seen)
            elif seen and kind < BROKEN + EXACT + COPIES:
                original, base = draw.choice(seen)
                recipe = kitchen.near_copy(base)
                if recipe is not None:
                    truth.near.append((original, len(truth.families)))
                    family = original
            if recipe is None:
                recipe = kitchen.recipe()
                if titles and draw.random() < REPEATED_TITLES:
                    recipe = _Recipe(draw.choice(titles), recipe.ingredients, recipe.directions)
                titles.append(recipe.title)
                seen.append((family, recipe))
                if len(seen) > 5_000:  # copies lie near and far
                    seen[draw.randrange(5_000)] = seen.pop()
                    titles = titles[-5_000:]
            truth.families.append(family)
            out.writerow(_cells(number, recipe))
    return truth


def _cells(number: int, recipe: _Recipe) -> list[str]:
    link = f"www.example.org/recipe/{number}"
    named = json.dumps([item.split(" ", 2)[2] for item in recipe.ingredients])
    lists = [json.dumps(recipe.ingredients), json.dumps(recipe.directions)]
    return [str(number), recipe.title, *lists, link, "Gathered", named]


def _broken(out: Any, number: int, recipe: _Recipe, kind: int) -> None:
    cells = _cells(number, recipe)
    if kind == 0:
        cells[2] = cells[2][:-4]
    elif kind == 1:
        cells[3] = "[]"
    else:
        cells.pop()
    out.writerow(cells)
