"""A colour, a mark and a dash for each method: from its name, and never the same for two of one study."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from matplotlib.colors import to_hex, to_rgb

from toolkit.records import BASE, MethodLook

Dash = str | tuple[int, tuple[int, ...]]

# Okabe and Ito's colours, which stay apart in the common kinds of colour blindness; without their yellow and
# black, as one vanishes on a light page and the other on a dark one.
BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILION = "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00"
PLUM, PINE, BROWN, APRICOT, MINT = "#7a4764", "#005f45", "#8a5f00", "#e69e66", "#66c5ab"
"""Darker and lighter ones, for methods that are often beside those of the same hue."""
HUES = (GREEN, PURPLE, SKY, ORANGE, BLUE, VERMILION)
MARKS = ("o", "s", "D", "^", "v", "P", "X", "p", "<", ">", "h", "*", "d", "8")
DASHES: tuple[Dash, ...] = (
    "solid",
    (0, (5, 2)),
    (0, (1, 1)),
    (0, (5, 1, 1, 1)),
    (0, (9, 2)),
    (0, (3, 1, 1, 1, 1, 1)),
)
NEAR = 0.2
"""Distance in RGB, each from 0 to 1, within which two colours are taken for one."""
FINER = (0.15, 0.3, 0.45, 0.6)
"""Shares of black or white in the shades that are left for many methods."""
FAMILIES = {
    BASE: ("#868c98", "d"),
    "full": (VERMILION, "s"),
    "lora": (BLUE, "o"),
    "dora": (SKY, "D"),
    "rslora": (PURPLE, "P"),
    "pissa": (PLUM, "p"),
    "olora": (PINE, "h"),
    "ia3": (APRICOT, "X"),
    "adalora": (MINT, "8"),
}
"""First word of a name -> look: of the methods most often compared. Any other name gets one from its hash."""
LORAS = {
    "lora-r16": (None, "o"),
    "lora-r1": ("#99c7e0", "<"),
    "lora-r256": ("#003a8c", ">"),
    "lora-attention": (GREEN, "^"),
    "lora-mlp": (ORANGE, "v"),
    "lora-plus": (BROWN, "*"),
}
"""What some kinds of LoRA have for themselves: a colour, or None for LoRA's own, and a mark."""


class Look(NamedTuple):
    """How a method is drawn."""

    colour: str
    mark: str
    dash: Dash = "solid"


def look(method: str) -> Look:
    """Return the look that a method's name asks for, the same in every study that has room for it.

    The name's first word is its family (`lora-r16` is a lora); within a family, the rank moves the shade.
    """
    family, _, _ = method.lower().partition("-")
    if family not in FAMILIES:
        number = int(hashlib.sha256(family.encode()).hexdigest(), 16)
        colour, mark = HUES[number % len(HUES)], MARKS[number // len(HUES) % 8]
    else:
        colour, mark = FAMILIES[family]
    own, mark = LORAS.get(method.lower(), (None, mark))
    rank = re.search(r"-r(\d+)\b", method.lower())
    return Look(own or (_shade_of_rank(colour, int(rank.group(1))) if rank else colour), mark)


def assign(methods: Sequence[str], chosen: Mapping[str, MethodLook] = {}) -> dict[str, Look]:
    """Return a look for each method: what the study chose, else its name's, moved where two would collide.

    No two have the same mark while there are marks (14), nor colours that are hard to tell apart while there
    are such colours (14 or a few more); none has the colour of another while there are shades (about 50), and
    no two have the same mark and dash. Methods that have a look for themselves keep it before others; among
    these, the order of ``methods`` decides, which is the study's.
    """
    looks: dict[str, Look] = {}
    first = [m for m in methods if m in chosen and (chosen[m].colour or chosen[m].mark)]
    known = [method for method in methods if _is_known(method)]
    base_last = sorted([*known, *methods], key=lambda method: method == BASE)  # it is hardly ever a line
    for method in dict.fromkeys([*first, *base_last]):
        own, wish = look(method), chosen.get(method, MethodLook())
        colour = wish.colour or _free_colour(own.colour, [other.colour for other in looks.values()])
        used = [other.mark for other in looks.values()]
        free = [other for other in (own.mark, *MARKS) if other not in used]
        mark: str = wish.mark or (free or sorted(MARKS, key=used.count))[0]
        turned = [*DASHES[len(looks) % len(DASHES) :], *DASHES[: len(looks) % len(DASHES)]]
        taken = {other.dash for other in looks.values() if other.mark == mark}
        dash = next((dash for dash in turned if dash not in taken), turned[0])
        looks[method] = Look(colour, mark, dash)
    return {method: looks[method] for method in methods}


def _is_known(method: str) -> bool:
    """Whether a method has a look that no other of these has."""
    family, _, _ = method.lower().partition("-")
    return method.lower() in LORAS or (family in FAMILIES and family != "lora")


def _free_colour(wanted: str, used: Sequence[str]) -> str:
    """The wanted colour, else the first hue, else the first shade of a hue, that is not near a used one.

    If all are near one, the shade that is farthest from those used.
    """
    shades = [_mixed(hue, toward, 0.4) for toward in (0.0, 1.0) for hue in HUES]
    for colour in (wanted, *HUES, *shades):
        if all(_distance(colour, other) >= NEAR for other in used):
            return colour
    finer = [_mixed(hue, toward, share) for share in FINER for toward in (0.0, 1.0) for hue in HUES]
    return max(finer, key=lambda colour: min(_distance(colour, other) for other in used))


def _distance(one: str, other: str) -> float:
    return float(sum((a - b) ** 2 for a, b in zip(to_rgb(one), to_rgb(other), strict=True)) ** 0.5)


def _shade_of_rank(colour: str, rank: int) -> str:
    """Lighter below rank 16, darker above: a quarter of the way for each factor of four, at most 60 %."""
    steps = (max(rank, 1).bit_length() - 5) / 2
    return _mixed(colour, 0.0 if steps > 0 else 1.0, min(0.6, abs(steps) * 0.25))


def _mixed(colour: str, toward: float, share: float) -> str:
    """The colour mixed with black (``toward`` 0) or white (1)."""
    red, green, blue = ((1 - share) * channel + share * toward for channel in to_rgb(colour))
    return to_hex((red, green, blue))
