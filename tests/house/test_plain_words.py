"""Plain words everywhere: `make lint` prints what is left, and no room may get worse."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.house.plain_words import PHRASES, PLACES, check, files, findings

LEFT = {"toolkit": 24, "eval": 7, "figures": 34, "experiments": 24, "tests": 18}
"""Findings that a room may still have; each number is to shrink to nothing."""

EXAMPLES = {
    "Once the reason is mended, run again.": "fix",
    "Differences smaller than this are of no account.": "negligible",
    "one line a step": "one … per …",
    "One row a\n    run and metric": "one … per …",
    "None where there is none": "if there is none",
    "bf16 where the hardware has it": "if the hardware supports it",
}


@pytest.mark.parametrize("place", PLACES)
def test_no_room_uses_more_of_the_phrases(place):
    """The script's findings, by room; a room without a number has none."""
    result = check([place])
    assert len(list(files([place]))) > 0
    assert len(result) <= LEFT.get(place, 0), "\n".join(map(str, result))


@pytest.mark.parametrize("text", EXAMPLES)
def test_a_phrase_is_found_with_what_to_write(text):
    """Each example holds one phrase, and the finding names the plain wording."""
    result = findings(text, Path("x.py"))
    assert [one.instead for one in result] == [EXAMPLES[text]]
    assert result[0].line == 1


def test_plain_sentences_pass():
    """Words that only look alike: recommended, told in a quotation's sense, a row of a matrix."""
    text = "It is recommended. One line per step. One row per run. If there is none, None. The a row b."
    assert findings(text, Path("x.py")) == []
    assert len(PHRASES) >= 25
