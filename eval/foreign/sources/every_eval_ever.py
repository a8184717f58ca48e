"""Every Eval Ever: instance-level JSON lines (schema `instance_level_eval`, version 0.2)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from eval.foreign.sources import lines
from eval.foreign.sources.scores import ItemScores, direction_of, hash_of, mean_of, number
from toolkit.errors import UserError

TOOL = "Every Eval Ever"
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
        references = given.get("reference") or []
        prompts.append(hash_of(str(given.get("formatted") or given.get("raw") or "")))
        targets.append(
            hash_of("\n".join(map(str, references)) if isinstance(references, list) else str(references))
        )
    table, formula = mean_of(values)
    metric = result.rpartition("/")[2] or "score"
    known = direction_of(metric)
    return ItemScores(
        source=str(path),
        tool=TOOL,
        model=model,
        task=evaluation,
        seed=_seed(rows[0][1]),
        metric=metric,
        direction="higher" if metric == "score" or formula == "mean of 0 and 1" else known,
        formula=formula,
        items=tuple(str(line["sample_id"]) for _, line in rows),
        statistics=table,
        prompts=tuple(prompts),
        targets=tuple(targets),
    )


def _seed(line: dict[str, Any]) -> int | None:
    """The training seed, if the metadata names one."""
    metadata = line.get("metadata")
    value = metadata.get("seed") if isinstance(metadata, dict) else None
    return int(value) if isinstance(value, str) and value.isdigit() else None
