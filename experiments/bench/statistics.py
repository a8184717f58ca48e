"""`bakeoff bench stats`: seconds for 10,000 draws of every metric's difference, against a loop over draws."""

from __future__ import annotations

import random
import time
from typing import Any

import numpy as np

from eval.metrics import Context, Metric, all_metrics, measure
from eval.statistics import compare
from eval.statistics.resampling import DRAWS
from toolkit.data.format import Document, document_id, prompt, render
from toolkit.records import Generation, Likelihood, Outcome
from toolkit.runtime import machine
from toolkit.specs import Format, Section

FORM = Format(
    name="bench",
    sections=(
        Section(name="title", marker="TITLE:"),
        Section(name="items", marker="ITEMS:", separator=", "),
        Section(name="steps", marker="STEPS:"),
    ),
    end="[END]",
)
LOOP_DRAWS = 50
"""Draws of the loop that are timed; a draw takes the same time as any other."""


def bench(documents: int = 500, methods: int = 10, draws: int = DRAWS, seed: int = 0) -> dict[str, Any]:
    """Time bootstrap and randomisation of ``methods`` against a baseline on every metric, at one seed.

    ``ratio`` is how much faster that is than drawing documents in a loop and summing their statistics, as
    sacreBLEU's significance tests do, here with numpy. Every metric's statistics are those of made-up texts.
    """
    tables = {metric.name: table for metric, table in _tables(documents, seed)}
    metrics = [metric for metric in all_metrics().values() if metric.name in tables]
    shuffle = np.random.default_rng(seed)
    others = [shuffle.permutation(documents) for _ in range(methods)]
    began = time.perf_counter()
    for metric in metrics:
        table = tables[metric.name]
        for order in others:
            compare.compare(metric, table[:, order], table, margin=metric.margin, draws=draws)
    ours = time.perf_counter() - began
    loop = sum(_loop(metric, tables[metric.name], others[0], seed) for metric in metrics)
    baseline = loop / LOOP_DRAWS * draws * methods
    return {
        "name": "stats",
        "ratio": round(baseline / ours, 1),
        "baseline": round(baseline, 2),
        "ours": round(ours, 2),
        "unit": "seconds; baseline: a loop over draws, extrapolated",
        "documents": documents,
        "methods": methods,
        "metrics": len(metrics),
        "draws": draws,
        "machine": machine(),
    }


def _loop(metric: Metric, table: np.ndarray[Any, Any], order: np.ndarray[Any, Any], seed: int) -> float:
    """Seconds of so many draws of bootstrap and randomisation, one draw at a time."""
    draw = np.random.default_rng(seed)
    width = slice(metric.value_columns)
    ours, theirs = table[0, order, width], table[0, :, width]
    count = len(ours)
    began = time.perf_counter()
    for _ in range(LOOP_DRAWS):
        chosen = draw.integers(0, count, size=count)
        metric.aggregate(ours[chosen].sum(axis=0)) - metric.aggregate(theirs[chosen].sum(axis=0))
        swap = draw.integers(0, 2, size=count, dtype=bool)[:, None]
        one, other = np.where(swap, theirs, ours), np.where(swap, ours, theirs)
        metric.aggregate(one.sum(axis=0)) - metric.aggregate(other.sum(axis=0))
    return time.perf_counter() - began


def _tables(documents: int, seed: int) -> list[tuple[Metric, np.ndarray[Any, Any]]]:
    draw = random.Random(seed)
    texts = [_text(draw) for _ in range(2 * documents)]
    context = Context(form=FORM, train=texts[documents:], prompt_mode="title")
    outcomes = [
        _outcome(text, other, draw) for text, other in zip(texts[:documents], texts[1:], strict=False)
    ]
    found = []
    for metric in all_metrics().values():
        _, rows = measure(metric, outcomes, context)
        table = compare.stack([rows])
        if np.isfinite(table).any():
            found.append((metric, table))
    return found


def _words(draw: random.Random, count: int) -> list[str]:
    return [f"word{int(draw.paretovariate(0.7)) % 3000}" for _ in range(count)]


def _text(draw: random.Random) -> str:
    items = tuple(" ".join(_words(draw, 3)) for _ in range(8))
    return render(Document((" ".join(_words(draw, 3)), items, " ".join(_words(draw, 60)))), FORM)


def _outcome(text: str, other: str, draw: random.Random) -> Outcome:
    start = prompt(text, FORM, "title")
    rest = other[len(prompt(other, FORM, "title")) :] if draw.random() < 0.5 else text[len(start) :]
    stopped = draw.random() < 0.8
    return Outcome(
        document_id=document_id(text),
        title=start.strip(),
        reference=text,
        likelihood={
            part: Likelihood(nll=draw.gammavariate(20, 5), tokens=draw.randint(20, 60), bytes=200)
            for part in ("title", "items", "steps", "scaffold")
        },
        generations=(
            Generation(
                prompt_mode="title",
                decoding="made-up",
                prompt=start,
                text=rest if stopped else rest.removesuffix(FORM.end),
                tokens=100,
                ended="end_of_text" if stopped else "limit",
            ),
        ),
    )
