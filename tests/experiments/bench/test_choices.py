"""The bench of settings that make a step faster: which are measured, and what its ratio is."""

from __future__ import annotations

from typing import Any

from experiments.bench.training import choices
from toolkit.specs import TrainSpec


def test_the_ratio_is_of_the_fastest_choice_to_the_defaults(monkeypatch):
    """100 tokens per second with the defaults, 20 more per setting: the ratio of both is 1.4, of medians."""
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(choices, "in_a_process", lambda _module, _side, given: _measured(asked, given))
    found = choices.bench("tiny-shape", 3, lambda _: None, steps=2)
    assert (found["baseline"], found["ours"], found["ratio"]) == (100, 140, 1.4)
    assert [(p["method"], p["value"]) for p in found["points"]][:3] == [
        ("full", "defaults"), ("lora-r16", "defaults"), ("full", "attention: blocks"),
    ]  # fmt: skip
    assert len(asked) == 3 * 4 * 2
    assert all(TrainSpec(**given["train"]) for given in asked)


def test_without_a_compiler_only_blocks_are_measured(monkeypatch):
    """`--no-compiled`: two choices of two methods."""
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(choices, "in_a_process", lambda _module, _side, given: _measured(asked, given))
    found = choices.bench("tiny-shape", 1, lambda _: None, compiled=False)
    assert {point["value"] for point in found["points"]} == {"defaults", "attention: blocks"}
    assert [given["train"] for given in asked] == [{}, {}, {"attention": "blocks"}, {"attention": "blocks"}]


def _measured(asked: list[dict[str, Any]], given: dict[str, Any]) -> dict[str, Any]:
    asked.append(given)
    return {"tokens_per_second": 100 + 20 * len(given["train"]), "peak_memory_bytes": 1}
