"""What every reader returns: one metric of one model on named items, with what identifies each item."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np

from eval.metrics import all_metrics
from eval.metrics.base import Floats
from toolkit.errors import UserError

Formula = Literal["mean", "mean of 0 and 1", "exp", "bits", "bleu", "chrf", "value"]
"""How a value follows from summed statistics.

`mean`: sum / count of a score per item. `mean of 0 and 1`: the same, and every score is 0 or 1. `exp` and
`bits`: exp(nats / units) and nats / units / ln 2. `bleu`, `chrf`: sacreBLEU's formula on summed counts.
`value`: one number for the whole run, without items.
"""

HIGHER = {
    "acc", "acc_norm", "acc_bytes", "acc_mutual_info", "acc_all", "em", "f1", "score", "is_correct", "mcc",
    "accuracy", "accuracy_score", "precision", "recall", "matthews_correlation", "pearson", "spearmanr",
    "bleu", "bleu_1", "bleu_4", "bleu_max", "bleu_diff", "chrf", "chrf++", "bert_score", "bleurt",
    "rouge1", "rouge2", "rougel", "rougelsum", "rouge_1", "rouge_2", "rouge_l", "rouge1_max", "rouge2_max",
    "rougel_max", "rouge1_diff", "rouge2_diff", "rougel_diff", "f1_score", "exact_match", "pass", "maj",
    "mc1", "mc2", "math_verify", "math_equiv", "math_equiv_chain_of_thought", "chain_of_thought_correctness",
    "rewards/accuracies", "rewards/margins",
}  # fmt: skip
LOWER = {
    "perplexity", "bits_per_byte", "loss", "brier_score", "ter", "wer", "cer", "nll", "mse", "mae", "rmse",
    "likelihood_diff", "ece_10_bin", "toxic_frac",
}  # fmt: skip
"""Lower-case names of lm-evaluation-harness, HELM, Trainer and TRL; see `direction_of`."""
ENDINGS: dict[str, Literal["lower", "higher"]] = {
    "_acc": "higher", "_accuracy": "higher", "_exact_match": "higher", "_f1": "higher", "_loss": "lower",
    "_perplexity": "lower",
}  # fmt: skip
"""Of names that say more, such as `prompt_level_strict_acc`, `eval_mean_token_accuracy`, `eval_wiki_loss`."""


OF_SUMS = {
    "bits_per_byte", "content_bits_per_byte", "general_bits_per_byte", "perplexity", "word_perplexity",
    "bleu", "chrf", "length_ratio", "ingredient_match", "ingredient_use",
}  # fmt: skip
"""Our metrics whose value over a set is no mean of the documents' own values."""


def notes_of(metric: str) -> tuple[str, ...]:
    """What to know of a metric whose file holds one number per item."""
    if metric.partition(",")[0].lower() not in OF_SUMS:
        return ()
    return (
        f"{metric} is the mean of the items' own values, not that of the set, which weighs long ones more",
    )


@dataclass(frozen=True, kw_only=True)
class ItemScores:
    """One metric of one model, on one seed, as another tool wrote it."""

    source: str
    """The file, as given."""
    tool: str
    """Which tool wrote it, e.g. `lm-evaluation-harness`."""
    model: str | None
    """What the file calls the model, whatever its seed; None if it does not say."""
    task: str
    seed: int | None
    """The training seed; None if the file does not say."""
    metric: str
    direction: Literal["lower", "higher", "neither"]
    formula: Formula
    items: tuple[str, ...]
    """Identity of each item within the task, unique; empty for `value`."""
    statistics: Floats
    """Additive statistics ``[items, k]``; ``[1, 1]`` for `value`."""
    prompts: tuple[str | None, ...] = ()
    """Hash of each item's prompt; None if unknown. As long as ``items``."""
    targets: tuple[str | None, ...] = ()
    """Hash of each item's target; None if unknown. As long as ``items``."""
    trials: int | None = None
    """For `value`: how many items a share was taken over, so that it has a binomial error; else None."""
    notes: tuple[str, ...] = ()
    """What the reader of a verdict should know, e.g. `best checkpoint on the evaluation data`."""

    def __post_init__(self) -> None:
        if self.formula != "value":
            n = len(self.items)
            if not n:
                raise UserError(f"{self.source}: no item has a value of '{self.metric}'")
            if len(self.statistics) != n or any(len(x) not in (0, n) for x in (self.prompts, self.targets)):
                raise ValueError("items, statistics and hashes differ in length")
            if len(set(self.items)) != n:
                repeated = next(item for item in self.items if self.items.count(item) > 1)
                raise UserError(f"{self.source}: item '{repeated}' is given more than once")
        if not np.isfinite(self.statistics).all():
            place = int(np.argwhere(~np.isfinite(self.statistics).all(axis=1))[0, 0])
            item = f" of item '{self.items[place]}'" if self.items else ""
            raise UserError(f"{self.source}: the {self.metric}{item} is not a finite number")


