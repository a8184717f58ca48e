"""A CSV of (item, seed, score).

Columns `item` and `score`; optionally `task`, `seed`, `model`, `metric`, `prompt` and `target`. Commas,
semicolons or tabs separate them.
"""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

from eval.foreign.sources import lines
from eval.foreign.sources.scores import ItemScores, direction_of, hash_of_known, mean_of, notes_of
from toolkit.errors import UserError

TOOL = "CSV"
ITEMS = "items"
"""The task of rows that name none."""
NEEDED = ("item", "score")


def recognises(header: str) -> bool:
    """Whether a first line names the two columns that are needed."""
    return _delimiter(header) is not None


def _delimiter(header: str) -> str | None:
    """What separates the columns, or None if nothing makes the needed ones of this line."""
    for delimiter in ",;\t":
        try:
            names = next(csv.reader([header], delimiter=delimiter), [])
        except csv.Error:
            continue
        if {*NEEDED} <= {name.strip().lower() for name in names}:
            return delimiter
    return None


def read(path: Path) -> list[ItemScores]:
    """One entry per task, model, seed and metric; rows without a task are of one task in every file."""
    text = lines.text_of(path)
    delimiter = _delimiter(text.split("\n", 1)[0]) or ","
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    names = [(name or "").strip().lower() for name in reader.fieldnames or ()]
    if missing := [name for name in NEEDED if name not in names]:
        raise UserError(f"{path}: no column '{missing[0]}'. Columns: {', '.join(names)}")
    if repeated := [name for place, name in enumerate(names) if name in names[:place]]:
        raise UserError(f"{path}: two columns are called '{repeated[0]}', in whatever case: rename one")
    reader.fieldnames = names
    groups: dict[tuple[str, str, str, str], list[dict[str, str]]] = {}
    try:
        for row in reader:
            if None in row or None in row.values():
                raise UserError(f"{path}, line {reader.line_num}: {len(names)} columns expected")
            row["line"] = str(reader.line_num)
            task, metric = row.get("task", "") or ITEMS, row.get("metric", "") or "score"
            key = (task, row.get("model", ""), row.get("seed", ""), metric)
            groups.setdefault(key, []).append(row)
    except csv.Error as error:
        raise UserError(f"{path}, line {reader.line_num}: not a CSV: {error}") from error
    if not groups:
        raise UserError(f"{path}: a header and no rows")
    return [_scores(path, *key, rows) for key, rows in groups.items()]


def _scores(
    path: Path, task: str, model: str, seed: str, metric: str, rows: list[dict[str, str]]
) -> ItemScores:
    table, formula = mean_of([_number(path, row) for row in rows])
    return ItemScores(
        source=str(path),
        tool=TOOL,
        model=model or None,
        task=task,
        seed=_seed(path, rows[0]["line"], seed),
        metric=metric,
        direction=direction_of(metric),
        formula=formula,
        items=tuple(row["item"].strip() for row in rows),
        statistics=table,
        prompts=tuple(hash_of_known(row.get("prompt")) for row in rows),
        targets=tuple(hash_of_known(row.get("target")) for row in rows),
        notes=notes_of(metric),
    )


def _seed(path: Path, line: str, given: str) -> int | None:
    """A whole number, also as pandas writes it into a column with gaps: `1.0`."""
    if not given.strip():
        return None
    if not re.fullmatch(r"\s*-?\d+(\.0*)?\s*", given):
        raise UserError(f"{path}, line {line}: seed '{given[:40]}' is not a whole number")
    return int(given.partition(".")[0])


def _number(path: Path, row: dict[str, str]) -> float:
    try:
        if "_" in row["score"]:  # which Python reads as a number's divider
            raise ValueError("an underscore is in no number")
        return float(row["score"])
    except ValueError as error:
        shown = row["score"][:40]
        hint = ". Write decimals with a point" if "," in shown else ""
        raise UserError(f"{path}, line {row['line']}: score '{shown}' is not a number{hint}") from error
