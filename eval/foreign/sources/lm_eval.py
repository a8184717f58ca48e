"""lm-evaluation-harness: `samples_<task>_<date>.jsonl`, written with `--log_samples`."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np

from eval.foreign.sources import lines
from eval.foreign.sources.scores import Formula, ItemScores, direction_of, mean_of, number
from eval.metrics.base import Floats
from toolkit.errors import UserError

TOOL = "lm-evaluation-harness"
WEIGHTED: dict[str, Formula] = {"word_perplexity": "exp", "byte_perplexity": "exp", "bits_per_byte": "bits"}
"""Metrics whose samples are pairs of a log-likelihood, in nats, and a count of words or bytes."""
LIKELIHOOD = "perplexity"
"""Logged as the log-likelihood of each document's target; the value is exp of minus their mean."""
NAME = re.compile(r"samples_(?P<task>.+?)(_\d{4}-\d\d-\d\dT[\d.:-]+)?$")


def recognises(first: dict[str, Any]) -> bool:
    """Whether a line is a logged sample: a document with any of the harness's own fields."""
    return "doc_id" in first and bool(first.keys() & {"metrics", "doc_hash", "resps", "target"})


def read(path: Path) -> list[ItemScores]:
    """Every metric of a samples file; one entry per metric and filter.

    Metrics of pairs of texts (`bleu`, `chrf`, `ter`) and of a whole set (`f1` of labels, `mcc`) are not
    additive as logged, and are left out: score the texts with `bakeoff judge` instead.
    """
    rows: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    for where, line in lines.mappings(path):
        if "doc_id" not in line:
            raise UserError(f"{where}: no 'doc_id': not a samples file of {TOOL}")
        rows.setdefault(str(line.get("filter", "none")), []).append((where, line))
    results = []
    for label, samples in rows.items():
        for metric in _metrics(samples[0][1]):
            scored = _scores(path, label, metric, samples, several=len(rows) > 1)
            results += [scored] if scored else []
    if not results:
        raise UserError(f"{path}: no metric has one number, or a log-likelihood and a count, per document")
    return results


def _metrics(sample: dict[str, Any]) -> list[str]:
    names = sample.get("metrics")
    if isinstance(names, list):
        return [str(name) for name in names]
    known = {"doc_id", "doc", "target", "arguments", "resps", "filtered_resps", "filter"}
    return [key for key, value in sample.items() if key not in known and isinstance(value, int | float)]


def _scores(
    path: Path, label: str, metric: str, samples: list[tuple[str, dict[str, Any]]], *, several: bool
) -> ItemScores | None:
    formula = WEIGHTED.get(metric)
    table: Floats
    if formula:
        table = np.asarray([_weighted(where, line.get(metric), metric) for where, line in samples])
    elif isinstance(samples[0][1].get(metric), int | float):
        values = [number(line.get(metric), f"{where}: {metric}") for where, line in samples]
        if metric == LIKELIHOOD:
            table, formula = np.asarray([(-value, 1.0) for value in values]), "exp"
        else:
            table, formula = mean_of(values)
    else:
        return None
    task = NAME.match(path.stem)
    return ItemScores(
        source=str(path),
        tool=TOOL,
        model=_model(path),
        task=task["task"] if task else path.stem,
        seed=None,
        metric=f"{metric},{label}" if several else metric,
        direction=direction_of(metric),
        formula=formula,
        items=tuple(str(line["doc_id"]) for _, line in samples),
        statistics=table,
        prompts=tuple(_text(line.get("prompt_hash")) for _, line in samples),
        targets=tuple(_text(line.get("target_hash", _target(line))) for _, line in samples),
    )


def _weighted(where: str, value: Any, metric: str) -> tuple[float, float]:
    """A logged ``[log-likelihood, count]`` as ``(nats, count)``."""
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise UserError(f"{where}: {metric} is not a pair of a log-likelihood and a count")
    likelihood, count = (number(part, f"{where}: {metric}") for part in value)
    if count <= 0 or not math.isfinite(likelihood):
        raise UserError(f"{where}: {metric} counts {count:g} units")
    return -likelihood, count


def _target(line: dict[str, Any]) -> str | None:
    target = line.get("target")
    return None if target in (None, "", []) else json.dumps(target, sort_keys=True)


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _model(path: Path) -> str | None:
    """The model's name from the results file that the harness writes beside the samples, if there is one."""
    for results in sorted(path.parent.glob("results_*.json")):
        try:
            name = lines.parse(lines.text_of(results), str(results)).get("model_name")
        except (UserError, AttributeError):
            continue
        if isinstance(name, str):
            return name
    return None
