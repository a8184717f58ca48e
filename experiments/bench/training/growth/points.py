"""One point of a growth curve: a training of a few steps on documents of one length.

`python -m experiments.bench.training.growth.points ours` reads one JSON object and writes one.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.bench.synthetic.shapes import model_at
from experiments.bench.training.jobs import ANY_RATE, RATES
from toolkit.errors import UserError

MARGIN = 16
"""Tokens less than the requested length: a piece cut out of a text may split its words otherwise."""


def measure(settings: dict[str, Any]) -> dict[str, Any]:
    """Train ``settings["steps"]`` steps; return the speed of all but the first, and the peak memory.

    Other settings: `base`, a folder; `method`; `length`, tokens of each document; `batch_tokens`; `texts`;
    `train`, other keys of a study's `train`, if any.
    """
    from toolkit import config
    from toolkit.events import ignore
    from toolkit.models import load
    from toolkit.records import Step, read_lines
    from toolkit.records.folders import RunFolder
    from toolkit.specs import RunSpec, TrainSpec
    from toolkit.training.train import train

    model = model_at(settings["base"])
    length, batch_tokens, steps = settings["length"], settings["batch_tokens"], settings["steps"]
    rows = max(1, batch_tokens // length) * steps
    texts = pieces(settings["texts"], load.load_tokenizer(model), length - MARGIN, rows + 1)
    spec = RunSpec(
        model=model,
        dataset=None,
        data=None,
        method=config.method(settings["method"]),
        learning_rate=RATES.get(settings["method"], ANY_RATE),
        train=TrainSpec(
            validations=1, max_length=length, batch_tokens=batch_tokens, **settings.get("train", {})
        ),
        seed=0,
    )
    with tempfile.TemporaryDirectory() as temporary:
        folder = RunFolder(Path(temporary), spec.run_id)
        record = train(spec, texts[1:], texts[:1], "", folder, progress=ignore)
        taken = [step for step in read_lines(folder.steps, Step) if step.loss is not None]
    if len(taken) < 2:
        raise UserError(f"bench growth: {len(taken)} steps of {batch_tokens} tokens, and two are needed")
    first, last = taken[0], taken[-1]
    return {
        "tokens_per_second": (last.tokens - first.tokens) / (last.seconds - first.seconds),
        "peak_memory_bytes": record.costs.peak_memory_bytes,
        "cuda_allocated_bytes": record.costs.cuda_allocated_bytes,
        "peak_share": record.costs.peak_share,
        "parameters": record.costs.total_parameters,
        "steps": len(taken),
    }


def pieces(texts: list[str], tokenizer: Any, tokens: int, count: int) -> list[str]:
    """Return ``count`` texts of about ``tokens`` tokens, cut out of ``texts`` joined and repeated."""
    joined = "\n".join(texts)
    offsets = tokenizer(joined, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    starts = [first for first, _ in offsets]
    while len(starts) <= count * tokens:  # the same texts again, further on
        starts += [start + len(joined) for start in starts]
        joined += joined
    return [joined[starts[i * tokens] : starts[(i + 1) * tokens]] for i in range(count)]


def summary(method: str, value: str, turns: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the medians of several turns, and the lowest and highest speed."""
    speeds = [turn["tokens_per_second"] for turn in turns]
    middle = {
        key: statistics.median(turn[key] for turn in turns)
        for key in ("peak_memory_bytes", "cuda_allocated_bytes", "peak_share", "parameters")
        if all(turn.get(key) is not None for turn in turns)
    }
    return {
        "method": method,
        "value": value,
        "tokens_per_second": round(statistics.median(speeds), 1),
        "lowest": round(min(speeds), 1),
        "highest": round(max(speeds), 1),
        **middle,
    }


if __name__ == "__main__":
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is not the answer
    with answer:
        json.dump(measure(json.load(sys.stdin)), answer)
