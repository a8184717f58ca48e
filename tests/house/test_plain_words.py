"""Plain words everywhere: `make lint` and this test find the phrases that are to be replaced."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.house.plain_words import PHRASES, PLACES, check, files, findings

EXAMPLES = {
    "Once the reason is mended, run again.": "fix",
    "Differences smaller than this are of no account.": "negligible",
    "one line a step": "one … per …",
    "One row a\n    run and metric": "one … per …",
    "None where there is none": "if there is none",
    "bf16 where the hardware has it": "if the hardware supports it",
}


@pytest.mark.parametrize("place", PLACES)
def test_no_room_uses_the_phrases(place):
    """The script's findings, by room: none."""
    assert len(list(files([place]))) > 0
    assert not (result := check([place])), "\n".join(map(str, result))


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
