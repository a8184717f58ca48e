"""Events cross processes as lines of JSON: what is written is read back, and other lines are refused."""

from __future__ import annotations

import pytest

from toolkit import events
from toolkit.events import Advanced, Ended, Failed, Halted, PhaseStarted, Started, StepTaken, Validated

EVERY = [
    PhaseStarted(phase="training", resumed=True),
    Advanced(work="scoring", done=3, total=None),
    StepTaken(step=1, steps=4, loss=2.5, tokens=100, seconds=0.5),
    Validated(step=4, nll=2.25, bits_per_byte=0.8),
    Started(node="worker-1"),
    Halted(process=4711),
    Failed(error="data set d: no file\nnamed d.csv"),
    Ended(error=None),
]


@pytest.mark.parametrize("event", EVERY, ids=lambda event: type(event).__name__)
def test_an_event_is_one_line_of_json_and_reads_back_equal(event):
    """The inverse of `to_json`; a line end inside a message does not divide the line."""
    line = events.to_json(event)
    assert "\n" not in line
    assert events.from_json(line + "\n") == event


@pytest.mark.parametrize(
    "line", ["", "loading…", "[1]", "null", '{"event": "Exploded"}', '{"event": "Failed"}']
)
def test_a_line_that_is_no_event_is_a_value_error(line):
    """Empty, no JSON, no object, an unknown event, an event without its field."""
    with pytest.raises(ValueError, match="not an event|Expecting value"):
        events.from_json(line)
