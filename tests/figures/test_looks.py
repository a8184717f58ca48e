"""A look follows from a method's name, and two methods of one study never look alike."""

from __future__ import annotations

import pytest

from figures.looks import FAMILIES, LORAS, NEAR, _distance, assign, look
from toolkit.records import MethodLook


def test_a_look_follows_from_the_name() -> None:
    """Known families; ranks as shades; other names by their hash."""
    assert look("lora-r16").colour == FAMILIES["lora"][0] == "#0072b2"
    assert len({look(f"lora-r{rank}").colour for rank in (1, 4, 16, 64, 256)}) == 5
    assert look("mine") == ("#cc79a7", "P", "solid")  # in every process: Python's own hash differs


def test_rank_four_is_a_quarter_of_the_way_to_white() -> None:
    """#0072b2 = (0, 114, 178); 0.75 x + 0.25 x 255 = (64, 149, 197) = #4095c5."""
    assert look("lora-r4").colour == "#4095c5"


@pytest.mark.parametrize(
    "methods",
    [
        ("base", "full", "lora-r16", "lora-attention", "lora-mlp"),
        ("base", "lora-r16", "lora-plus", "pissa", "dora-r16", "rslora-r16", "full"),
        ("exp-1", "exp-2", "exp-3", "my-lora", "my-lora-regex", "my-vera", "last-2-layers", "lokr"),
    ],
)
def test_methods_that_share_a_first_word_look_different(methods: tuple[str, ...]) -> None:
    """Colours and marks all differ: readable in colour, and in black and white."""
    looks = assign(methods)
    assert list(looks) == list(methods)
    assert len({one.colour for one in looks.values()}) == len(methods)
    assert len({one.mark for one in looks.values()}) == len(methods)


def test_twenty_methods_differ_in_mark_and_dash() -> None:
    """14 marks, then the same marks with other dashes."""
    looks = assign([f"exp-{number}" for number in range(20)])
    assert len({one.mark for one in looks.values()}) == 14
    assert len({(one.mark, one.dash) for one in looks.values()}) == 20


def test_no_colour_of_forty_methods_is_used_twice() -> None:
    """The first 14 lie 0.2 apart; the others are the shades farthest from those used, none less than 0.05."""
    looks = [*assign([f"exp-{number}" for number in range(40)]).values()]
    assert len({one.colour for one in looks}) == 40
    nearest = [
        min(_distance(one.colour, other.colour) for other in looks[:n]) for n, one in enumerate(looks) if n
    ]
    assert min(nearest[:13]) >= NEAR
    assert min(nearest) > 0.05


def test_the_first_of_a_study_keeps_its_look_and_the_second_moves() -> None:
    """lora-r16 is blue with a circle, as alone; lora-mine, another LoRA, is neither."""
    looks = assign(["lora-r16", "lora-mine"])
    assert looks["lora-r16"][:2] == look("lora-r16")[:2]
    assert looks["lora-mine"].colour != look("lora-mine").colour


def test_a_common_method_looks_the_same_in_every_study() -> None:
    """The methods of five published studies in their orders, and unknown names before all of them."""
    common = ["full", *LORAS, "dora", "rslora", "pissa", "olora", "ia3", "adalora"]
    alone = {method: look(method)[:2] for method in common}
    assert len({mark for _, mark in alone.values()}) == len(common)
    for study in (common, common[::-1], ["exp-1", "exp-2", "lora-mine", "vera", *common]):
        looks = assign(["base", *study])
        assert {method: looks[method][:2] for method in common} == alone


def test_a_study_chooses_and_the_others_make_room() -> None:
    """ia3 is given LoRA's blue and circle: LoRA takes others."""
    looks = assign(["lora-r16", "ia3"], {"ia3": MethodLook(colour="#0072b2", mark="o")})
    assert looks["ia3"][:2] == ("#0072b2", "o")
    assert looks["lora-r16"].colour != "#0072b2"
    assert looks["lora-r16"].mark != "o"
