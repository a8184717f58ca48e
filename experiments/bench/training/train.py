"""`bakeoff bench train`: our training against a tutorial's notebook and TRL, on the same recipes, in turn."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from experiments.bench.sides import in_a_process
from experiments.bench.synthetic.shapes import base_folder
from toolkit import config
from toolkit.data.prepare import prepare
from toolkit.errors import UserError
from toolkit.records.folders import Root
from toolkit.runtime import machine
from toolkit.specs import DataSpec

RATES = {"full": 1e-4, "lora-r16": 1e-3}
PLAIN = {"gradient_checkpointing": False}
GROUPED = {**PLAIN, "train_sampling_strategy": "group_by_length"}
SETTINGS: tuple[dict[str, Any], ...] = (
    {},
    {**PLAIN, "per_device_train_batch_size": 2},
    {**PLAIN, "per_device_train_batch_size": 4},
    {**GROUPED, "per_device_train_batch_size": 2},
    {**GROUPED, "per_device_train_batch_size": 4},
    {**GROUPED, "per_device_train_batch_size": 8},
    {**GROUPED, "per_device_train_batch_size": 4, "loss_type": "chunked_nll"},
    {**PLAIN, "per_device_train_batch_size": 1, "packing": True, "max_length": 1024},
    {**PLAIN, "per_device_train_batch_size": 2, "packing": True, "max_length": 512},
)
"""What a careful user of TRL would try, after the defaults, which recompute activations. The fastest on a
third of the recipes is measured, at the learning rate of our full fine-tuning: TRL's own is a fifth of it."""


def bench(
    base: str,
    recipes: int,
    repeats: int,
    say: Callable[[str], None],
    root: Path = Path(),
    *,
    with_trl: bool = True,
) -> dict[str, Any]:
    """Time each side ``repeats`` times and return the medians.

    ``ratio`` is full fine-tuning over the notebook. Tokens per second are supervised tokens of the recipes;
    memory is each process's own peak; bits per byte are of the same validation recipes after one pass over
    the same training recipes, without end-of-text, which the notebook never learns.
    """
    with base_folder(base) as folder:
        source = config.dataset("wikibooks")
        parts = prepare(
            source,
            DataSpec(train=recipes, validation=12, test=1),
            Root(root).data,
        )
        common = {
            "base": str(folder),
            "train": list(parts.train),
            "validation": list(parts.validation),
            "end": source.format.end,
        }
        planned: dict[str, dict[str, Any]] = {
            "notebook": {"side": "notebook"},
            **{m: {"side": "ours", "method": m, "learning_rate": rate} for m, rate in RATES.items()},
        }
        tried: list[dict[str, Any]] = []
        if with_trl and find_spec("trl"):
            tried = _tried(common, say)
            fastest = max(tried, key=lambda one: one["tokens_per_second"])["settings"]
            planned["trl"] = {"side": "trl"}
            planned["trl-tuned"] = {"side": "trl", "settings": {**fastest, "learning_rate": RATES["full"]}}
        measured: dict[str, list[dict[str, Any]]] = {name: [] for name in planned}
        for turn in range(repeats):
            for name, side in planned.items():
                say(f"turn {turn + 1} of {repeats}: {name}")
                measured[name].append(
                    in_a_process("experiments.bench.training.sides", side["side"], {**common, **side})
                )
    settings = planned.get("trl-tuned", {}).get("settings")
    return {
        **_summary(measured, base, recipes, repeats),
        "trl_settings": settings,
        "trl_tried": tried,
        "machine": machine(),
    }


def _tried(common: dict[str, Any], say: Callable[[str], None]) -> list[dict[str, Any]]:
    """Return the tokens per second of TRL with each of the settings above; 0 for one that fails."""
    fewer = {
        **common,
        "train": common["train"][: max(8, len(common["train"]) // 3)],
        "validation": common["validation"][:1],
    }
    tried = []
    for number, settings in enumerate(SETTINGS, start=1):
        say(f"TRL, settings {number} of {len(SETTINGS)}: {settings}")
        try:
            trial = in_a_process("experiments.bench.training.sides", "trl", {**fewer, "settings": settings})
        except UserError as error:
            say(f"left out: {error}")
            trial = {"tokens_per_second": 0.0}
        tried.append({"settings": settings, "tokens_per_second": round(trial["tokens_per_second"], 1)})
    return tried


def _summary(
    measured: dict[str, list[dict[str, Any]]], base: str, recipes: int, repeats: int
) -> dict[str, Any]:
    keys = (
        "tokens_per_second", "peak_memory_bytes", "cuda_allocated_bytes", "peak_share",
        "validation_bits_per_byte",
    )  # fmt: skip
    sides: dict[str, dict[str, Any]] = {
        name: {key: statistics.median(t[key] for t in turns) for key in keys if turns[0].get(key) is not None}
        for name, turns in measured.items()
    }
    goal = sides["notebook"]["validation_bits_per_byte"]
    seconds = {name: _seconds_to(goal, turns) for name, turns in measured.items()}
    speed = {name: side["tokens_per_second"] for name, side in sides.items()}
    memory = {name: side["peak_memory_bytes"] for name, side in sides.items()}
    tuned = max(speed.get("trl-tuned", 0.0), speed.get("trl", 0.0)) or None
    return {
        "name": "train",
        "ratio": round(speed["full"] / speed["notebook"], 2),
        "baseline": round(speed["notebook"], 1),
        "ours": round(speed["full"], 1),
        "unit": "supervised tokens per second",
        "base": base,
        "recipes": recipes,
        "repeats": repeats,
        "lora_over_full": round(speed["lora-r16"] / speed["full"], 2),
        "lora_memory_share": round(memory["lora-r16"] / memory["full"], 2),
        "full_over_trl": round(speed["full"] / speed["trl"], 2) if "trl" in speed else None,
        "full_over_trl_tuned": round(speed["full"] / tuned, 2) if tuned else None,
        "seconds_to_notebooks_validation": seconds,
        "sides": sides,
    }


def _seconds_to(goal: float, turns: list[dict[str, Any]]) -> float | None:
    """Median training seconds until validation is at ``goal``; None if a turn does not get there."""
    reached = [next((at for at, bits in turn["curve"] if bits <= goal), None) for turn in turns]
    known = [at for at in reached if at is not None]
    return round(statistics.median(known), 1) if len(known) == len(reached) else None
