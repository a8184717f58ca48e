"""Where each method's learning rate would be best, by the tuning runs of a study, and how they compare."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from eval.statistics.optimum import located, lowest
from experiments.design.study import StudySpec
from toolkit.records import Cell, Condition, Optimum, RunRecord


def optima(study: StudySpec, cells: Sequence[Cell], runs: Mapping[str, RunRecord]) -> list[Optimum]:
    """One a condition and method that searched, each against the study's baseline, paired by tuning seed.

    Only runs of the largest budget count: those of a search's first rounds are short.
    """
    result = []
    for condition in dict.fromkeys(cell.condition for cell in cells):
        scores = _scores([c for c in cells if c.condition == condition and c.phase == "tune"], runs)
        by_method = {
            method: {seed: best for seed, tried in seeds.items() if (best := lowest(tried)) is not None}
            for method, seeds in scores.items()
        }
        confirmed = {c.method: c for c in cells if c.condition == condition and c.phase == "confirm"}
        for name in scores:
            optimum = _optimum(condition, name, scores, by_method, study.baseline)
            if name in confirmed:
                cell = confirmed[name]
                chosen = {"confirmed_rate": cell.learning_rate, "rate_choice": cell.rate_choice}
                optimum = optimum.model_copy(update=chosen)
            result.append(optimum)
    return result


def _optimum(
    condition: Condition,
    method: str,
    scores: Mapping[str, Mapping[int, Mapping[float, float]]],
    by_method: Mapping[str, Mapping[int, float]],
    baseline: str,
) -> Optimum:
    own, theirs = by_method[method], by_method.get(baseline, {})
    at = located(list(own.values()))
    both = sorted(own.keys() & theirs.keys()) if method != baseline else []
    ratio = located([own[seed] / theirs[seed] for seed in both])
    outside = len(scores[method]) - len(own)
    # a seed whose optimum lies outside the rates is censored, not missing: without it an interval is too sure
    inside, both_inside = outside == 0, outside == 0 and len(scores.get(baseline, {})) == len(theirs)
    return Optimum(
        **condition._asdict(),
        method=method,
        learning_rate=at.value,
        low=at.low if inside else None,
        high=at.high if inside else None,
        seeds=len(own),
        outside=outside,
        ratio=ratio.value,
        ratio_seeds=len(both) if method != baseline else None,
        ratio_low=ratio.low if both_inside else None,
        ratio_high=ratio.high if both_inside else None,
    )


def _scores(cells: Sequence[Cell], runs: Mapping[str, RunRecord]) -> dict[str, dict[int, dict[float, float]]]:
    """Method -> tuning seed -> rate -> validation bits per byte; infinity where it diverged or failed."""
    scores: dict[str, dict[int, dict[float, float]]] = {}
    whole = max((cell.budget for cell in cells), default=1.0)
    for cell in cells:
        if cell.budget == whole and cell.learning_rate is not None:
            run = runs.get(cell.run_id)
            value = run.validation_bits_per_byte if run and run.status == "finished" else None
            tried = scores.setdefault(cell.method, {}).setdefault(cell.seed, {})
            tried[cell.learning_rate] = math.inf if value is None else value
    return scores
