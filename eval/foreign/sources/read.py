"""Recognise whose results a file holds, by its content, and read them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from eval.foreign.sources import every_eval_ever, lines, lm_eval, peft_benchmark, table, texts, trainer_state
from eval.foreign.sources.scores import ItemScores, by_task_and_metric, require_one_model
from toolkit.errors import UserError

FORMATS = (
    "lm-evaluation-harness samples_*.jsonl, Every Eval Ever instance JSON lines, PEFT method_comparison "
    "records, trainer_state.json, or a CSV with the columns item and score"
)


def read(path: Path, references: Path | None = None) -> list[ItemScores]:
    """Every metric in a file, or in a folder's newest results of one tool: of a run its last trainer state.

    With ``references`` the path is a text file with one hypothesis per line. Raises UserError, one line, for
    what is none of the known formats or is damaged.
    """
    if path.is_dir():
        found = [scores for file in _files_of(path) for scores in read(file, references)]
        for runs in by_task_and_metric(found).values():
            require_one_model(str(path), runs, one_path=True)
        return found
    if references is not None:
        return texts.read(path, references)
    text = lines.text_of(path)
    head = text.lstrip()
    if not head.startswith("{"):
        if table.recognises(text.split("\n", 1)[0]):
            return table.read(path)
        raise UserError(f"{path}: not a known format. Known: {FORMATS}; with --references, a text file")
    first_line = head.split("\n", 1)[0]
    try:  # transformers logs a gradient norm of NaN as such: readers check the numbers that they take
        first = lines.parse(first_line, str(path), constants=True)
    except UserError:
        first = lines.parse(text, str(path), constants=True)  # one object over many lines
    if not isinstance(first, dict):
        raise UserError(f"{path}: not a known format. Known: {FORMATS}")
    if peft_benchmark.recognises(first):
        return peft_benchmark.read(path, first)
    if trainer_state.recognises(first):
        return trainer_state.read(path, first)
    if every_eval_ever.recognises(first):
        return every_eval_ever.read(path)
    if lm_eval.recognises(first):
        return lm_eval.read(path)
    raise UserError(f"{path}: not a known format. Known: {FORMATS}")


def _files_of(folder: Path) -> list[Path]:
    """Files of a folder that hold results: of each task the newest samples, else instances or states."""
    if samples := sorted(folder.rglob("samples_*.jsonl")):
        return _newest_samples(folder, samples)
    if instances := sorted(folder.rglob("*_samples.jsonl")):
        return instances
    if states := list(folder.rglob("trainer_state.json")):
        return trainer_state.last_of_each_run(states)
    raise UserError(f"{folder}: no results in it. Known: {FORMATS}")


def _newest_samples(folder: Path, samples: Sequence[Path]) -> list[Path]:
    """Of each task the newest file of a harness's folder. UserError if several folders hold one task."""
    tasks: dict[str, dict[Path, Path]] = {}
    for path in samples:  # sorted, and names end in a date: the last is the newest
        match = lm_eval.NAME.match(path.stem)
        tasks.setdefault(match["task"] if match else path.stem, {})[path.parent] = path
    for task, found in tasks.items():
        if len(found) > 1:
            first, second = list(found)[:2]
            raise UserError(
                f"{folder}: samples of '{task}' in {len(found)} folders, such as {first} and {second}: give "
                "the folder of each seed, name=path,path, and each model as a side of its own"
            )
    return [path for found in tasks.values() for path in found.values()]