def by_task_and_metric(runs: Sequence[ItemScores]) -> dict[tuple[str, str], list[ItemScores]]:
    """Runs grouped by task and metric, in the order of their first appearance."""
    grouped: dict[tuple[str, str], list[ItemScores]] = {}
    for run in runs:
        grouped.setdefault((run.task, run.metric), []).append(run)
    return grouped


def require_one_model(where: str, runs: Sequence[ItemScores], *, one_path: bool = False) -> None:
    """Raise UserError if runs of one task and metric can't be seeds of one model.

    Runs of models of two names are seeds if their seeds are known and differ, as every run of a study has a
    name of its own; and if seeds are unknown and the files were given one by one, without ``one_path``. Two
    runs of one seed are one run given twice.
    """
    for a, b in combinations(runs, 2):
        known = None not in (a.seed, b.seed)
        alike = a.seed == b.seed if known else one_path or a.source == b.source
        if alike and a.model != b.model and None not in (a.model, b.model):
            seeds = f"both with seed {a.seed}" if known else "with unknown seeds"
            raise UserError(
                f"{where}: {a.metric} of {a.task} holds the models '{a.model}' and '{b.model}', {seeds}: "
                "give one side per model, name=path, each with files of its own"
            )
        if known and a.seed == b.seed:
            raise UserError(
                f"{where}: {a.metric} of {a.task} has two runs of seed {a.seed}, in {a.source} and "
                f"{b.source}: one run counts once; give one per training seed"
            )


def direction_of(metric: str) -> Literal["lower", "higher", "neither"]:
    """Which way is better, by the metric's name; `neither` if it is not a known one, nor one of ours.

    Filters (`acc,none`), splits (`exact_match:test`), numbers (`pass@1`) and Trainer's `eval_` are ignored.
    """
    name = re.split("[,:@]", metric.lower())[0].strip().replace(" ", "_").removeprefix("eval_")
    if name in HIGHER or name in LOWER:
        return "higher" if name in HIGHER else "lower"
    ours = all_metrics().get(name)
    if ours is not None:
        return ours.direction
    return next((way for ending, way in ENDINGS.items() if name.endswith(ending)), "neither")


def mean_of(values: list[float]) -> tuple[Floats, Formula]:
    """Scores ``[items]`` as statistics ``(score, 1)``, and whether all of them are 0 or 1."""
    table = np.column_stack([np.asarray(values, dtype=np.float64), np.ones(len(values))])
    return table, "mean of 0 and 1" if set(values) <= {0.0, 1.0} else "mean"


def number(value: object, where: str) -> float:
    """A finite float, from a number or a boolean. Raises UserError, which begins with ``where``."""
    try:
        known = float(value) if isinstance(value, int | float) else math.nan
    except OverflowError:  # an integer beyond floating point
        known = math.inf
    if not math.isfinite(known):
        raise UserError(f"{where}: {str(value)[:60]!r} is not a finite number")
    return known


def hash_of_known(text: object) -> str | None:
    """`hash_of` a text, or of a list of texts; None if there is none, or an empty one: it is not recorded."""
    joined = "\n".join(map(str, text)) if isinstance(text, list) else "" if text is None else str(text)
    return hash_of(joined) if joined.strip() else None


def hash_of(text: str) -> str:
    """First 16 hex digits of a text's SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]
