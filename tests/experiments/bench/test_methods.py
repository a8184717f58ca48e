"""The bench of methods: which are measured, in which order they are shown, and what fails."""

from __future__ import annotations

from typing import Any

import pytest

from experiments.bench.training import methods
from toolkit.errors import UserError

SPEED = {"lora-r16": 400.0, "full": 320.0, "ia3": 480.0, "dora": 200.0}


def measured(_module: str, _side: str, given: dict[str, Any]) -> dict[str, Any]:
    """A speed per method; BitFit finds no biases."""
    if given["method"] == "bitfit":
        raise UserError("points bench, ours side: no biases")
    return {"tokens_per_second": SPEED[given["method"]], "peak_memory_bytes": 1}


def test_lora_and_full_are_measured_whatever_is_asked_and_the_fastest_is_first(monkeypatch):
    """400 over 320 tokens per second: 1.25. BitFit is not measured, and tried once."""
    said: list[str] = []
    monkeypatch.setattr(methods, "in_a_process", measured)
    found = methods.bench("tiny-shape", ["dora", "bitfit", "ia3"], 3, said.append)
    assert (found["ratio"], found["baseline"], found["ours"]) == (1.25, 320.0, 400.0)
    assert [point["method"] for point in found["points"]] == ["ia3", "lora-r16", "full", "dora"]
    assert found["not_measured"] == ["bitfit"]
    assert len([line for line in said if line.endswith(": bitfit")]) == 1


def test_an_unknown_method_is_named_before_anything_is_measured(monkeypatch):
    """And a baseline that fails ends the bench: nothing could be related to it."""
    monkeypatch.setattr(methods, "in_a_process", lambda *_: pytest.fail("measured"))
    with pytest.raises(UserError, match="loraa"):
        methods.bench("tiny-shape", ["loraa"], 1, lambda _: None)

    def fails(*_: Any) -> dict[str, Any]:
        raise UserError("out of memory")

    monkeypatch.setattr(methods, "in_a_process", fails)
    with pytest.raises(UserError, match="out of memory"):
        methods.bench("tiny-shape", [], 1, lambda _: None)
