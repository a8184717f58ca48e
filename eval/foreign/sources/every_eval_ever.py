"""Every Eval Ever: instance-level JSON lines (schema `instance_level_eval`, version 0.2)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from eval.foreign.sources import lines
from eval.foreign.sources.scores import ItemScores, direction_of, hash_of_known, mean_of, notes_of, number
from toolkit.errors import UserError

TOOL = "Every Eval Ever"
UNNAMED = "score"
"""A metric that the file does not name: which way is better is not known by that."""
NEEDED = ("evaluation_id", "model_id", "evaluation_name", "sample_id", "input", "evaluation")


def recognises(first: dict[str, Any]) -> bool:
    """Whether a line has the schema's own fields."""
    return "evaluation_id" in first and "sample_id" in first


def read(path: Path) -> list[ItemScores]:
    """One entry per model, evaluation and aggregate result that a file's lines belong to."""
    groups: dict[tuple[str, str, str], list[tuple[str, dict[str, Any]]]] = {}
    for where, line in lines.mappings(path):
        missing = [name for name in NEEDED if name not in line]
        if missing:
            raise UserError(f"{where}: no '{missing[0]}': not an instance of {TOOL}")
        key = (
            str(line["model_id"]),
            str(line["evaluation_name"]),
            str(line.get("evaluation_result_id") or ""),
        )
        groups.setdefault(key, []).append((where, line))
    return [_scores(path, key, rows) for key, rows in groups.items()]


def _scores(path: Path, key: tuple[str, str, str], rows: list[tuple[str, dict[str, Any]]]) -> ItemScores:
    model, evaluation, result = key
    values, prompts, targets = [], [], []
    for where, line in rows:
        scored, given = line["evaluation"], line["input"]
        if not isinstance(scored, dict) or not isinstance(given, dict):
            raise UserError(f"{where}: 'evaluation' and 'input' have to be objects")
        values.append(number(scored.get("score"), f"{where}: score"))
        prompts.append(hash_of_known(given.get("formatted") or given.get("raw")))
        targets.append(hash_of_known(given.get("reference")))
    table, formula = mean_of(values)
    metadata = rows[0][1].get("metadata")
    told = metadata if isinstance(metadata, dict) else {}
    metric = result.rpartition("/")[2] or str(told.get("metric") or UNNAMED)
    return ItemScores(
        source=str(path),
        tool=TOOL,
        model=model,
        task=evaluation,
        seed=_seed(rows[0][1]),
        metric=metric,
        direction=_direction(metric, told.get("direction"), [line for _, line in rows]),
        formula=formula,
        items=tuple(str(line["sample_id"]) for _, line in rows),
        statistics=table,
        prompts=tuple(prompts),
        targets=tuple(targets),
        notes=notes_of(metric),
    )


def _direction(
    metric: str, told: object, rows: list[dict[str, Any]]
) -> Literal["lower", "higher", "neither"]:
    """Which way is better: as the file tells, as the metric's name does, or 1 for what is marked correct."""
    if told in ("lower", "higher", "neither"):
        return told
    known = "neither" if metric == UNNAMED else direction_of(metric)
    scored = [row["evaluation"] for row in rows]
    marked = all(one.get("is_correct") is bool(one["score"]) and one["score"] in (0, 1) for one in scored)
    return "higher" if known == "neither" and marked else known


def _seed(line: dict[str, Any]) -> int | None:
    """The training seed, if the metadata names one."""
    metadata = line.get("metadata")
    value = metadata.get("seed") if isinstance(metadata, dict) else None
    return int(value) if isinstance(value, str) and value.isdigit() else None
